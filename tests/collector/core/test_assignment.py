"""Which arm a unit is in: the same number for every reader, and ranges that leave no gap."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.assignment import DRAWS, arm_ends, draw, unit_digest
from tests.support.examples import examples


def test_draws_by_hand() -> None:
    """By `printf 'e1\\x1f5\\x1f<digest>' | sha256sum`, its first 14 digits."""
    unit = unit_digest("e1", "c1")
    assert unit == "c832f343ceed7b03"
    assert draw("e1", 5, unit) == 0x10867A5B9A211F
    others = {draw("e2", 5, unit), draw("e1", 6, unit), draw("e1", 5, unit_digest("e1", "c2"))}
    assert len(others | {draw("e1", 5, unit)}) == 4
    assert unit_digest("e2", "c1") != unit


@settings(max_examples=examples(200))
@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=8))
def test_arms_take_every_draw_once(weights: list[float]) -> None:
    """Ranges follow one another from 0 to DRAWS, each as wide as its share."""
    shares = [weight / sum(weights) for weight in weights]
    ends = arm_ends(shares)
    assert ends == sorted(ends)
    assert ends[-1] == DRAWS
    for share, first, end in zip(shares, [0, *ends], ends, strict=False):
        assert abs((end - first) / DRAWS - share) < 1e-12
