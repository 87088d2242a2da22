"""What is compared is read in parts: a range of any length fits into a question."""

from __future__ import annotations

from attribution.core.config import AttributionConfig
from attribution.core.selection import Narrowed, Selection
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.job import read_book
from attribution.whatif.compared import compared_count, compared_rows, side_parts
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, decision, put_sales, put_spans


def test_parts_hold_what_the_whole_does(store: Connections) -> None:
    """24 decisions in six minutes, some of which state their value, in one part and in several."""
    spans = [
        each
        for index in range(24)
        for each in decision(
            f"d{index}",
            15_000 * index,
            300 if index % 4 else 60,
            decision__action="offer" if index % 3 else "gift",
            decision__value_usd=str(index),
        )
    ]
    put_spans(store, spans)
    put_sales(store, [f"d{index}" for index in range(24) if index % 3 == 1], "10", told_s=400)
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 3000 * NS_PER_S)
    side = Narrowed(Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S))
    rated = read_book(store, config).parameters(side.of.from_ns, side.of.to_ns)
    rated |= config.references()
    whole, parts = side_parts(store, side), side_parts(store, side, 4)
    assert (len(whole), len(parts) > 3) == (1, True)
    assert compared_count(store, parts, None) == compared_count(store, whole, None) == 24
    for every in (1, 2):
        rows, again = (compared_rows(store, of, None, every, rated) for of in (whole, parts))
        keys = [(name, "ascending") for name in ("total_ns", "action", "loss", "egress_store_ns")]
        assert again.sort_by(keys).equals(rows.sort_by(keys))
        assert max(rows["loss"].to_pylist()) > 0
