from __future__ import annotations

from functools import partial

import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_DAY, NS_PER_S, S_PER_DAY
from collector.store.connect import Connections
from collector.store.lapses import Part, drop_lapsed, is_sooner, unsaid
from collector.store.retention import read_retention
from collector.store.retention_policy import RetentionConfig, TableRetention
from tests.support.attribution.rows_read import rows_read


@pytest.mark.parametrize(
    ("oldest_s", "newest_s", "is_read"),
    [
        pytest.param(5, 9, False, id="all of it is older"),
        pytest.param(10, 19, False, id="none of it is"),
        pytest.param(9, 10, True, id="some of it is"),
        pytest.param(None, None, True, id="nothing is noted"),
    ],
)
def test_part_is_read_where_its_times_do_not_say_how_many_are_older(
    oldest_s: int | None, newest_s: int | None, *, is_read: bool
) -> None:
    """Older than 10 s: the others are counted by their rows alone."""
    assert unsaid([Part("p", 7, oldest_s, newest_s)], 10) == (["p"] if is_read else [])


def of_rejected(store: Connections, now_ns: int, days: int) -> TableRetention:
    """Return what is said of `rejected`, which is to be kept for so many days."""
    rows = read_retention(store.client(), RetentionConfig(tables={"rejected": days}), now_ns)
    return next(row for row in rows if row.table == "rejected")


@pytest.mark.parametrize("days", [30, 35], ids=["as its TTL is", "as it is not"])
def test_ages_are_those_of_the_rows_though_they_are_not_read(store: Connections, days: int) -> None:
    """Forty million rows were read to say how old the oldest is; the engine notes it by part."""
    client, now_ns = store.client(), SystemClock().now_ns()
    rows = [[now_ns - NS_PER_DAY * age // 500, "traces", f"{age}"] for age in range(20_000)]
    client.insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])
    later_ns = now_ns + 3 * NS_PER_DAY
    found, read = rows_read(store, partial(of_rejected, store, later_ns, days))
    cutoff_s = later_ns // NS_PER_S - days * S_PER_DAY - round(found.slack_days * S_PER_DAY)
    ((oldest_s, overdue),) = client.query(
        "SELECT toUnixTimestamp(min(toDateTime(intDiv(received_ns, 1000000000)))),"
        " countIf(toDateTime(intDiv(received_ns, 1000000000)) < toDateTime({at:UInt32}))"
        " FROM rejected",
        parameters={"at": cutoff_s},
    ).result_rows
    assert (found.oldest_ns, found.overdue_rows) == (oldest_s * NS_PER_S, overdue)
    assert overdue > 0
    # Of the day in which the policy ends, and of what the engine says of its parts.
    assert read < 3_000


def test_only_a_part_all_of_whose_rows_are_over_their_time_is_dropped(store: Connections) -> None:
    """The engine, which goes by the machine's clock, drops none at any merge."""
    client, now_ns = store.client(), SystemClock().now_ns()
    rows = [[now_ns - age * NS_PER_DAY, "traces", str(age)] for age in (1, 29, 31, 400)]
    client.insert("rejected", rows, column_names=["received_ns", "signal", "item_id"])
    client.command("OPTIMIZE TABLE rejected FINAL")
    assert left_in(store) == ["1", "29", "31", "400"]

    assert drop_lapsed(client, now_ns // NS_PER_S, changing=["rejected"]) == {}
    assert drop_lapsed(client, now_ns // NS_PER_S) == {"rejected": 2}

    assert left_in(store) == ["1", "29"]
    assert drop_lapsed(client, now_ns // NS_PER_S) == {}


def left_in(store: Connections) -> list[str]:
    """Return the rows that are left in `rejected`, the newest first."""
    asked = "SELECT item_id FROM rejected ORDER BY received_ns DESC"
    return [str(row[0]) for row in store.client().query(asked).result_rows]


@pytest.mark.parametrize(
    ("ttl", "sooner"),
    [("at + toIntervalDay(9)", True), ("at + toIntervalDay(30)", False),
     ("at + toIntervalYear(1)", False), ("if(at < 7, 8, at + toIntervalDay(9))", False)],
)  # fmt: skip
def test_rows_lapse_sooner_where_all_do(ttl: str, *, sooner: bool) -> None:
    """A hold keeps some of them longer, and of years nobody says how many days they have."""
    assert is_sooner(ttl, than="at + toIntervalDay(10)") is sooner
    assert not is_sooner(ttl, than="at + toIntervalYear(1)")
