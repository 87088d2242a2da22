"""What each decision of a list earned: the outcomes that are counted to it, and no other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig
from collector.core.times import NS_PER_DAY, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from dashboard.read.decisions.filter import DecisionFilter, Order
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Range, Reference
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

Earned = tuple[str | None, bool | None, str]
SALE, NONE = ("5.000000", True, "USD"), (None, None, "")
CASES: dict[str, tuple[dict[str, str], list[dict[str, object]], Earned]] = {
    "nothing": ({}, [], NONE),
    "margin": ({}, [{"margin": "5", "revenue": "20"}], SALE),
    "revenue": ({}, [{"revenue": "5"}], SALE),
    "unknown": ({}, [{}], (None, True, "USD")),
    "one-unknown": ({}, [{"margin": "5"}, {}], (None, True, "USD")),
    "unsold": ({}, [{"converted": False}], ("0.000000", False, "USD")),
    "euros": ({}, [{"margin": "5", "currency": "EUR"}], ("5.000000", True, "EUR")),
    "id-and-key": ({"outcome__key": "k1"}, [{"margin": "2"}, {"margin": "3", "key": "k1"}], SALE),
    "two-keys": ({}, [{"margin": "2", "also": "k2"}, {"margin": "3", "also": "k3"}], SALE),
    "refunded": ({}, [{"margin": "8", "also": "k4"}, {"kind": "refund", "margin": "3"}], SALE),
    "refund-alone": ({}, [{"kind": "refund", "margin": "3"}], ("0.000000", False, "USD")),
    "too-late": ({}, [{"margin": "5", "event_s": 40 * 86_400}], ("0.000000", False, "USD")),
    "key-before": ({"outcome__key": "k5"}, [], NONE),
    "key-last": ({"outcome__key": "k5"}, [{"margin": "5", "key": "k5"}], SALE),
    "two-rated": (
        {},
        [{"margin": "1"}, {"margin": "2", "currency": "EUR"}],
        ("5.000000", True, "USD"),
    ),
    "two-unrated": ({}, [{"margin": "1"}, {"margin": "2", "currency": "CHF"}], (None, True, "USD")),
    "large": ({}, [{"margin": "9999999999.999999"}], ("9999999999.999999", True, "USD")),
}


@pytest.fixture
def sold(store: Connections) -> Connections:
    """Return a store in which every case is a decision, attributed."""
    spans, outcomes = [], []
    for number, (name, (attributes, told, _)) in enumerate(CASES.items()):
        spans += decision(name, number * 10, 100, **attributes)  # type: ignore[arg-type]  # fields by name
        for place, fields in enumerate(told):
            named = {"decision_id": "" if "key" in fields else trace_id(name)}
            fields = {"key" if field == "also" else field: fields[field] for field in fields}
            outcomes.append(outcome(f"{name}-{place}", **named, **fields))  # type: ignore[arg-type]  # fields by name
    put_spans(store, spans)
    put_outcomes(store, outcomes)
    rate = [[BASE_NS - BASE_NS % NS_PER_DAY, "EUR", Decimal(2), BASE_NS]]
    names = ["day_ns", "currency", "rate", "received_ns"]
    store.client().insert("currency_rates", rate, column_names=names)
    job(store).drain(at(50))
    return store


def test_each_decision_earned_what_is_counted_to_it(sold: Connections) -> None:
    """A key beside an id once hid the other outcomes, and one order was every decision's."""
    decisions = DecisionList(Reader(sold), AttributionConfig(), Reference(80 * NS_PER_MS, {}))
    criteria = DecisionFilter(Range(BASE_NS - NS_PER_S, BASE_NS + NS_PER_S))
    rows, _ = decisions.page(criteria, Order(), 100, stated=False)
    found = {
        row.decision_id: (
            None if row.earned is None else str(row.earned),
            row.converted,
            row.currency,
        )
        for row in rows
    }
    assert found == {trace_id(name): earned for name, (_, _, earned) in CASES.items()}
