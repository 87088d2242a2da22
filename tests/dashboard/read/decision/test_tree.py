"""The order of the spans of a decision, and which of very many are left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.read.decision.tree import dearest, path_node, tree_order
from dashboard.read.rows import PathSpan
from tests.support.examples import examples

ONE = PathSpan("t", "0", "", "s", "n", "Server", 0, 1, 0, 0, 1, 0, "", "", [])


def some_spans(parents: list[int]) -> list[PathSpan]:
    """Return a span for each parent, of which -1 and what is not there are any sender's mistake."""
    return [
        replace(
            ONE, span_id=str(place), parent_span_id=str(parent), start_ns=place, self_ns=place % 3
        )
        for place, parent in enumerate(parents)
    ]


@settings(max_examples=examples(200))
@given(st.lists(st.integers(-1, 12), max_size=12))
def test_every_span_is_shown_once_whatever_its_parent(parents: list[int]) -> None:
    """Orphans and rings of parents come from real senders; no span may vanish."""
    spans = some_spans(parents)
    shown = [span.span_id for _, span in tree_order(spans, path_node)]
    assert sorted(shown) == sorted(span.span_id for span in spans)


@settings(max_examples=examples(200))
@given(st.lists(st.integers(-1, 12), max_size=12))
def test_depth_grows_by_one_at_the_most(parents: list[int]) -> None:
    """What is drawn folds a span away with what follows it and is deeper."""
    depths = [depth for depth, _ in tree_order(some_spans(parents), path_node)]
    assert depths[:1] in ([], [0])
    assert all(later <= before + 1 for before, later in pairwise(depths))


@settings(max_examples=examples(200))
@given(st.lists(st.integers(-1, 40), max_size=40), st.integers(1, 45))
def test_as_many_are_kept_as_have_room(parents: list[int], most: int) -> None:
    """The room is used, whatever hangs where."""
    spans = some_spans(parents)
    kept = dearest(spans, most)
    assert len(kept) == min(most, len(spans))
    ids = {span.span_id for span in kept}
    assert kept == [span for span in spans if span.span_id in ids], "in their order"


def test_of_many_spans_the_dearest_are_kept_with_what_called_them() -> None:
    """Nobody scrolls through a hundred thousand; a ring of parents ends the way up."""
    tops = [replace(ONE, span_id=f"t{at}", self_ns=0) for at in range(500)]
    deep = [
        replace(ONE, span_id=f"d{at}", parent_span_id=f"d{at - 1}" if at else "", self_ns=at)
        for at in range(300)
    ]
    call = replace(ONE, span_id="call", parent_span_id="t7", self_ns=1_000)
    ring = [
        replace(ONE, span_id=own, parent_span_id=other, self_ns=2_000)
        for own, other in (("r1", "r2"), ("r2", "r1"))
    ]
    kept = [span.span_id for span in dearest([*tops, *deep, call, *ring], 200)]
    assert len(kept) == 200
    assert {"call", "t7", "r1", "r2"} <= set(kept), "the longest, and who called"
    assert {f"d{at}" for at in range(150)} <= set(kept), "of a chain that is too long, its begin"
