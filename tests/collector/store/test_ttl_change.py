from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector.core.clock import ClockWatch, SystemClock
from collector.core.times import NS_PER_DAY
from collector.store.connect import Connections
from collector.store.retention import begin_retention, read_retention
from collector.store.retention_policy import RetentionConfig
from collector.store.ttl_change import RetentionJob, change_statements
from tests.support.collector.children.held import PARTS
from tests.support.collector.clients import WAIT_S

SHORTER = RetentionConfig(tables={"rejected": 3})


def changing(store: Connections) -> list[str]:
    """Return the tables of which nothing lapses."""
    rows = read_retention(store.client(), SHORTER, SystemClock().now_ns())
    return [row.table for row in rows if row.is_changing]


def job_of(store: Connections, watch: ClockWatch) -> RetentionJob:
    """Return the job as a service has it."""
    return RetentionJob(store, lambda: begin_retention(store.client(), SHORTER), watch)


def left_in(store: Connections) -> list[str]:
    """Return the rows that are left in `rejected`, the newest first."""
    asked = "SELECT item_id FROM rejected ORDER BY received_ns DESC"
    return [str(row[0]) for row in store.client().query(asked).result_rows]


def test_clock_that_is_ahead_for_a_while_takes_nothing(store: Connections, tmp_path: Path) -> None:
    """A month ahead for twelve seconds took all there was, and everything said "ready"."""
    client, now_ns = store.client(), SystemClock().now_ns()
    job = job_of(store, ClockWatch(tmp_path / "clock", lambda: 0))
    job.run_once(now_ns)
    while job.to_do:
        job.run_once(now_ns)
    rows = [[now_ns - age * NS_PER_DAY, "traces", str(age)] for age in (1, 2, 5)]
    client.insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])

    job.run_once(now_ns + 31 * NS_PER_DAY)

    assert (left_in(store), job.ahead_ns) == (["1", "2", "5"], 31 * NS_PER_DAY)
    job.run_once(now_ns)
    assert (left_in(store), job.ahead_ns) == (["1", "2"], 0)


def test_a_change_that_a_start_began_ends_while_the_service_runs(
    store: Connections, tmp_path: Path
) -> None:
    """Receivers do not wait for parts; a start after a kill goes on from the mark alone."""
    client, now_ns = store.client(), SystemClock().now_ns()
    rows = [[now_ns - age * NS_PER_DAY, "traces", str(age)] for age in range(20)]
    client.insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])
    assert begin_retention(client, SHORTER) == ["rejected"]
    assert changing(store) == ["rejected"]
    assert begin_retention(client, SHORTER) == [], "another start"
    job = job_of(store, ClockWatch(tmp_path / "clock"))
    job.run_once(now_ns)
    while job.to_do:
        assert job.to_do.keys() == {"rejected"}
        job.run_once(now_ns)
    assert changing(store) == []
    assert left_in(store) == ["0", "1", "2"]


def test_a_start_waits_for_what_keeps_rows_longer_and_for_nothing_else(store: Connections) -> None:
    """Ports were closed for half a minute while tables learnt to keep less; that can wait."""
    client = store.client()
    longer = RetentionConfig(tables={"rejected": 3, "packets": 60})
    assert begin_retention(client, longer, sooner=False) == ["packets"]
    assert changing(store) == ["packets"]
    assert begin_retention(client, longer, sooner=False) == []
    assert begin_retention(client, longer) == ["rejected"]


def test_a_change_of_which_only_the_mark_is_there_is_made_before_it_ends(
    store: Connections, tmp_path: Path
) -> None:
    """Whoever began it was killed at once; parts that do not know the TTL would lapse by another.

    A start leaves it to the job, and the mark keeps the table from merges until then.
    """
    client, now_ns = store.client(), SystemClock().now_ns()
    rows = [[now_ns - age * NS_PER_DAY, "traces", str(age)] for age in range(20)]
    client.insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])
    ttl = "toDateTime(intDiv(received_ns, 1000000000)) + toIntervalDay(3)"
    mark, _, put, _ = change_statements("rejected", ttl, str(client.database), "")
    for statement in (mark, put):
        client.command(statement, settings={"materialize_ttl_after_modify": 0})
    assert begin_retention(client, SHORTER, sooner=False) == []
    assert changing(store) == ["rejected"]
    job = job_of(store, ClockWatch(tmp_path / "clock"))
    job.run_once(now_ns)
    while job.to_do:
        job.run_once(now_ns)
    assert changing(store) == []
    assert left_in(store) == ["0", "1", "2"]


@pytest.mark.integration
def test_held_rows_outlive_a_kill_and_whoever_opens_the_store_next(tmp_path: Path) -> None:
    """The engine merges from the moment that it is opened, before anybody can tell it not to."""

    def run(what: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tests.support.collector.children.held"]
        return subprocess.run(
            [*command, str(tmp_path / "store"), what],
            capture_output=True,
            text=True,
            timeout=4 * WAIT_S,
            check=False,
        )

    held = run("hold")
    assert held.returncode == -signal.SIGKILL, held.stderr
    looked = run("look")
    assert (looked.stdout, looked.returncode) == (str(PARTS), 0), looked.stderr
