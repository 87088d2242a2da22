from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.jobs.attribution import AttributionJob
from attribution.vram.caches import CacheDecisions, spread
from attribution.vram.impact import ImpactJob
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, Stored, decision, put_spans


def asked(hit_ms: list[float], missed_ms: list[float], group: int = 0) -> CacheDecisions:
    """Return decisions of one lookup each."""
    ms = np.array([*hit_ms, *missed_ms])
    misses = np.array([0] * len(hit_ms) + [1] * len(missed_ms), np.int64)
    return CacheDecisions(
        np.full(len(ms), group, np.int64), np.rint(ms * NS_PER_MS).astype(np.int64),
        1 - misses, misses,
    )  # fmt: skip


def beside(one: CacheDecisions, other: CacheDecisions) -> CacheDecisions:
    """Return the decisions of both."""
    return CacheDecisions(
        *(
            np.concatenate([getattr(one, name), getattr(other, name)])
            for name in ("group", "total_ns", "hits", "misses")
        )
    )


def test_variance_is_split_between_and_within_by_hand() -> None:
    """150 hits of 10 and 12 ms, 50 misses of 50 and 52 ms.

    Within both the variance is 1; between them 0.75 x 0.25 x 40^2 = 300: 300 of 301 are explained.
    At 92 % hits it is 0.92 x 0.08 x 1,600 + 1 = 118.76, so 118.76 / 301 of now.
    """
    got = spread("c", asked([10, 12] * 75, [50, 52] * 25), 0.92)
    assert (got.hit_ratio, got.decisions_missed) == (0.75, 50)
    assert got.explained_ratio == pytest.approx(300 / 301)
    assert got.miss_adds_ms == pytest.approx(40.0)
    assert got.at_target is not None
    assert got.at_target.variance_ratio == pytest.approx(118.76 / 301)
    assert got.at_target.sd_ms == pytest.approx(118.76**0.5)
    assert (got.at_target.p95_ms, got.tail_missed_ratio) == (50.0, 1.0)
    assert got.verdict == "misses are slower"


def test_a_slow_region_that_misses_more_is_not_blamed_on_its_misses() -> None:
    """Misses take as long as hits, in a fast region of few and a slow one of many."""
    both = beside(asked([10, 12] * 50, [10, 12] * 20), asked([90, 92] * 20, [90, 92] * 50, group=1))
    got = spread("c", both, 0.92)
    assert got.miss_adds_ms == pytest.approx(0.0)
    assert got.explained_ratio == pytest.approx(0.0, abs=1e-9)
    assert got.verdict == "no difference found"


def test_another_hit_ratio_makes_no_far_region_near() -> None:
    """A near one hits, a far one misses, and a miss costs nothing: nothing would change."""
    rng = np.random.default_rng(1)
    near, far = rng.normal(40, 5, 4_000), rng.normal(300, 15, 1_800)
    both = beside(
        asked(near[80:].tolist(), near[:80].tolist()),
        asked(far[:90].tolist(), far[90:].tolist(), group=1),
    )
    got = spread("c", both, 0.99).at_target
    assert got is not None
    assert got.variance_ratio == pytest.approx(1.0, abs=0.03)
    assert got.p95_ms == pytest.approx(float(np.quantile([*near, *far], 0.95)), abs=3)
    assert got.left == 0
    assert got.reached_ratio == pytest.approx(0.99)


@pytest.mark.parametrize("target", [0.99, 0.1])
def test_a_region_that_never_does_otherwise_stays_as_it_is(target: float) -> None:
    """Of a region that cannot hit, or always does, nobody knows what the other would take."""
    moved = asked([10, 12] * 50, [50, 52] * 50)
    stays = asked([], [90.0] * 200, 1) if target > 0.5 else asked([90.0] * 200, [], 1)
    got = spread("c", beside(moved, stays), target).at_target
    assert got is not None
    assert got.left == 200
    # Half hit in the region that may change; misses, or hits, are fewer by the factor of all.
    now = 0.25 if target > 0.5 else 0.75
    factor = (1 - target) / (1 - now) if target > 0.5 else target / now
    changed = 0.5 * factor * 0.5
    expected = 0.5 - changed if target > 0.5 else 0.5 + changed
    assert got.reached_ratio == pytest.approx(expected)


