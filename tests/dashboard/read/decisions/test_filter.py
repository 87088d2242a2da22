"""What a page or a request asks for, and what of it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.errors import InputError
from dashboard.read.decisions.filter import DecisionFilter, Order, PageCursor, parse_cursor
from dashboard.read.rows import Range

ALL = Range(0, 1)


def test_segment_is_a_class_a_stage_or_both() -> None:
    """`slow in the store` is said as people say it."""
    assert DecisionFilter(ALL, segment="decision/store").places == [11]
    assert DecisionFilter(ALL, segment="store").places == [3, 7, 11, 15]
    assert DecisionFilter(ALL, segment="all").places == DecisionFilter(ALL).places == []
    with pytest.raises(InputError, match="names no segment"):
        _ = DecisionFilter(ALL, segment="stores").places


def test_order_that_is_none_is_refused() -> None:
    """It would be taken for another one."""
    with pytest.raises(InputError, match="give time, latency, segment, lost, value"):
        Order("price")


@given(st.integers(-1, 2**63 - 1), st.integers(0, 2**63 - 1), st.text(min_size=1, max_size=99))
def test_page_goes_on_where_the_one_before_ended(key: int, at_ns: int, name: str) -> None:
    """An id may hold anything, the mark between the parts too."""
    after = PageCursor("lost", True, key, at_ns, name)
    assert parse_cursor(str(after)) == after
    for sort, ascending in (("lost", False), ("time", True)):
        with pytest.raises(InputError, match="in another order"):
            Order(sort, ascending, after)


@pytest.mark.parametrize(
    "odd", ["x", "1~2~a", "time~asc~1~2~", "~~~~~", f"time~asc~{'9' * 19}~1~a", "time~up~1~1~a"]
)
def test_place_that_no_page_gave_is_refused(odd: str) -> None:
    """It comes out of an address, which anybody may write."""
    with pytest.raises(InputError, match="is not where a page ended"):
        parse_cursor(odd)
    assert parse_cursor("") is None
