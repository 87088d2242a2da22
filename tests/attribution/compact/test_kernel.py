from __future__ import annotations

import random
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from attribution.compact import kernel
from attribution.compact.kernel import Split
from attribution.compact.trees import CompactTrees, Packed, is_long
from attribution.path.assemble import Trees
from attribution.path.oracle import plain_path
from attribution.path.spans import Ints
from tests.support.attribution.critical_path import SKEW_MAX_NS, random_trace
from tests.support.attribution.kernel import packed, stamped
from tests.support.attribution.spans_builder import R, S
from tests.support.examples import examples

KERNELS, SEGMENTS = {"numpy": kernel.split}, {"numpy": kernel.segments}
if find_spec("numba") is not None:  # the extra `accel`
    from attribution.compact import kernel_numba

    KERNELS["numba"], SEGMENTS["numba"] = kernel_numba.split, kernel_numba.segments


@pytest.mark.drawn
def test_kernels_equal_the_long_way_and_the_plain_one() -> None:
    """Three programs and the oracle agree to the nanosecond on 4,000 odd decisions."""
    for seed in range(examples(20)):
        rng = random.Random(seed)
        skew_max_ns = rng.choice([0, SKEW_MAX_NS, 10**9])
        pairs = [
            stamped(rng, *random_trace(rng, trace, 1_000 + trace % 5 * 300)) for trace in range(200)
        ]
        spans, roots = [s for each, _ in pairs for s in each], [r for _, r in pairs]
        trees, compact, long_way = packed(spans, roots, skew_max_ns)
        ours = {name: each(compact.trees) for name, each in KERNELS.items()}
        for name, got in ours.items():
            assert (long_way.segment_ns == got.segment_ns.T).all(), f"{name}, seed {seed}"
            assert (got.self_ns == ours["numpy"].self_ns).all(), f"{name}, seed {seed}"
            alone = SEGMENTS[name](compact.trees)
            assert (alone == got.segment_ns).all(), f"{name}, seed {seed}"
        by_span = self_times(trees, compact, ours["numpy"])
        for index, (own, root) in enumerate(pairs):
            if any(s.span_id == root.span_id for s in own):
                plain = plain_path(
                    [s.plain() for s in own], root.span_id, root.ingress or 0, skew_max_ns
                )
                wanted = {span: ns for span, ns in plain.self_ns.items() if ns}
                assert by_span[index] == wanted, f"seed {seed}, trace {index}"


def self_times(trees: Trees, compact: Packed, split: Split) -> list[dict[int, int]]:
    """Return the self times that are not 0 of each decision, by span id."""
    found: list[dict[int, int]] = [{} for _ in range(len(compact.trees))]
    for at in np.flatnonzero(split.self_ns).tolist():
        row = int(compact.row[at])
        found[int(trees.decision[row])][int(trees.span_id[row])] = int(split.self_ns[at])
    return found


@pytest.mark.parametrize("walk", KERNELS.values(), ids=KERNELS)
def test_decision_longer_than_32_bits_of_nanoseconds(walk: Callable[..., Split]) -> None:
    """4.29 s is no limit, and the short decision beside it is split as ever."""
    hour = 3_600 * 10**9
    spans = [
        S(1, 0, 0, hour), S(2, 1, 5 * 10**9, hour - 7, "Client"),
        S(1, 0, 0, 100, trace=1), S(2, 1, 10, 40, "Client", trace=1),
    ]  # fmt: skip
    _, compact, long_way = packed(spans, [R(1, 0, hour), R(1, 0, 100, trace=1, code=1)])
    assert is_long(compact.trees).tolist() == [True, False]
    got = walk(compact.trees)
    assert (long_way.segment_ns == got.segment_ns.T).all()
    assert got.segment_ns.sum(axis=0).tolist() == [hour, 100]
    assert sorted(got.self_ns.tolist()) == [30, 70, 5 * 10**9 + 7, hour - 5 * 10**9 - 7]


@pytest.mark.parametrize("walk", KERNELS.values(), ids=KERNELS)
def test_order_of_siblings_is_not_taken_on_trust(walk: Callable[..., Split]) -> None:
    """Columns that were stored in another order of time give the same path."""
    rng = random.Random(5)
    spans = [S(1, 0, 0, 1000)]
    for span_id in range(2, 60):
        start = rng.randint(0, 900)
        spans.append(S(span_id, 1, start, start + rng.randint(0, 90)))
    trees = packed(spans, [R(1, 0, 1000)])[1].trees
    mixed = np.concatenate([[0], 1 + np.random.default_rng(5).permutation(58)])
    shuffled = CompactTrees(
        trees.first, trees.parent, trees.offset_ns[mixed], trees.duration_ns[mixed],
        trees.traits[mixed], trees.bounds_ns,
    )  # fmt: skip
    got, wanted = walk(shuffled), walk(trees)
    assert (got.segment_ns == wanted.segment_ns).all()
    assert sorted(got.self_ns.tolist()) == sorted(wanted.self_ns.tolist())


@pytest.mark.parametrize("walk", KERNELS.values(), ids=KERNELS)
def test_deep_and_wide_decisions(walk: Callable[..., Split]) -> None:
    """Ten thousand spans in one line, and under one parent."""
    count = 10_000
    deep = [S(index, index - 1, index, 3 * count - index) for index in range(1, count + 1)]
    wide = [S(1, 0, 0, count, trace=1)]
    wide += [S(index, 1, index, index + 1, trace=1) for index in range(2, count)]
    roots = [R(1, 1, 3 * count - 1), R(1, 0, count, trace=1, code=1)]
    _, compact, long_way = packed(deep + wide, roots)
    assert (long_way.segment_ns == walk(compact.trees).segment_ns.T).all()


@pytest.mark.parametrize("walk", KERNELS.values(), ids=KERNELS)
def test_nothing_in_nothing_out(walk: Callable[..., Split]) -> None:
    """A window without decisions."""
    _, compact, _ = packed([], [])
    got = walk(compact.trees)
    assert (got.segment_ns.shape, len(got.self_ns)) == ((16, 0), 0)


def test_spans_of_a_decision_lie_by_depth_with_siblings_together() -> None:
    """What the kernels rest on: parents ascend, and equal siblings by falling span id."""
    spans = [S(1), S(5, 1, 10, 20), S(4, 1, 10, 20), S(3, 1, 30, 40), S(2, 5, 12, 14), S(6, 3, 31)]
    trees, compact, _ = packed(spans, [R()])
    ids: Ints = trees.span_id[compact.row].astype(np.int64)
    assert ids.tolist() == [1, 5, 4, 3, 2, 6]
    assert compact.trees.parent.tolist() == [0, 0, 0, 0, 1, 3]
