from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.compact.trees import CompactTrees, no_trees
from attribution.core.segments import CLASSES, SEGMENTS, STAGES, UNTRACED
from attribution.whatif.replay import Change, Replay
from tests.support.attribution.replay import MS, odd_trees, trees_of
from tests.support.attribution.spans_builder import R, S


def segments_of(*names: str) -> frozenset[int]:
    """Return the segments of these classes."""
    return frozenset(index for index, (_, name) in enumerate(SEGMENTS) if name in names)


def plain_latency(trees: CompactTrees, at: int, scale: list[float], call_ns: list[int]) -> int:
    """Replay one decision by the definition, one span at a time."""
    begin, until = int(trees.first[at]), int(trees.first[at + 1])
    bounds = [int(each) for each in trees.bounds_ns[:, at]]
    spans = range(until - begin)
    start = [int(each) for each in trees.offset_ns[begin:until]]
    length = [int(each) for each in trees.duration_ns[begin:until]]
    end = [a + b for a, b in zip(start, length, strict=True)]
    traits = [int(each) for each in trees.traits[begin:until]]
    parent = [int(each) for each in trees.parent[begin:until]]
    gap_to = min(max(start[0], bounds[0]), bounds[4]) if spans else bounds[4]
    total = sum(length for _, length in pieces(UNTRACED, bounds[0], gap_to, bounds, scale))
    if not spans:
        return total
    start[0] = min(max(start[0], bounds[0]), end[0])
    kept = {0}
    for child in spans[1:]:
        above = parent[child]
        start[child], end[child] = max(start[child], start[above]), min(end[child], end[above])
        fits = end[child] > start[child] or (end[child] == start[child] and length[child] == 0)
        if fits and above in kept and traits[child] >> 5:
            kept.add(child)

    def precedes(b: int, c: int) -> bool:
        same_instant = start[b] == end[b] == start[c] == end[c]
        return b != c and end[b] <= start[c] and (b < c or not same_instant)

    def new_length(u: int) -> int:
        stage = (traits[u] >> 2 & 7) - 1
        if stage < 0:
            stage = sum(start[u] >= each for each in bounds[1:4])
        left = call_ns[stage * len(CLASSES) + (traits[u] & 3)]
        children = sorted((start[c], c) for c in kept if c and parent[c] == u)
        new_end: dict[int, int] = {}
        for begins, c in sorted(children, key=lambda each: (each[0], end[each[1]], each[1])):
            before = [b for _, b in children if precedes(b, c)]
            from_ns = max([end[b] for b in before], default=start[u])
            gap = sum(each for _, each in pieces(traits[u], from_ns, begins, bounds, scale))
            taken = min(left, gap)
            left -= taken
            new_end[c] = max([new_end[b] for b in before], default=0) + gap - taken + new_length(c)
        last = max([end[c] for _, c in children], default=start[u])
        tail = sum(each for _, each in pieces(traits[u], last, end[u], bounds, scale))
        return max(new_end.values(), default=0) + tail - min(left, tail)

    return total + new_length(0)


def pieces(
    traits: int, from_ns: int, to_ns: int, bounds: list[int], scale: list[float]
) -> list[tuple[int, int]]:
    """Return segment and new length of each piece of a gap."""
    sent, latency_class = (traits >> 2 & 7) - 1, traits & 3
    found = []
    for stage in range(len(STAGES)):
        cut = min(to_ns, bounds[stage + 1]) - max(from_ns, bounds[stage])
        if sent >= 0:
            cut = to_ns - from_ns if sent == stage else 0
        if cut > 0:
            segment = stage * len(CLASSES) + latency_class
            found.append((segment, int(cut * scale[segment])))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_replay_without_a_change_gives_every_latency_back(seed: int) -> None:
    """A what-if whose nought is not nought would sell an error of its own as a saving."""
    trees = odd_trees(seed, 300)
    latency_ns = trees.bounds_ns[-1] - trees.bounds_ns[0]
    assert (Replay(trees).latencies([]) == latency_ns).all()
    unchanged = Change(frozenset(range(16)), scale=1.0, floor_ns=10**12)
    assert (Replay(trees).latencies([unchanged]) == latency_ns).all()


