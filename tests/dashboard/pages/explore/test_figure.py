from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.core.times import NS_PER_MS, NS_PER_S
from dashboard.pages.explore.figure import MODES, cell_words, heatmap
from dashboard.read.decisions.brush import Brush
from dashboard.read.decisions.listing import HeatCell
from dashboard.read.rows import Range
from dashboard.units import Zone

SEEN = Range(0, 100 * NS_PER_S)
CELLS = st.lists(
    st.builds(
        HeatCell,
        column_ns=st.integers(0, 99).map(lambda s: s * NS_PER_S),
        bucket=st.integers(0, 320),
        decisions=st.integers(1, 10**6),
        late=st.integers(0, 9),
        unvalued=st.just(0),
        loss_usd=st.one_of(st.none(), st.decimals(0, 10**6, places=6)),
    ),
    max_size=30,
    unique_by=lambda cell: (cell.column_ns, cell.bucket),
)
BRUSHES = st.builds(
    Brush,
    st.none(),
    st.none(),
    st.one_of(st.none(), st.floats(0, 10)),
    st.one_of(st.none(), st.floats(11, 1e8)),
)


@given(cells=CELLS, mode=st.sampled_from(list(MODES)), brush=BRUSHES)
def test_each_cell_is_drawn_once_in_each_mode(
    cells: list[HeatCell], mode: str, brush: Brush
) -> None:
    """What is not drawn is not brushed; and the box lies inside the figure."""
    figure = heatmap(cells, mode, SEEN, NS_PER_S, 80 * NS_PER_MS, brush, Zone().axis(SEEN.to_ns))
    texts = [text for trace in figure["data"] for row in trace["text"] for text in row if text]
    assert sorted(texts) == sorted(cell_words(cell, mode) for cell in cells)
    if cells:
        low, high = figure["layout"]["yaxis"]["range"]
        for shape in figure["layout"]["shapes"][1:]:
            assert low <= shape["y0"] <= shape["y1"] <= high


@pytest.mark.parametrize(
    ("mode", "loss", "unvalued", "words"),
    [
        ("", None, 3, "3 decisions"),
        ("late", None, 3, "2 late of 3 decisions"),
        ("dollars", None, 3, "3 decisions, what they lost is unknown"),
        ("dollars", "0", 0, "3 decisions, nothing lost"),
        ("dollars", "1.5", 1, "3 decisions, $1.50 lost, 1 of unknown value"),
    ],
)
def test_unknown_dollars_are_never_zero(
    mode: str, loss: str | None, unvalued: int, words: str
) -> None:
    """What nobody knows is not nothing."""
    amount = None if loss is None else Decimal(loss)
    assert cell_words(HeatCell(0, 200, 3, 2, unvalued, amount), mode) == words


def test_an_empty_range_says_what_to_do_next() -> None:
    """A blank figure would leave a reader alone."""
    figure = heatmap([], "", SEEN, NS_PER_S, 1, Brush(), Zone().axis(SEEN.to_ns))
    assert "Widen the range" in figure["layout"]["annotations"][0]["text"]
