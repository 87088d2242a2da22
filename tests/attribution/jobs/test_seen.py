"""What a window of time has again, and the one before it had."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from attribution.jobs.seen import Seen
from attribution.path.columns import Table

HASHES = st.lists(st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1]))


def _window(hashes: list[int]) -> Table:
    """Return rows in two pieces, as the engine answers."""
    half = len(hashes) // 2
    pieces = [np.array(each, np.uint64) for each in (hashes[:half], hashes[half:])]
    return pa.table({"row_hash": pa.chunked_array([pa.array(each) for each in pieces])})


def _news(seen: Seen, hashes: list[int]) -> list[int]:
    found: list[int] = seen.news(_window(hashes))["row_hash"].to_pylist()
    return found


@given(before=HASHES, now=HASHES, forgotten=HASHES)
def test_rows_of_the_window_before_are_no_news_but_those_forgotten(
    before: list[int], now: list[int], forgotten: list[int]
) -> None:
    """Each row that is there twice counts by itself, and one window is remembered."""
    seen = Seen()
    assert _news(seen, before) == before
    seen.forget(_window(forgotten))
    assert _news(seen, now) == [each for each in now if each not in set(before) - set(forgotten)]
    assert _news(seen, before) == [each for each in before if each not in set(now)]
