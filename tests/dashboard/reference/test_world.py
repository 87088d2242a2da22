from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dashboard.reference.world import (
    CHANNEL_SHARE,
    COHORT_SHARE,
    OFFER_BY_TYPE,
    REGION_SHARE,
    World,
    conversion,
    margin_per_ms_usd,
    slope_per_ms,
)

numbers = st.integers(min_value=0, max_value=1_000_000)
seeds = st.integers(min_value=0, max_value=2**32)
channels = st.sampled_from(list(CHANNEL_SHARE))
regions = st.sampled_from(list(REGION_SHARE))
cohorts = st.sampled_from(list(COHORT_SHARE))
offers = st.sampled_from(list(OFFER_BY_TYPE))
latencies_ms = st.floats(min_value=0, max_value=2_000)


@given(seeds, numbers, cohorts, offers, latencies_ms)
def test_same_world_gives_the_same_sale(
    seed: int, number: int, cohort: str, offer: str, latency_ms: float
) -> None:
    """A run can be repeated, by another process too."""
    first, second = World(seed), World(seed)
    visit = first.visit(number)
    assert second.visit(number) == visit
    assert second.sale(number, visit, cohort, offer, latency_ms) == first.sale(
        number, visit, cohort, offer, latency_ms
    )


@given(seeds, numbers, cohorts, offers, latencies_ms, latencies_ms)
def test_faster_answer_never_loses_a_sale(
    seed: int, number: int, cohort: str, offer: str, one_ms: float, other_ms: float
) -> None:
    """The same customer, faster and slower: what latency costs is exactly the difference."""
    world = World(seed)
    visit = world.visit(number)
    faster = world.sale(number, visit, cohort, offer, min(one_ms, other_ms))
    slower = world.sale(number, visit, cohort, offer, max(one_ms, other_ms))
    assert faster.converted >= slower.converted
    if slower.converted:
        assert faster == slower


@given(seeds, numbers, cohorts, offers)
def test_what_is_not_sold_earns_nothing(seed: int, number: int, cohort: str, offer: str) -> None:
    """Margin is a part of revenue, in cents."""
    world = World(seed)
    visit = world.visit(number)
    sale = world.sale(number, visit, cohort, offer, 40.0)
    assert sale.converted == (sale.revenue_usd > 0) == (sale.margin_usd > 0)
    assert sale.margin_usd <= sale.revenue_usd
    assert sale.revenue_usd == sale.revenue_usd.quantize(Decimal("0.01"))


@given(channels, regions, cohorts, offers, latencies_ms)
def test_margin_per_ms_is_the_slope_of_the_expected_margin(
    channel: str, region: str, cohort: str, offer: str, latency_ms: float
) -> None:
    """The truth that an estimate is compared with is the derivative of what is sampled."""
    step_ms = 0.01
    margin = float(OFFER_BY_TYPE[offer].margin_usd) * 1.2
    higher = conversion(channel, region, cohort, offer, latency_ms + step_ms)
    lower = conversion(channel, region, cohort, offer, latency_ms - step_ms)
    numeric = (higher - lower) / (2 * step_ms) * margin
    exact = margin_per_ms_usd(channel, region, cohort, offer, latency_ms)
    assert exact < 0
    assert abs(numeric - exact) < 1e-6 + 1e-4 * abs(exact)
    assert slope_per_ms(channel, region) < 0


def test_shares_are_kept() -> None:
    """The traffic is made of the customers that the world says."""
    world = World(7)
    visits = [world.visit(number) for number in range(20_000)]
    for share, counts in (
        (REGION_SHARE, Counter(visit.region for visit in visits)),
        (CHANNEL_SHARE, Counter(visit.channel for visit in visits)),
    ):
        for name, expected in share.items():
            assert abs(counts[name] / len(visits) - expected) < 0.02


def test_sampled_sales_follow_the_stated_conversion() -> None:
    """The known elasticity is the one that is sampled."""
    world = World(7)
    visits = [(number, world.visit(number)) for number in range(20_000)]
    for latency_ms in (40.0, 160.0):
        web = [(n, v) for n, v in visits if (v.channel, v.region) == ("web", "eu-west")]
        sold = sum(world.sale(n, v, "loyal", "bundle", latency_ms).converted for n, v in web)
        expected = conversion("web", "eu-west", "loyal", "bundle", latency_ms)
        assert abs(sold / len(web) - expected) < 0.03