@pytest.mark.parametrize("few", ["misses", "hits"])
def test_misses_of_no_effect_have_none_where_decisions_are_slow_now_and_then(few: str) -> None:
    """30 misses seldom hold one of the 0.5 % that take 30 s: 55 of 100 were said to be faster."""
    verdicts = Counter[str]()
    for seed in range(100):
        source = np.random.default_rng(seed)
        ms = source.lognormal(3.0, 0.5, 1_000)
        ms[source.random(1_000) < 0.005] = 30_000.0
        sides = [ms[30:].tolist(), ms[:30].tolist()]
        verdicts[spread("c", asked(*sides[:: 1 if few == "misses" else -1]), 0.92).verdict] += 1
    # Where one of the few is slow they are, and what is said of them is so, now and then.
    steady, slow = ("faster", "slower") if few == "misses" else ("slower", "faster")
    assert verdicts[f"misses are {steady}"] <= 5
    assert verdicts[f"misses are {slow}"] <= 20


def test_too_few_misses_explain_nothing() -> None:
    """29 of them: no interval, no share, no promise of another hit ratio."""
    got = spread("c", asked([10.0] * 200, [50.0] * 29), 0.92)
    assert (got.miss_adds_ms, got.explained_ratio, got.at_target) == (None, None, None)
    assert got.verdict == "n too small"
    assert got.missed is not None


@given(st.lists(st.floats(1, 1e4), min_size=60, max_size=200), st.integers(0, 2**16))
def test_explained_share_is_a_share_and_the_present_ratio_changes_nothing(
    ms: list[float], seed: int
) -> None:
    """At the share of decisions that hit now, the mixture is what there is."""
    rng = np.random.default_rng(seed)
    rng.shuffle(ms)
    cut = len(ms) // 2
    got = spread("c", asked(ms[:cut], ms[cut:]), cut / len(ms))
    assert got.explained_ratio is not None
    assert -1e-9 <= got.explained_ratio <= 1.0
    assert got.at_target is not None
    assert got.at_target.variance_ratio == pytest.approx(1.0)


def test_lookups_are_read_from_the_store_by_cache(store: Connections) -> None:
    """40 decisions hit both caches, 40 miss one and take 60 ms more; a 304 is a hit."""
    spans = []
    for index in range(80):
        is_missed = index >= 40
        name, hit = f"d{index}", "false" if is_missed else "true"
        spans += decision(name, 1_000 * index, 160 if is_missed else 100)
        spans += [
            Stored("hit", "root", 1_000 * index + 80, 2, "Client", name,
                   attributes={"cache.name": "offers", "cache.hit": hit}),
            Stored("same", "root", 1_000 * index + 84, 2, "Client", name, name="GET /price",
                   attributes={"http.response.status_code": "304"}),
            Stored("get", "root", 1_000 * index + 88, 2, "Client", name, name="GET",
                   attributes={"db.system": "redis", "server.address": "r", "server.port": "6379",
                               "cache.hit": "true"}),
        ]  # fmt: skip
    put_spans(store, spans)
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)
    window = Selection(BASE_NS, BASE_NS + 3600 * NS_PER_S)
    found = ImpactJob(config, store).caches(window, 0.92)
    assert (found.decisions, found.sampled_every) == (80, 1)
    offers, redis, price = found.caches
    assert (redis.cache, redis.lookups, redis.hit_ratio) == ("redis r:6379", 80, 1.0)
    assert (offers.cache, offers.lookups, offers.hit_ratio) == ("offers", 80, 0.5)
    assert (offers.miss_adds_ms, offers.explained_ratio) == (60.0, 1.0)
    # Named as the debt ledger names it, so that both are read together.
    assert (price.cache, price.hit_ratio, price.verdict) == ("shop GET /price", 1.0, "n too small")
