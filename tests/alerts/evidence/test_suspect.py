from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.evidence.suspect import Baseline, SegmentTimes, find_suspect, path_now, pool
from attribution.core.segments import SEGMENTS

MS = 1_000_000.0
STORE = SEGMENTS.index(("decision", "store"))
NETWORK = SEGMENTS.index(("egress", "network"))


def times(decisions: int = 200, noise_ms: float = 1.0, **extra_ms: float) -> SegmentTimes:
    """Return 2 ms in every segment, and what is named on top: `decision_store=120`."""
    means = [
        (2 + extra_ms.get(f"{stage}_{latency_class}", 0)) * MS for stage, latency_class in SEGMENTS
    ]
    return SegmentTimes(decisions, tuple(means), ((noise_ms * MS) ** 2,) * len(SEGMENTS))


@pytest.mark.parametrize(
    ("during", "before", "segment"),
    [
        pytest.param(times(decision_store=120), times(), "decision/store", id="a slow store"),
        pytest.param(times(egress_network=9), times(), "egress/network", id="a slow network"),
        pytest.param(times(), times(), None, id="nothing changed"),
        pytest.param(times(decision_store=0.1), times(noise_ms=5), None, id="within the noise"),
        pytest.param(
            times(decision_store=0.2), times(noise_ms=0), None, id="exact, but too little to matter"
        ),
        pytest.param(
            times(**{f"{s}_{c}": 50 for s, c in SEGMENTS}), times(), None, id="everything at once"
        ),
        pytest.param(
            times(decision_store=120), times(decisions=3), None, id="too little is known of before"
        ),
        pytest.param(
            times(decisions=3, decision_store=120), times(), None, id="too few are affected"
        ),
        pytest.param(times(), times(decision_store=120), None, id="it became faster"),
    ],
)
def test_segment_that_stands_out(
    during: SegmentTimes, before: SegmentTimes, segment: str | None
) -> None:
    """Blame is a claim: it needs a change that is real, large, and one segment's own."""
    found = find_suspect(during, [Baseline("before", before)])

    assert (found.segment if found else None) == segment


@pytest.mark.parametrize("always_ms", [0, 60])
def test_rare_timeouts_of_another_segment_hide_no_cause(always_ms: int) -> None:
    """The network is 40 ms slower; 0.5 % of store calls take 30 s, as ever.

    Of 300 decisions the mean of the store is off by some 100 ms: it was named, or nothing was, or
    how much slower it always is than in other regions.
    """

    def seen(source: np.random.Generator, decisions: int, network_ms: int) -> SegmentTimes:
        ms = source.lognormal(3.0, 0.5, (decisions, len(SEGMENTS)))
        ms[:, NETWORK] += network_ms
        ms[:, STORE] += always_ms + 30_000 * (source.random(decisions) < 0.005)
        return SegmentTimes(decisions, tuple((ms * MS).mean(axis=0)), tuple((ms * MS).var(axis=0)))

    named = Counter[str]()
    for seed in range(100):
        source = np.random.default_rng(seed)
        before = Baseline("before", seen(source, 3_000, 0))
        elsewhere = Baseline("in other regions", times(300, noise_ms=20))
        found = find_suspect(seen(source, 300, 40), [before, elsewhere])
        named[f"{found.segment} {found.baseline}" if found else ""] += 1
    assert named["egress/network before"] >= 98, named


@pytest.mark.parametrize(("decisions", "least"), [(20, 90), (40, 97)])
def test_slower_segment_is_named_and_not_the_steady_one_beside_it(
    decisions: int, least: int
) -> None:
    """The store varies as ever and takes 150 ms more; by it the network takes 30 ms more."""

    def seen(source: np.random.Generator, decisions: int, *, is_slow: bool) -> SegmentTimes:
        ms = np.full((decisions, len(SEGMENTS)), 2.0)
        ms[:, STORE] = source.lognormal(np.log(30), 1.2, decisions) + 150 * is_slow
        ms[:, NETWORK] = source.normal(10, 1, decisions) + 30 * is_slow
        return SegmentTimes(decisions, tuple((ms * MS).mean(axis=0)), tuple((ms * MS).var(axis=0)))

    named = Counter[str]()
    for seed in range(100):
        source = np.random.default_rng(seed)
        before = Baseline("before", seen(source, 10 * decisions, is_slow=False))
        found = find_suspect(seen(source, decisions, is_slow=True), [before])
        named[found.segment if found else ""] += 1
    assert named["decision/store"] >= least, named


