"""What is known of a unit before a day begins, and amounts that count as a limit."""

from __future__ import annotations

import numpy as np

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.cells import read_slope_cells
from attribution.sensitivity.sums import BEFORE, OUTCOME
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_DAY, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)

DAY_S = 86_400
REGULAR, OTHER = "0" * 15 + "1", "0" * 15 + "2"


def sold(store: Connections, name: str, margin: str, at_s: float) -> None:
    """Store the sale of a decision."""
    sale = outcome(
        f"sale-{name}", decision_id=trace_id(name), margin=margin, event_s=at_s, received_s=at_s
    )
    put_outcomes(store, [sale])


def test_sales_that_happened_on_earlier_days_are_known_of_a_unit(store: Connections) -> None:
    """Two on the first day, one on the second: 0, 2 and 3 before; nothing of its own day.

    Nor what was sold after it, though the decision that sold it came before: the delay of today may
    have to do with that.
    """
    days = [(0, REGULAR), (0, REGULAR), (1, REGULAR), (2, REGULAR), (2, OTHER), (2, ""), (0, OTHER)]
    for at, (day, unit) in enumerate(days):
        start_ms = 1_000 * (DAY_S * day + at)
        received_s = DAY_S * day + 60.0
        put_spans(store, decision(f"r{at}", start_ms, received_s=received_s, decision__unit=unit))
    for at, margin, at_s in ((0, "10", 60), (1, "20", 60), (2, "9000", DAY_S + 60)):
        sold(store, f"r{at}", margin, at_s)
    sold(store, "r6", "5", 2 * DAY_S + 60)
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 3 * NS_PER_DAY)
    found = read_slope_cells(store, config, BASE_NS, BASE_NS + 3 * NS_PER_DAY, "converted").cells
    assert found.sums[:, OUTCOME].tolist() == [3.0, 1.0, 0.0]
    # On the third day 3 of the regular, none of the other, none of nobody.
    np.testing.assert_allclose(found.sums[:, BEFORE], np.log1p([0.0, 2.0, 3.0]))
    np.testing.assert_allclose(found.products[:, BEFORE, BEFORE], np.log1p([0.0, 2.0, 3.0]) ** 2)


def test_no_sale_is_known_before_its_own_decision(store: Connections) -> None:
    """A shop east of Greenwich writes the day of an order: local midnight is the day before in UTC.

    Were it known before, a sale would explain itself, and nothing were left for the delay.
    """
    for at, unit in enumerate((REGULAR, REGULAR, OTHER)):
        start_ms = 1_000 * (DAY_S * (at > 1) + at)
        received_s = DAY_S * (at > 1) + 60.0
        put_spans(store, decision(f"r{at}", start_ms, received_s=received_s, decision__unit=unit))
        sale = outcome(
            f"sale-{at}", decision_id=trace_id(f"r{at}"), margin="10", received_s=received_s,
            event_s=DAY_S * ((at > 1) - 1) + 3_600,
        )  # fmt: skip
        put_outcomes(store, [sale])
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 3 * NS_PER_DAY)
    found = read_slope_cells(store, config, BASE_NS, BASE_NS + 3 * NS_PER_DAY, "converted").cells
    assert found.sums[:, OUTCOME].tolist() == [2.0, 1.0]
    assert found.sums[:, BEFORE].tolist() == [0.0, 0.0]


def test_largest_sales_count_as_the_smallest_of_them(store: Connections) -> None:
    """400 of 10 USD and one of 9,000: it counts 10, and 8,990 of 13,000 are in no estimate."""
    names = [f"s{at}" for at in range(401)]
    put_spans(store, [each for at, name in enumerate(names) for each in decision(name, at, 100)])
    put_outcomes(
        store,
        [
            outcome(f"o{name}", decision_id=trace_id(name), margin="9000" if not at else "10")
            for at, name in enumerate(names)
        ],
    )
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    found = read_slope_cells(store, config, BASE_NS, BASE_NS + 60 * NS_PER_S, "margin").cells
    assert found.sums[:, OUTCOME].sum() == 4_010.0
    np.testing.assert_allclose(found.cut_off, 8_990 / 13_000)
    # What was taken back hides nothing of it: 8,990 more are left open, of 4,010 that are left.
    put_spans(store, decision("back", 500, received_s=150))
    back = [
        outcome("back-sale", decision_id=trace_id("back"), margin="0.000001", received_s=150),
        outcome(
            "back-refund",
            decision_id=trace_id("back"),
            margin="9000",
            kind="refund",
            received_s=150,
        ),
    ]
    put_outcomes(store, back)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)
    found = read_slope_cells(store, config, BASE_NS, BASE_NS + 60 * NS_PER_S, "margin").cells
    np.testing.assert_allclose(found.cut_off, 2 * 8_990 / 4_000, rtol=1e-6)
    sales = read_slope_cells(store, config, BASE_NS, BASE_NS + 60 * NS_PER_S, "converted").cells
    assert (sales.sums[:, OUTCOME].sum(), sales.cut_off) == (402.0, 0.0)
