"""A window in parts: every decision is in one of them, and there are not more than needed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from attribution.core.selection import Extent, in_parts
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE


@given(
    from_ns=st.integers(0, 2**61),
    length_ns=st.integers(1, 400 * NS_PER_DAY),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    decisions=st.integers(1, 10**10),
    at_once=st.integers(1, 10**7),
)
def test_parts_cover_the_decisions_and_no_more(
    from_ns: int, length_ns: int, ends: tuple[float, float], decisions: int, at_once: int
) -> None:
    """A window since 1970 takes no more statements than the month in which there are decisions."""
    first_ns, last_ns = sorted(from_ns + round(end * (length_ns - 1)) for end in ends)
    window = max(from_ns - 50 * 365 * NS_PER_DAY, 0), from_ns + length_ns
    at_once = max(at_once, decisions // 1_000)  # of more parts the test takes too long
    found = in_parts(window, Extent(decisions, first_ns, last_ns), at_once)
    assert found[0][0] <= first_ns
    assert found[-1][1] > last_ns
    assert [end for _, end in found[:-1]] == [begin for begin, _ in found[1:]]
    assert all(window[0] <= begin < end <= window[1] for begin, end in found)
    assert all((begin - window[0]) % NS_PER_MINUTE == 0 for begin, _ in found)
    longest_ns = max(end - begin for begin, end in found)
    assert len(found) <= 2 * (decisions // at_once + 1) or longest_ns <= 2 * NS_PER_MINUTE
