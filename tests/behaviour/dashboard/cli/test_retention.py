"""`millworth hold` and `millworth verify retention`, over the API of a store that nobody holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import Result

from collector.core.clock import SystemClock
from collector.core.errors import InputError
from collector.core.times import NS_PER_S, S_PER_DAY, instant_ns
from collector.store.connect import Connections
from collector.store.lapses import drop_lapsed
from collector.store.ttl_change import finish_changes
from tests.support.dashboard.fixtures import Run

DAY_NS = S_PER_DAY * NS_PER_S


def said(result: Result) -> dict[str, Any]:
    """Return what a command printed as JSON."""
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def lapse(store: Connections) -> None:
    """Let the parts learn their times, as a service does, and what is over its time go."""
    while finish_changes(store.client()):
        pass
    drop_lapsed(store.client(), SystemClock().now_ns() // NS_PER_S)


def test_hold_keeps_what_the_ttl_of_its_table_would_remove(run: Run, store: Connections) -> None:
    """From the command to the TTL in force, to the row that stays, and back."""
    begin = ["--from", "2001-09-09", "--to", "2001-09-10T01:00:00+00:00"]
    made = run("hold", "add", "case 7/2026", *begin, "--reason", "claim", "--by", "ada", "--json",
               "--table", "rejected")  # fmt: skip
    assert made.exit_code == 0, made.output
    rows = [[1_000_000_000 * NS_PER_S, "traces", "held"], [DAY_NS, "traces", "old"]]
    store.client().insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])
    lapse(store)

    assert store.client().query("SELECT item_id FROM rejected").result_rows == [("held",)]
    verified = run("verify", "retention", "--json")
    tables = {table["table"]: table for table in said(verified)["tables"]}
    assert verified.exit_code == 0
    assert tables["rejected"]["holds"] == ["case 7/2026"]
    assert tables["rejected"]["oldest_ns"] == 1_000_000_000 * NS_PER_S
    assert tables["decisions"]["holds"] == []

    released = said(run("hold", "release", "case 7/2026", "--by", "bob", "--json"))
    assert (released["actor"], released["released_ns"] > 0) == ("bob", True)
    listed = said(run("hold", "list", "--json"))["holds"]
    assert [(one["name"], one["reason"], one["tables"]) for one in listed] == [
        ("case 7/2026", "claim", ["rejected"])
    ]
    lapse(store)
    assert store.client().query("SELECT count() FROM rejected").result_rows == [(0,)]


def test_verify_ends_with_1_and_names_the_table_whose_ttl_is_another(
    run: Run, store: Connections
) -> None:
    """Whoever altered a table by hand, or never applied a change, learns what to do."""
    store.client().command(
        "ALTER TABLE packets MODIFY TTL toDateTime(intDiv(ts_ns, 1000000000)) + INTERVAL 9 DAY"
    )
    now_ns = SystemClock().now_ns()
    store.client().insert("holds", [["no\x1b[2J", ["flows"], 0, now_ns, "why", "a", 1, 2]])

    result = run("verify", "retention")

    assert result.exit_code == 1
    (problem,) = [line for line in result.stdout.splitlines() if line.startswith("packets: ")]
    assert "toIntervalDay(9), expected" in problem
    assert "run `millworth migrate`" in problem
    assert "\x1b" not in run("hold", "list").stdout


@pytest.mark.parametrize("arguments", [["--from", "soon", "--to", "2026-01-01"]])
def test_time_that_is_none_is_refused(run: Run, arguments: list[str]) -> None:
    """Before anything is asked of a store."""
    result = run("hold", "add", "x", *arguments, "--reason", "r")
    assert isinstance(result.exception, InputError)
    assert "--from 'soon' is not an instant" in str(result.exception)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-02", DAY_NS),
        ("1970-01-01T00:00:01", NS_PER_S),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2033-05-18T03:33:20.000001Z", 2_000_000_000_000_001_000),
    ],
)
def test_time_of_a_hold_is_exact(text: str, ns: int) -> None:
    """No float in between; without a zone it is UTC."""
    assert instant_ns(text, "--from") == ns
