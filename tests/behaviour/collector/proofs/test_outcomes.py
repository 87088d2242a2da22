"""Outcomes are sealed like decisions: what they say, when, and what they are bound to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.instrument import OutcomeSeal
from collector.provenance.export_file import Outcome, outcome_of, read_lines, write_line
from collector.provenance.verify import Verdict, Verifier
from dashboard.read.sealed.store import SealedStore
from tests.conftest import NOW_NS
from tests.support.builders import logs_request, store_request
from tests.support.collector.provenance_scene import (
    KEY,
    OUTCOMES,
    Scene,
    at,
    changed,
    sealed_records,
    stripped,
)


def store(proof: Scene, at_s: int, *records: LogRecord) -> None:
    """Store records as one request."""
    store_request(proof.store, logs_request(*records), received_ns=at(at_s))


def test_sealed_outcomes_are_judged_as_they_arrive_and_by_verify(proof: Scene) -> None:
    """Through the SDK, the views and back, with their checkpoint; and from an export."""
    store(proof, 1, *sealed_records())
    assert proof.run(2) == {"ok": OUTCOMES}
    assert proof.run(60) == {}
    items = SealedStore(proof.store).outcomes(0, 100).items
    outcomes = [outcome_of(each) for each in items]
    verifier = Verifier({KEY.kid: KEY}, arrival=True)
    verifier.take([o.event for o in outcomes], [o.form({KEY.kid: KEY}) for o in outcomes])
    assert verifier.finish().verdicts == {Verdict.OK: OUTCOMES}
    lines = [write_line(each) for each in outcomes]
    read = [each for each in read_lines(lines, "export") if isinstance(each, Outcome)]
    assert [each.form({KEY.kid: KEY}) for each in read] == [
        o.form({KEY.kid: KEY}) for o in outcomes
    ]
    row = proof.store.client().query("SELECT sum(revenue), count() FROM outcomes FINAL").result_rows
    assert row == [(Decimal(82), OUTCOMES)]


@pytest.mark.parametrize(
    "attack",
    [
        lambda record: changed(record, "outcome.revenue", "2050.00"),
        lambda record: changed(record, "outcome.revenue", "20.5"),
        lambda record: changed(record, "outcome.currency", "JPY"),
        lambda record: changed(record, "outcome.converted", "true"),
        lambda record: changed(record, "outcome.kind", "refund"),
        lambda record: changed(record, "decision.id", "d0"),
        lambda record: changed(record, "outcome.id", "order-9"),
        lambda record: changed(record, "provenance.subject", "0" * 32),
    ],
)
def test_outcome_that_was_changed_is_named(
    proof: Scene, attack: Callable[[LogRecord], LogRecord]
) -> None:
    """Amount, currency, kind, and which decision it is of: dollars moved from one to another."""
    records = sealed_records()
    store(proof, 1, records[0], attack(records[1]), *records[2:])
    assert proof.run(2) == {"ok": OUTCOMES - 1, "tampered": 1}
    assert proof.rows()[1][:2] == (1, "tampered")


def test_outcome_that_is_dropped_doubled_or_stripped_is_told(proof: Scene) -> None:
    """A retry is none of its sender's doing; a hole is missed, also one that its seal left."""
    records = sealed_records()
    store(proof, 1, records[0], stripped(records[2]), *records[3:])
    store(proof, 2, records[0])
    assert proof.run(3) == {"ok": 2, "retried": 1}
    assert proof.run(60) == {"missing": 2}
    store(proof, 61, records[3])
    assert proof.run(62) == {"retried": 1}


def test_ids_that_a_rule_has_replaced_are_not_compared(proof: Scene) -> None:
    """The seal holds all the same: its other fields are what they were."""
    (record,) = sealed_records(1, closing=False)
    token = "key_a1_" + "a" * 20
    store(proof, 1, changed(record, "decision.id", token))
    assert proof.run(2)["ok"] == 1


def test_forked_child_begins_an_epoch_of_its_own() -> None:
    """Two processes would else use the same numbers."""
    seal = OutcomeSeal(KEY, "orders/1")
    first = seal.seal_outcome({"outcome.id": "a"}, NOW_NS)
    seal.restart()
    second = seal.seal_outcome({"outcome.id": "a"}, NOW_NS)
    assert first["provenance.epoch"] != second["provenance.epoch"]
    assert first["provenance.seq"] == second["provenance.seq"] == "0"
    assert first["provenance.subject"] == second["provenance.subject"]