@pytest.mark.parametrize("seed", range(8))
def test_replay_equals_the_definition_on_odd_trees(seed: int) -> None:
    """Two programs that share no code agree to the nanosecond under random changes."""
    rng = random.Random(1_000 + seed)
    trees = odd_trees(seed, 120)
    changes = [
        Change(
            frozenset(rng.sample(range(16), rng.randint(1, 16))),
            scale=rng.choice([0.0, 0.25, 0.5, 0.9, 1.0, 1.5]),
            call_ns=rng.choice([0, 0, 1, 5]),
        )
        for _ in range(rng.randint(1, 3))
    ]
    scale, call_ns = [1.0] * 16, [0] * 16
    for change, segment in itertools.product(changes, range(16)):
        if segment in change.segments:
            scale[segment] *= change.scale
            call_ns[segment] += change.call_ns
    wanted = [plain_latency(trees, index, scale, call_ns) for index in range(len(trees))]
    assert Replay(trees).latencies(changes).tolist() == wanted


@given(seed=st.integers(0, 400), scale=st.floats(0, 1), cut=st.integers(0, 50))
def test_less_time_anywhere_never_makes_a_decision_slower(
    seed: int, scale: float, cut: int
) -> None:
    """Otherwise the page would advise against an improvement."""
    trees = odd_trees(seed, 10)
    change = Change(frozenset(range(seed % 16, 16)), scale, cut, decision_ns=cut)
    before = trees.bounds_ns[-1] - trees.bounds_ns[0]
    after = Replay(trees).latencies([change])
    assert (after <= before).all()
    assert (after >= 0).all()


def test_time_saved_beside_the_critical_path_saves_nothing() -> None:
    """The store call is 30 ms of 100, but the network call beside it took 60."""
    spans = [
        S(1, start=0, end=100 * MS, kind="Server"),
        S(2, 1, 10 * MS, 70 * MS, kind="Client"),
        S(3, 1, 10 * MS, 40 * MS, kind="Client", is_store=True),
    ]
    replay = Replay(trees_of(spans, R(end=100 * MS)))
    store, network = segments_of("store"), segments_of("network")
    assert replay.latencies([Change(store, 0.5)]).tolist() == [100 * MS]
    # Beyond 30 ms of saving the store call is what is waited for.
    assert replay.latencies([Change(network, 0.0)]).tolist() == [70 * MS]
    assert replay.latencies([Change(network, 0.0), Change(store, 0.5)]).tolist() == [55 * MS]


def test_a_cut_by_call_is_taken_off_every_call_and_by_decision_once() -> None:
    """Two store calls in turn, 20 ms each: "10 ms a call" and "10 ms a decision" differ."""
    spans = [
        S(1, start=0, end=100 * MS, kind="Server"),
        S(2, 1, 10 * MS, 30 * MS, kind="Client", is_store=True),
        S(3, 1, 40 * MS, 60 * MS, kind="Client", is_store=True),
    ]
    replay = Replay(trees_of(spans, R(end=100 * MS)))
    store = segments_of("store")
    assert replay.latencies([Change(store, call_ns=10 * MS)]).tolist() == [80 * MS]
    assert replay.latencies([Change(store, call_ns=50 * MS)]).tolist() == [60 * MS]
    assert replay.latencies([Change(store, decision_ns=10 * MS)]).tolist() == [90 * MS]
    assert replay.latencies([Change(store, floor_ns=10 * MS)]).tolist() == [70 * MS]


def test_a_decision_without_spans_is_replayed_as_untraced_time() -> None:
    """Its root may come late; until then its latency is known and nothing in it is."""
    trees = trees_of([S(9, start=0, end=5, trace=4)], R(end=100))
    assert len(trees.parent) == 0
    untraced = segments_of("untraced")
    assert Replay(trees).latencies([Change(untraced, 0.5)]).tolist() == [50]
    assert Replay(trees).latencies([Change(segments_of("store"), 0.0)]).tolist() == [100]


def test_no_decisions_are_replayed_as_none() -> None:
    """An empty window is an answer too."""
    trees = no_trees()
    assert Replay(trees).latencies([Change(segments_of("store"), 0.5)]).tolist() == []
