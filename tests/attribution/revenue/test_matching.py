from __future__ import annotations

import pytest

from attribution.revenue.matching import Named, match_outcomes


@pytest.mark.parametrize(
    ("sales", "expected"),
    [
        pytest.param([("", 15)], 0, id="the last that has a sale by the key"),
        pytest.param([("a", 15)], 0, id="the last that has a sale by its id"),
        pytest.param([("", 15), ("", 25)], 1, id="of two the later"),
        pytest.param([("c", 35)], 1, id="none that begins after the refund"),
        pytest.param([], 1, id="without a sale the last"),
    ],
)
def test_refund_by_key_is_of_a_decision_that_sold(
    sales: list[tuple[str, int]], expected: int
) -> None:
    """Decisions of one session begin at 10, 20 and 30; what was sold is taken back at 28."""
    candidates = [(10, "a", "s"), (20, "b", "s"), (30, "c", "s")]
    named = [Named(decision_id, "s", event_ns, False, True) for decision_id, event_ns in sales]
    found = match_outcomes([Named("", "s", 28, True, False), *named], candidates)
    assert found[0] == candidates[expected][:2]
