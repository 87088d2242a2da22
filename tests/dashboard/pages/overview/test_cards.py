"""The figures on the cards: each a value, and a note that qualifies it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from collector.core.times import NS_PER_DAY, NS_PER_S
from dashboard.health.items import LATE, OUTCOMES, SAMPLING, health_item
from dashboard.pages.overview.cards import (
    lost_card,
    lost_title,
    money_warnings,
    now_card,
    warned,
)
from dashboard.pages.scope.typed_range import typed_range
from dashboard.read.alerts.counts import Counts
from dashboard.read.alerts.listing import AtRisk
from dashboard.read.alerts.losses import Loss
from dashboard.units import Zone

NO_USD = Decimal(0)
NONE = AtRisk(
    NO_USD, NO_USD, NO_USD, alerts=0, unpriced=0, old=0, silent=0, counts=Counts(0, 0, 0, 0)
)
SILENT = replace(NONE, silent=1, counts=Counts(0, 0, 1, 0))
QUIET = replace(NONE, counts=Counts(0, 0, 2, 0))  # of classes that were well
SINCE = "no decision since 19:56:05 UTC"
SHADOW = replace(NONE, counts=Counts(0, 0, 0, 4))
UNPRICED = replace(NONE, unpriced=1, counts=Counts(1, 0, 0, 0))
TWO = AtRisk(
    Decimal(1130), Decimal(339), Decimal(3847), alerts=2, unpriced=1, old=1, silent=3,
    counts=Counts(1, 2, 3, 4),
)  # fmt: skip


@pytest.mark.parametrize(
    ("found", "silence", "said"),
    [
        pytest.param(TWO, "", "$1,130 / h", id="the sum of what fires"),
        pytest.param(NONE, "", "nothing", id="all is well"),
        pytest.param(SHADOW, "", "nothing", id="nobody was told"),
        pytest.param(NONE, SINCE, "unknown", id="no data: nobody knows"),
        pytest.param(QUIET, SINCE, "unknown", id="no data, and rules that cannot be judged"),
        pytest.param(QUIET, "", "nothing", id="a class that was well sleeps, others decide"),
        pytest.param(SILENT, "", "unknown", id="one that fired cannot be judged"),
        pytest.param(UNPRICED, "", "unknown", id="fires, without dollars"),
    ],
)
def test_money_at_risk_is_never_zero_dollars(found: AtRisk, silence: str, said: str) -> None:
    """`$0.00` is an answer; where nobody knows there is none."""
    assert now_card(found, silence)[0] == said


def test_money_at_risk_says_what_it_is_the_sum_of() -> None:
    """How many alerts, over what time, and which of them are not in it."""
    note: Any = now_card(TWO, "")[1]
    assert note[1] == (
        "90 %: $339.00 to $3,847, newest 5 min at most · 1 firing, 2 cooling, 3 unknown, 4 in"
        " shadow · 1 as of last change · 1 without money"
    )
    assert now_card(SHADOW, "")[1] == "no live alert fires · 4 in shadow"
    assert now_card(SILENT, "")[1] == "no alert with money fires · 0 firing, 1 unknown"
    assert now_card(QUIET, "")[1] == "no live alert fires · 2 unknown"
    assert now_card(NONE, "", unvalued=1_200) == (
        "nothing", "no live alert fires · without 1,200 decisions of unknown value"
    )  # fmt: skip


def test_silence_is_said_before_all_else() -> None:
    """`no alert with money fires · 1 firing · 1 without money`: the senders were down."""
    assert now_card(QUIET, SINCE)[1] == f"2 alerts cannot be judged, {SINCE}"
    assert now_card(NONE, SINCE)[1] == SINCE
    assert now_card(UNPRICED, SINCE)[1] == f"{SINCE} · 1 firing · 1 without money"


def test_cards_of_a_range_of_the_past_say_of_when_they_are() -> None:
    """A link to last week said that it was losing money now, and today."""
    for found, said in (
        (TWO, "last 5 min at most · 1 firing, 2 cooling, 3 unknown, 4 in shadow at 05:53:00 UTC"),
        (NONE, "no live alert fired at 05:53:00 UTC"),
        (UNPRICED, "no alert with money fired at 05:53:00 UTC"),
    ):
        assert said in str(now_card(found, "", "at 05:53:00 UTC")[1])
    noon_ns, day_ns = 12 * 3_600 * 10**9, 24 * 3_600 * 10**9
    assert lost_title(Zone(), noon_ns, Zone().day_ns(noon_ns - 1)) == "Lost today"
    assert lost_title(Zone(), noon_ns + day_ns, Zone().day_ns(noon_ns)) == "Lost on 1970-01-01"


@pytest.mark.parametrize("name", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_range_that_ends_at_midnight_is_of_the_day_that_ends_then(name: str) -> None:
    """A day out of the calendar read `Lost on` the day after it, of which nothing is known."""
    zone = Zone(name)
    text, to_ns = typed_range("2026-11-30", 1_796_100_000 * NS_PER_S, zone)
    assert text == "1d"
    assert to_ns is not None
    from_ns = zone.day_ns(to_ns)
    assert from_ns == to_ns - NS_PER_DAY
    assert lost_title(zone, to_ns + NS_PER_DAY, from_ns) == "Lost on 2026-11-30"
    assert lost_title(zone, from_ns + NS_PER_DAY // 2, from_ns) == "Lost today"
    lost = Loss(9, 1, Decimal(10), Decimal(4), Decimal(30), frozenset())
    assert f"00:00 to 24:00 {zone.mark(to_ns)}" in str(lost_card(lost, (from_ns, to_ns), zone, ""))


@pytest.mark.parametrize(
    ("sources", "badge"),
    [
        ({"prior"}, "assumed rate"),
        ({"unknown"}, "failures alone, lateness unknown"),
        ({"prior", "unknown"}, "in part failures alone, lateness unknown"),
    ],
)
def test_loss_says_what_its_slope_is(sources: set[str], badge: str) -> None:
    """Where the prior is contradicted, what is shown is what failed, and says so."""
    lost = Loss(9, 1, Decimal(10), Decimal(4), Decimal(30), frozenset(sources))
    figure, note = lost_card(lost, (0, 3_600_000_000_000), Zone(), "a paper")
    assert figure == "$10.00"
    assert note[1] == "90 %: $4.00 to $30.00 · 00:00 to 01:00 UTC · without 1 of unknown value "
    assert note[2].children == badge


def test_loss_of_decisions_of_unknown_value_is_unknown() -> None:
    """Not zero: what nobody valued may have been dear."""
    unvalued = Loss(9, 9, Decimal(0), Decimal(0), Decimal(0))
    for lost in (None, unvalued):
        assert lost_card(lost, (0, 1), Zone(), "")[0] == "unknown"


def test_dollars_say_what_contradicts_them() -> None:
    """Beside the figure, with the whole of it where the pointer stands."""
    card = ("$1.00 / h", "basis margin")
    assert warned(card, {}) == card
    figure, note = warned(card, {"sampled": "send all", "contradicted": "say all"})
    assert (figure, note.children[0]) == card
    labels = [(each.children, each.title) for each in note.children[2::2]]
    assert labels == [("sampled", "send all"), ("contradicted", "say all")]


def test_money_of_a_part_is_said_to_be_that_everywhere() -> None:
    """What contradicts outcomes has no say in what is at risk; who samples has."""
    shop = health_item(f"{SAMPLING}shop", "about 10 %", "sent", warn="shop sends a tenth")
    app = health_item(f"{SAMPLING}app", "about 50 %", "sent", warn="app sends half")
    odd = health_item(OUTCOMES, "contradicted", bad="say all")
    assert money_warnings({}) == ({}, {})
    in_part = {"sampled: about 10 %": "shop sends a tenth"}
    assert money_warnings({shop.name: shop}) == (in_part, in_part)
    both = {each.name: each for each in (shop, app, odd)}
    in_part = {"sampled": "shop sends a tenth; app sends half"}
    assert money_warnings(both) == (
        in_part,
        {**in_part, "outcomes contradict their mode": "say all"},
    )


@pytest.mark.parametrize("behind_s", [None, 3.0, 15.0, 40.2])
def test_money_says_that_late_data_wait(behind_s: float | None) -> None:
    """Of an import of 80,000 outcomes 50,000 counted for ten seconds, as if they were all."""
    late = health_item(LATE, behind_s, "s behind")
    at_risk, earned = money_warnings({late.name: late})
    assert at_risk == {}
    if behind_s != 40.2:
        assert earned == {}
    else:
        assert "that came in the last 40 s and happened earlier" in earned["late data wait"]
