from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from collector.core.clock import NS_PER_DAY, SystemClock
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


def test_a_change_that_a_start_began_ends_while_the_service_runs(store: Connections) -> None:
    """Receivers do not wait for parts; a start after a kill goes on from the mark alone."""
    client, now_ns = store.client(), SystemClock().now_ns()
    rows = [[now_ns - age * NS_PER_DAY, "traces", str(age)] for age in range(20)]
    client.insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])
    assert begin_retention(client, SHORTER) == ["rejected"]
    assert changing(store) == ["rejected"]
    assert begin_retention(client, SHORTER) == [], "another start"
    job = RetentionJob(store, lambda: begin_retention(client, SHORTER))
    job.run_once(now_ns)
    while job.to_do:
        assert job.to_do.keys() == {"rejected"}
        job.run_once(now_ns)
    assert changing(store) == []
    client.command("OPTIMIZE TABLE rejected FINAL")
    left = client.query("SELECT item_id FROM rejected ORDER BY received_ns DESC").result_rows
    assert left == [("0",), ("1",), ("2",)]


def test_a_start_waits_for_what_keeps_rows_longer_and_for_nothing_else(store: Connections) -> None:
    """Ports were closed for half a minute while tables learnt to keep less; that can wait."""
    client = store.client()
    longer = RetentionConfig(tables={"rejected": 3, "packets": 60})
    assert begin_retention(client, longer, sooner=False) == ["packets"]
    assert changing(store) == ["packets"]
    assert begin_retention(client, longer, sooner=False) == []
    assert begin_retention(client, longer) == ["rejected"]


def test_a_change_of_which_only_the_mark_is_there_is_made_before_it_ends(
    store: Connections,
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
    job = RetentionJob(store, lambda: begin_retention(client, SHORTER))
    job.run_once(now_ns)
    while job.to_do:
        job.run_once(now_ns)
    assert changing(store) == []
    client.command("OPTIMIZE TABLE rejected FINAL")
    left = client.query("SELECT item_id FROM rejected ORDER BY received_ns DESC").result_rows
    assert left == [("0",), ("1",), ("2",)]


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
