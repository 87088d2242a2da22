"""An outcome that is not as it was sealed is in no sum, whichever copy came first."""

from __future__ import annotations

import copy
from decimal import Decimal
from pathlib import Path

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.builders import decision_span, logs_request, store_request, trace_request
from tests.support.collector.provenance_scene import Scene, at, changed, sealed_records, stripped

Outcomes = list[tuple[str, Decimal | None]]


class Till(Scene):
    """A proof of outcomes, whose sums are read as pages read them."""

    def __init__(self, store: Connections, folder: Path) -> None:
        super().__init__(store, folder)
        self.attribution = AttributionJob(
            AttributionConfig(settle_s=0.0), AttributesConfig(), store
        )
        decisions = [
            decision_span(start_ns=NOW_NS, attributes={"decision.id": f"d{number}"})
            for number in range(4)
        ]
        store_request(store, trace_request(*decisions), received_ns=at(0))

    def send(self, at_s: int, *records: LogRecord) -> None:
        """Store log records as one request."""
        store_request(self.store, logs_request(*records), received_ns=at(at_s))

    def summed(self, at_s: int) -> Decimal:
        """Judge and attribute what there is; return what the cells say was earned."""
        self.attribution.run_once(self.judge(at_s))
        ((value,),) = (
            self.store.client().query("SELECT sum(value_usd) FROM revenue_cells FINAL").result_rows
        )
        return Decimal(value)

    def outcomes(self) -> Outcomes:
        """Return the current outcomes with their revenue."""
        rows = self.store.client().query(
            "SELECT outcome_id, revenue FROM outcomes FINAL ORDER BY outcome_id"
        )
        return [(str(row[0]), row[1]) for row in rows.result_rows]

    def withdrawn(self) -> list[tuple[str, str]]:
        """Return what is out of the sums: outcome and verdict."""
        rows = self.store.client().query(
            "SELECT outcome_id, verdict FROM withdrawn_outcomes FINAL WHERE is_back = 0"
            " ORDER BY outcome_id"
        )
        return [(str(row[0]), str(row[1])) for row in rows.result_rows]


@pytest.fixture
def till(store: Connections, tmp_path: Path) -> Till:
    """Return four decisions, and who judges and sums their outcomes."""
    return Till(store, tmp_path)


GENUINE: Outcomes = [(f"order-{number}", Decimal("20.50")) for number in range(4)]


def later(record: LogRecord) -> LogRecord:
    """Return the record as of a later revision, which is the one that counts."""
    moved = copy.deepcopy(record)
    moved.time_unix_nano += 10**9
    return moved


FORGERIES = {
    "amount": lambda record: changed(record, "outcome.revenue", "77770.00"),
    "later revision": lambda record: later(changed(record, "outcome.revenue", "77770.00")),
    "another decision": lambda record: changed(record, "decision.id", "d0"),
    "another outcome": lambda record: changed(record, "outcome.id", "order-9"),
    "another subject": lambda record: changed(
        changed(record, "provenance.subject", "0" * 32), "outcome.revenue", "77770.00"
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.parametrize("order", ["before", "before a restart", "with", "after"])
def test_genuine_outcome_counts_whichever_came_first(till: Till, forgery: str, order: str) -> None:
    """A forged copy made $77,770 of $20.50, and `tampered` beside it did not help the sum."""
    records = sealed_records(currency="USD")
    forged = FORGERIES[forgery](records[1])
    if order.startswith("before"):
        till.send(1, forged)
        till.summed(2)
        if order == "before a restart":
            till.restart()
        till.send(3, *records)
    elif order == "with":
        till.send(1, forged, *records)
    else:
        till.send(1, *records)
        till.summed(2)
        till.send(3, forged)
    for at_s in (8, 60):
        assert till.summed(at_s) == Decimal("82.00")
        assert till.outcomes() == GENUINE
    assert {verdict for _, verdict in till.withdrawn()} == {"tampered"}


def test_forged_outcome_alone_counts_until_proof_is_required(till: Till) -> None:
    """It is named either way; where proof is required it is out, and what it says is kept."""
    records = sealed_records(currency="USD")
    till.send(1, changed(records[0], "outcome.revenue", "77770.00"), *records[1:])
    assert till.summed(2) == Decimal("77831.50")
    assert till.withdrawn() == []
    till.required = True  # the decisions, which have no seal, go as well
    till.store.client().command("TRUNCATE TABLE provenance_chains")
    till.restart()
    till.summed(8)
    assert till.outcomes() == GENUINE[1:]
    assert till.withdrawn() == [("order-0", "tampered")]
    said = till.store.client().query(
        "SELECT revenue FROM withdrawn_outcomes FINAL WHERE is_back = 0"
    )
    assert said.result_rows == [(Decimal(77770),)]
    # The genuine one, whenever it comes, is the one that counts.
    till.send(9, records[0])
    till.summed(10)
    assert till.outcomes() == GENUINE


def test_outcome_without_a_seal_is_out_where_outcomes_must_be_proven(till: Till) -> None:
    """Else who may send outcomes need only leave the seal away."""
    records = sealed_records(currency="USD")
    bare = later(changed(stripped(records[1]), "outcome.revenue", "900.00"))
    till.send(1, *records, bare)
    assert till.summed(2) == Decimal("961.50")
    till.outcomes_required = True
    till.store.client().command("TRUNCATE TABLE provenance_chains")
    till.restart()
    assert till.summed(8) == Decimal("82.00")
    assert till.outcomes() == GENUINE
    assert till.withdrawn() == [("order-1", "unsigned")]


def test_key_that_is_revoked_takes_its_outcomes_along_until_it_is_restored(till: Till) -> None:
    """What a stolen key may have sealed is not summed; a mistake is undone."""
    till.outcomes_required = True
    till.restart()
    till.send(1, *sealed_records(currency="USD"))
    assert till.summed(2) == Decimal("82.00")
    till.write_keys("revoked = true")
    assert till.summed(4) == Decimal(0)
    assert till.outcomes() == []
    till.write_keys()
    assert till.summed(6) == Decimal("82.00")
    assert till.outcomes() == GENUINE
    assert till.withdrawn() == []


def test_corrections_of_a_sealed_outcome_stay(till: Till) -> None:
    """A genuine revision is no copy of the one before: nothing is taken out or put back."""
    records = sealed_records(currency="USD")
    till.send(1, *records[:2])
    till.summed(2)
    till.send(3, *records[2:])
    assert till.summed(4) == Decimal("82.00")
    assert till.store.client().query("SELECT count() FROM withdrawn_outcomes").result_rows == [(0,)]
