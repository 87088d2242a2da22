"""I/O: how far each job has come, kept in the store so that a restart resumes there."""

from __future__ import annotations

from typing import Final

from clickhouse_connect.driver.client import Client

# Whose cursor says up to when what was received is attributed.
ATTRIBUTION_CURSOR: Final = "attribution"


def read_cursor(client: Client, job: str) -> int:
    """Return the `received_ns` up to which `job` has read, 0 where it never ran."""
    rows = client.query(
        "SELECT max(cursor_ns) FROM job_cursors WHERE job = {job:String}", parameters={"job": job}
    ).result_rows
    return int(rows[0][0])


def furthest_cursor(client: Client) -> int:
    """Return the instant up to which some job has read, 0 where none ever ran."""
    rows = client.query(
        "SELECT greatest((SELECT max(cursor_ns) FROM job_cursors),"
        " (SELECT max(cursor_ns) FROM provenance_chains))"
    ).result_rows
    return int(rows[0][0])


def write_cursor(client: Client, job: str, cursor_ns: int) -> None:
    """Record that `job` has read everything received before `cursor_ns`."""
    client.insert("job_cursors", [[job, cursor_ns]], column_names=["job", "cursor_ns"])


def next_received_ns(client: Client, after_ns: int) -> int:
    """Return when the first span after an instant was received, 0 where none was.

    With it a job passes over time in which nothing came, however long, in one look.
    """
    rows = client.query(
        "SELECT min(received_ns) FROM otel_traces WHERE received_ns > {after_ns:UInt64}",
        parameters={"after_ns": after_ns},
    ).result_rows
    return int(rows[0][0])
