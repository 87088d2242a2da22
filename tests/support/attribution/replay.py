"""What several tests of replay share."""

from __future__ import annotations

import random

from attribution.compact.trees import CompactTrees
from tests.support.attribution.critical_path import random_trace
from tests.support.attribution.kernel import packed, stamped
from tests.support.attribution.spans_builder import R, S

MS = 1_000_000


def trees_of(spans: list[S], root: R) -> CompactTrees:
    """Return the compact tree of one decision."""
    return packed(spans, [root])[1].trees


def odd_trees(seed: int, count: int) -> CompactTrees:
    """Return trees with skew, async spans, orphans, cycles, overlaps, ties, instants and stamps."""
    rng = random.Random(seed)
    pairs = [stamped(rng, *random_trace(rng, trace, 1_000)) for trace in range(count)]
    return packed([s for each, _ in pairs for s in each], [r for _, r in pairs], 10**9)[1].trees