def test_excess_is_the_mean_a_decision() -> None:
    """The page shows this figure beside the segment."""
    found = find_suspect(times(decision_store=120), [Baseline("before", times())])

    assert found is not None
    assert found.excess_ns == 120_000_000


def test_fault_that_hits_a_twentieth_of_the_window_is_blamed() -> None:
    """At the first instant of an incident most of the window is still from before it."""
    means, variances = list(times().mean_ns), list(times().variance_ns2)
    means[STORE] += 0.05 * 120 * MS
    variances[STORE] += 0.05 * 0.95 * (120 * MS) ** 2
    mixed = SegmentTimes(200, tuple(means), tuple(variances))

    found = find_suspect(mixed, [Baseline("before", times())])

    assert found is not None
    assert found.segment == "decision/store"


def test_other_regions_serve_where_before_shows_nothing() -> None:
    """After a restart in mid-incident, what was before is the incident itself."""
    during = times(decision_store=120)

    found = find_suspect(
        during, [Baseline("before", during), Baseline("in other regions", times())]
    )

    assert found is not None
    assert (found.segment, found.baseline) == ("decision/store", "in other regions")


def test_pool_weighs_by_decisions_and_keeps_the_spread_between() -> None:
    """Two regions that differ are a wide baseline, not a precise one in the middle."""
    pooled = pool([times(100, noise_ms=0), times(300, noise_ms=0, egress_network=4)])

    assert pooled.decisions == 400
    assert pooled.mean_ns[NETWORK] == pytest.approx(5 * MS)
    assert pooled.variance_ns2[NETWORK] == pytest.approx(3 * MS**2)


def test_pool_of_nothing_describes_nothing() -> None:
    """The only region of an action has no other to be compared with."""
    assert find_suspect(times(decision_store=120), [Baseline("in other regions", pool([]))]) is None


@given(
    st.lists(st.floats(0, 1e9), min_size=16, max_size=16),
    st.lists(st.floats(0, 1e9), min_size=16, max_size=16),
    st.integers(0, 1_000),
)
def test_blamed_segment_has_the_largest_excess(
    during: list[float], before: list[float], decisions: int
) -> None:
    """Whatever the times: the one that is named grew most, by a nanosecond at least."""
    still = (0.0,) * 16
    found = find_suspect(
        SegmentTimes(decisions, tuple(during), still),
        [Baseline("before", SegmentTimes(decisions, tuple(before), still))],
    )

    excesses = [now - then for now, then in zip(during, before, strict=True)]
    if found is not None:
        assert found.excess_ns == round(max(excesses)) >= 1
        assert excesses[SEGMENTS.index((found.stage, found.latency_class))] == max(excesses)


def test_path_says_what_decisions_do_now_and_did_before() -> None:
    """A responder sees the whole path, and not the segment alone that is blamed."""
    path = path_now(times(decision_store=120), [Baseline("before", times())], "before")
    assert path.text == (
        "path 152.0 ms, 32.0 before: ingress 8.0 (8.0), transform 8.0 (8.0),"
        " decision 128.0 (8.0), egress 8.0 (8.0)"
    )


def test_path_is_compared_with_what_the_suspect_stands_out_from() -> None:
    """Two baselines in one message would contradict each other."""
    baselines = [Baseline("before", times()), Baseline("in other regions", times(decision_store=1))]
    assert path_now(times(), baselines, "in other regions").usual == "in other regions"
    assert path_now(times(), baselines, "").usual == "before"
    few = Baseline("before", times(decisions=3))
    alone = path_now(times(), [few], "")
    assert (alone.usual, alone.usual_ns) == ("", ())
    assert alone.text == ("path 32.0 ms: ingress 8.0, transform 8.0, decision 8.0, egress 8.0")
