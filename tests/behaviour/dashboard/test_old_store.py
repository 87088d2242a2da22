"""What a page asks for reads what it asks for, however many days the store has kept."""

from __future__ import annotations

from typing import Final

import pytest

from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_MS
from collector.store.connect import Connections
from dashboard.health import pipeline
from dashboard.read.reader import Reader
from dashboard.read.rows import DecisionFacts
from tests.conftest import NOW_NS
from tests.support.attribution.rows_read import rows_read

DAYS: Final = 12
A_DAY: Final = 20_000  # rows of each table
GRANULES_ROWS: Final = 3 * 8_192
# By table, what a row of some instant is; no two rows have a name in common.
COLUMNS: Final[dict[str, dict[str, str]]] = {
    "outcomes": {
        "outcome_id": "toString(cityHash64(n, 1))",
        "decision_id": "if(n % 2, toString(cityHash64(n, 2)), '')",
        "outcome_key": "toString(cityHash64(n, 3))",
        "event_ns": "at_ns",
        "received_ns": "at_ns",
    },
    "span_flows": {
        "trace_id": "toString(cityHash64(n, 4))",
        "span_id": "'s'",
        "decision_id": "toString(cityHash64(n, 2))",
        "flow_hash": "cityHash64(n, 5)",
        "from_ns": "at_ns",
        "to_ns": "at_ns + 1",
    },
    "flows": {
        "flow_hash": "cityHash64(n, 5)",
        "first_ns": "at_ns",
        "last_ns": "at_ns + 1",
        "server_port": "7",
    },
    "otel_logs": {
        "Timestamp": "fromUnixTimestamp64Nano(toInt64(at_ns))",
        "ServiceName": "concat('service ', toString(n % 3))",
    },
}


def grow(store: Connections) -> None:
    """Insert rows of some days, a part a day and table."""
    for table, columns in COLUMNS.items():
        for day in range(DAYS):
            at_ns = f"toUInt64({NOW_NS - day * NS_PER_DAY} - number * {NS_PER_MS})"
            store.client().command(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())}"
                f" FROM (SELECT number + {day * A_DAY} AS n, {at_ns} AS at_ns"
                f" FROM numbers({A_DAY}))"
            )


def hashed(store: Connections, number: int, salt: int) -> str:
    """Return what the rows above are named."""
    return str(store.client().command(f"SELECT toString(cityHash64(toUInt64({number}), {salt}))"))


def facts(decision_id: str, outcome_key: str = "") -> DecisionFacts:
    """Return a decision of which the names alone matter."""
    return DecisionFacts(
        decision_id=decision_id, trace_id="", root_span_id="", service_name="", ingress_ns=NOW_NS,
        start_ns=NOW_NS, end_ns=NOW_NS, transform_ns=0, decision_ns=0, egress_ns=0, action="",
        region="", dimensions={}, injected_delay_ns=0, value_usd=None, outcome_key=outcome_key,
        is_error=0, replaced="",
    )  # fmt: skip


@pytest.fixture
def old(store: Connections) -> Connections:
    """Return a store with rows of some days."""
    grow(store)
    for table in COLUMNS:
        store.client().command(f"OPTIMIZE TABLE {table}")
    return store


def test_questions_of_one_decision_read_no_other_days(old: Connections) -> None:
    """The decision page scanned every outcome and every exchange that was kept, twice."""
    reader = Reader(old)
    number = 1_234
    by_id = facts(hashed(old, number + 1, 2))
    found, read = rows_read(old, lambda: reader.outcomes(by_id))
    assert [each.outcome_id for each in found] == [hashed(old, number + 1, 1)]
    assert read <= GRANULES_ROWS
    by_key = facts("d", hashed(old, number, 3))
    found, read = rows_read(old, lambda: reader.outcomes(by_key))
    assert [each.outcome_id for each in found] == [hashed(old, number, 1)]
    assert read <= GRANULES_ROWS
    found, read = rows_read(old, lambda: reader.span_flows(by_id))
    assert [(each.span_id, each.server_port) for each in found] == [("s", 7)]
    assert read <= 3 * GRANULES_ROWS, "the exchange, and its connection"


def test_newest_record_is_found_in_its_own_part(old: Connections) -> None:
    """Asked at every probe, by every page and by every scrape."""
    text = sql("newest_times", pipeline.__file__)
    rows, read = rows_read(old, lambda: old.client().query(text).result_rows)
    assert dict(rows)["logs"] == NOW_NS
    assert read <= GRANULES_ROWS
