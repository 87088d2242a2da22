from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.whatif.answers import WhatIfAnswer, what_if_answer
from attribution.whatif.what_if import Dollars, Share, WhatIf
from tests.support.examples import examples


def answer(shares: Sequence[int], decisions: int, replayed: int) -> WhatIfAnswer:
    """Return what is told of parts that save so many millionths of a dollar."""
    whole, latency_ns = sum(shares), np.zeros(replayed, np.int64)
    done = WhatIf(
        latency_ns,
        latency_ns,
        Dollars(whole, whole, whole, 0),
        tuple(Share(f"p{index}", 0, each) for index, each in enumerate(shares)),
        is_exact=True,
    )
    return what_if_answer(decisions, done, 60.0, [], ["margin"], ("assumed", None))


def test_parts_of_a_cent_go_to_the_largest() -> None:
    """Three parts of 27.6, 27.6 and 27.8 cents were 0.84 of 0.83 dollars."""
    told = answer([276_000, 276_000, 278_000], 1, 1)
    assert [str(each.usd) for each in told.shares] == ["0.28", "0.27", "0.28"]
    assert told.money is not None
    assert str(told.money.usd) == "0.83"


@settings(max_examples=examples(200))
@given(
    st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=16),
    st.integers(1, 300),
    st.integers(1, 10**6),
)
def test_dollars_of_the_parts_sum_to_the_whole(
    shares: list[int], replayed: int, decisions: int
) -> None:
    """To the cent, whatever part of the decisions is replayed; each is less than a cent off."""
    told = answer(shares, decisions, replayed)
    assert told.money is not None
    assert sum(each.usd or 0 for each in told.shares) == told.money.usd
    for each, micros in zip(told.shares, shares, strict=True):
        exact = Decimal(micros) * decisions / replayed / 1_000_000
        assert abs((each.usd or 0) - exact) < Decimal("0.010001")
