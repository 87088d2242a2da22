"""What a window of time has again, and the one before it had."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from attribution.jobs.seen_rows import SeenRows
from attribution.path.columns import Table

HASHES = st.lists(st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1]))


def _window(hashes: list[int]) -> Table:
    """Return rows in two pieces, as the engine answers."""
    half = len(hashes) // 2
    pieces = [np.array(each, np.uint64) for each in (hashes[:half], hashes[half:])]
    return pa.table({"row_hash": pa.chunked_array([pa.array(each) for each in pieces])})


def _new(seen: SeenRows, hashes: list[int]) -> tuple[list[int], SeenRows]:
    rows, seen = seen.new_rows(_window(hashes))
    return rows["row_hash"].to_pylist(), seen


@given(before=HASHES, now=HASHES, forgotten=HASHES)
def test_rows_of_the_window_before_are_no_news_but_those_forgotten(
    before: list[int], now: list[int], forgotten: list[int]
) -> None:
    """Each row that is there twice counts by itself, and one window is remembered."""
    rows, seen = _new(SeenRows(), before)
    assert rows == before
    rows, seen = _new(seen.without(_window(forgotten)), now)
    assert rows == [each for each in now if each not in set(before) - set(forgotten)]
    assert _new(seen, before)[0] == [each for each in before if each not in set(now)]
