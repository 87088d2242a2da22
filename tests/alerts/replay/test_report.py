from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.people.calendars import Calendars
from alerts.replay.replay import replay
from alerts.replay.report import report
from alerts.replay.series import Series, Steps
from alerts.replay.walk import Instants
from alerts.rules.dollar_burn import DollarBurn
from alerts.state.subject import Subject
from collector.core.times import NS_PER_S
from tests.support.alerts.builders import rule
from tests.support.examples import examples

START_NS = 2_000_000_000 * NS_PER_S
STEP_S, STEPS = 10, 400
HURT = Subject("checkout", "eu-west")


def series(loss: list[int]) -> Series:
    """Return losses in millionths of USD by step; each comes from a hundred equal decisions."""
    lost = np.array(loss, np.int64)
    some = np.full(len(lost), 100, np.int64)
    return Series(
        START_NS + STEP_S * NS_PER_S * np.arange(len(lost), dtype=np.int64),
        Steps(
            decisions=some,
            unvalued=np.zeros_like(lost),
            loss=lost,
            loss_low=lost,
            loss_high=lost,
            loss_squared=(lost / 1e6) ** 2 / 100,
            basis={"margin": some},
            slope_source={"estimate": some},
            unknown=np.zeros_like(lost),
        ),
    )


def instants() -> Instants:
    """Return one after each step."""
    ends_ns = START_NS + STEP_S * NS_PER_S * np.arange(1, STEPS + 1, dtype=np.int64)
    return Instants(ends_ns, ends_ns, 300 * NS_PER_S)


def known(usd: Decimal | None) -> Decimal:
    """Return dollars that a dollar rule knows."""
    assert usd is not None
    return usd


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from([0, 10_000, 500_000, 30_000_000])),
        min_size=1,
        max_size=12,
    )
)
def test_every_dollar_is_caught_missed_or_within_the_budget(
    stretches: list[tuple[int, int]],
) -> None:
    """And the three are all that was lost; each page is about one stretch at the most."""
    loss = [micro for length, micro in stretches for _ in range(length)][:STEPS]
    burn, classes = DollarBurn(rule(reset_window_s=30)), {HURT: series(loss)}
    changes = list(replay(burn, classes, instants(), Calendars(())))

    found = report(burn, classes, instants(), changes, START_NS)

    parts = [known(each) for each in (found.caught_usd, found.missed_usd, found.within_usd)]
    assert sum(parts) == Decimal(sum(loss)) / 1_000_000
    assert min(parts) >= 0
    fired = [each for each in changes if each.transition.notification == "alert.firing"]
    assert len(found.pages) == len(fired)
    assert all(known(page.lost_before_usd) <= known(page.lost_usd) for page in found.pages)
    for page in found.pages:
        if page.began_ns is not None and page.ended_ns is not None:
            assert page.began_ns < page.fired_ns <= page.ended_ns


def test_alert_says_how_long_after_the_begin_and_before_the_end_it_is() -> None:
    """Once a stretch: the second alert of one stretch is no second chance to be early."""
    loss = [0] * 100 + [30_000_000] * 60 + [0] * 240
    tier = {"budget_share": 0.01, "long_window_s": 120, "short_window_s": 30}
    burn, classes = DollarBurn(rule(reset_window_s=20, tiers=[tier])), {HURT: series(loss)}
    changes = list(replay(burn, classes, instants(), Calendars(())))

    found = report(burn, classes, instants(), changes, START_NS)

    [page] = found.pages
    began_ns, ended_ns = (START_NS + step * STEP_S * NS_PER_S for step in (100, 160))
    assert page.began_ns == began_ns
    assert page.ended_ns == ended_ns - (STEP_S - 1) * NS_PER_S  # a second of its last step counts
    assert found.delay_p50_s == (page.fired_ns - began_ns) / NS_PER_S > 0
    assert found.lead_p50_s == (page.ended_ns - page.fired_ns) / NS_PER_S > 300
    assert (page.focus, page.window_s) == (HURT, 120)


def test_incident_without_an_alert_is_named_with_its_dollars() -> None:
    """Slow enough for every tier: what is missed is said before a rule is live."""
    loss = [0] * 100 + [12_000_000] * 1 + [0] * 50 + [1_600_000] * 200 + [0] * 49
    burn, classes = DollarBurn(rule(reset_window_s=30)), {HURT: series(loss)}

    found = report(burn, classes, instants(), [], START_NS)

    assert found.pages == []
    assert found.actionable_share is None
    [missed] = found.silent
    assert missed.lost_usd == Decimal(320)
    assert missed.from_ns == START_NS + 151 * STEP_S * NS_PER_S - 20 * NS_PER_S
    assert found.missed_usd == Decimal(332)
