"""I/O: how far each job has come, kept in the store so that a restart resumes there."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client


def read_cursor(client: Client, job: str) -> int:
    """Return the `received_ns` up to which `job` has read, 0 where it never ran."""
    rows = client.query(
        "SELECT max(cursor_ns) FROM job_cursors WHERE job = {job:String}", parameters={"job": job}
    ).result_rows
    return int(rows[0][0])


def write_cursor(client: Client, job: str, cursor_ns: int) -> None:
    """Record that `job` has read everything received before `cursor_ns`."""
    client.insert("job_cursors", [[job, cursor_ns]], column_names=["job", "cursor_ns"])
