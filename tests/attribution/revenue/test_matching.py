from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Final

import pytest

from attribution.revenue.matching import DecisionReference, latest_begin_ns, match_outcomes
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from tests.conftest import NOW_NS
from tests.support.examples import examples

_NOON_NS: Final = NOW_NS - NOW_NS % NS_PER_DAY + NS_PER_DAY // 2


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
    named = [
        DecisionReference(decision_id, "s", event_ns, event_ns, False, True)
        for decision_id, event_ns in sales
    ]
    found = match_outcomes([DecisionReference("", "s", 28, 28, True, False), *named], candidates)
    assert found[0] == candidates[expected][:2]


def _end_ns(event_ns: int) -> int:
    """Return the first ns after what the shortest text of a time names."""
    seconds, rest = divmod(event_ns, NS_PER_S)
    text = f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S}.{rest:09}"
    for ending, unit_ns in (
        ("00:00:00.000000000", NS_PER_DAY),
        (":00.000000000", NS_PER_MINUTE),
        (".000000000", NS_PER_S),
        ("000000", 1_000_000),
        ("000", 1_000),
    ):
        if text.endswith(ending):
            return event_ns + unit_ns
    return event_ns + 1


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(50)))
def test_key_is_of_the_last_that_began_within_what_is_written(seed: int) -> None:
    """Times of every length, of decisions and outcomes that came at any time."""
    draw = random.Random(seed)
    units = (1, 1_000, 1_000_000, NS_PER_S, NS_PER_MINUTE, NS_PER_HOUR, NS_PER_DAY)

    def when(unit_ns: int) -> int:
        around_ns = draw.choice((2, 5_000, 5_000_000, 5 * NS_PER_S, 5 * NS_PER_MINUTE, NS_PER_DAY))
        told_ns = _NOON_NS + draw.randrange(-around_ns, around_ns)
        return told_ns // unit_ns * unit_ns

    begins = sorted({when(1) for _ in range(20)})
    candidates = [(begin_ns, f"d{begin_ns}", "k") for begin_ns in begins]
    for _ in range(50):
        event_ns, received_ns = when(draw.choice(units)), when(1)
        expected = None
        for begin_ns, decision_id, _ in candidates:
            is_within = begin_ns < _end_ns(event_ns) and begin_ns <= received_ns + NS_PER_HOUR
            if begin_ns <= event_ns or is_within:
                expected = begin_ns, decision_id
        named = DecisionReference("", "k", event_ns, received_ns, False, True)
        assert match_outcomes([named], candidates) == [expected], (event_ns, received_ns)


@pytest.mark.parametrize(
    ("event_ns", "later_ns"),
    [
        pytest.param(_NOON_NS - NS_PER_DAY // 2, NS_PER_DAY - 1, id="a day"),
        pytest.param(_NOON_NS, NS_PER_MINUTE - 1, id="an hour is no unit"),
        pytest.param(_NOON_NS + NS_PER_S, NS_PER_S - 1, id="a second"),
        pytest.param(_NOON_NS + 7_000_000, 999_999, id="a millisecond"),
        pytest.param(_NOON_NS + 7_000, 999, id="a microsecond"),
        pytest.param(_NOON_NS + 7, 0, id="a nanosecond"),
    ],
)
def test_time_is_as_long_as_its_last_unit(event_ns: int, later_ns: int) -> None:
    """Long after the outcome came; before, an hour is left for clocks that differ."""
    assert latest_begin_ns(event_ns, event_ns + NS_PER_DAY) == event_ns + later_ns
    assert latest_begin_ns(event_ns, event_ns) == event_ns + min(later_ns, NS_PER_HOUR)
    assert latest_begin_ns(event_ns, event_ns - NS_PER_DAY) == event_ns
