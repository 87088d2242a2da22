from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.segments import SEGMENTS
from attribution.whatif.recovery import (
    PathSection,
    Recovered,
    Recovery,
    pieces_of,
    recovered,
    summary_of,
)

STORE = SEGMENTS.index(("decision", "store"))
COMPUTE = SEGMENTS.index(("decision", "compute"))
BOUNDS = [0, 10, 20, 80, 100]


def test_sections_are_cut_at_the_stamps_unless_their_span_says_its_stage() -> None:
    """A root without a stage runs through all of them; a child stays in its own."""
    pieces = pieces_of(
        [PathSection("compute", "", 5, 30), PathSection("store", "decision", 30, 90)], BOUNDS
    )
    assert [(SEGMENTS[at], from_ns, to_ns) for at, from_ns, to_ns in pieces] == [
        (("ingress", "compute"), 5, 10),
        (("transform", "compute"), 10, 20),
        (("decision", "compute"), 20, 30),
        (("decision", "store"), 30, 90),
    ]


def test_delay_is_recovered_where_its_own_stretch_went() -> None:
    """40 of 50 ns went to the store; ten were taken for compute."""
    got = recovered(STORE, [(30, 50), (60, 90)], [(STORE, 30, 80), (COMPUTE, 80, 90)])
    assert got == Recovered(injected_ns=50, found_ns=40, is_right=True)
    assert got.error_ratio == pytest.approx(0.2)
    wrong = recovered(COMPUTE, [(30, 50)], [(STORE, 30, 80)])
    assert wrong == Recovered(injected_ns=20, found_ns=0, is_right=False)


@given(
    cuts=st.lists(st.integers(0, 100), min_size=1, max_size=6),
    owners=st.lists(st.integers(0, 15), min_size=7, max_size=7),
    delay=st.tuples(st.integers(0, 99), st.integers(1, 50)),
)
def test_what_a_path_covers_is_found_somewhere(
    cuts: list[int], owners: list[int], delay: tuple[int, int]
) -> None:
    """Over all segments the whole delay is found once, and only the greatest part is right."""
    edges = [0, *sorted(cuts), 150]
    pieces = [
        (owner, from_ns, to_ns)
        for owner, from_ns, to_ns in zip(owners, edges, edges[1:], strict=False)
    ]
    stretch = [(delay[0], delay[0] + delay[1])]
    by_segment = [recovered(index, stretch, pieces) for index in range(16)]
    assert sum(each.found_ns for each in by_segment) == delay[1]
    greatest = max(each.found_ns for each in by_segment)
    assert all(each.is_right == (each.found_ns == greatest) for each in by_segment)


def test_summary_of_none_is_unknown() -> None:
    """No decision, no ratio: never a perfect one."""
    assert summary_of([]) == Recovery(0, None, None, None)
    got = summary_of([Recovered(100, 100, is_right=True), Recovered(100, 40, is_right=False)])
    assert (got.decisions, got.right_segment_ratio) == (2, 0.5)
    assert got.error_ratio_p50 == pytest.approx(0.3)
