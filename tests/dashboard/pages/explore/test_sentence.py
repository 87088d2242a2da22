from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from dashboard.pages.explore.sentence import populations, sentence
from tests.support.attribution.comparison import EU, FAILED, FAILING, FOUND


def test_the_sentence_names_who_where_and_what_it_costs() -> None:
    """It is the largest thing of the page."""
    assert sentence(FOUND, "the rest") == "region eu-west, in decision/store: +$412.50 / h"
    assert (
        sentence(replace(FOUND, values=[]), "the rest")
        == "all of them alike, in decision/store: +$800.00 / h"
    )
    unknown = replace(FOUND, values=[replace(EU, usd_per_hour=None)])
    assert sentence(unknown, "the rest") == "region eu-west, in decision/store: money unknown"
    nothing = replace(FOUND, values=[], segments=[], verdict="no difference found")
    assert "chance" in sentence(nothing, "the rest")
    assert "30 decisions" in sentence(replace(FOUND, verdict="n too small"), "the rest")
    assert sentence(replace(FOUND, after=None), "the rest").startswith("No decision in the box")


def test_both_sides_are_said_with_n_and_how_many_stand_for_one() -> None:
    """A sample is said to be one."""
    assert populations(FOUND, "The rest") == (
        "In the box: 60 decisions, mean 300.0 ms, $20.00 lost. "
        "The rest: 180 decisions (one in 7), mean 100.0 ms, $3.00 lost."
    )


def test_the_sentence_says_what_of_it_is_failures() -> None:
    """$272 of $313 were failures, and the page told of slowness alone."""
    assert sentence(FAILED, "the rest") == (
        "region eu-west, in decision/store: +$412.50 / h, +$350.00 of it by failures "
        "(15.0 % failed, 0.0 % of the rest)"
    )
    assert (
        "6 failed (10.0 %), $20.00 lost ($18.00 by failures), 2 lost an unknown amount"
        in populations(FAILED, "The rest")
    )
    unvalued = replace(FAILED, lost_after=replace(FAILED.lost_after, left_out=2))
    assert populations(unvalued, "The rest").endswith(
        "Of an unknown value, in no difference of money: 2 in the box, 0 of the rest."
    )
    alone = replace(FAILED, values=[], segments=[])
    assert sentence(alone, "the rest") == (
        "all of them alike: +$800.00 / h, +$700.00 of it by failures "
        "(10.0 % failed, 0.0 % of the rest)"
    )
    unknown = replace(alone, usd_per_hour=None, failures=replace(FAILING, usd_per_hour=None))
    assert sentence(unknown, "the rest") == (
        "all of them alike: money unknown (10.0 % failed, 0.0 % of the rest)"
    )


def test_a_box_of_one_action_and_one_region_is_named_by_both() -> None:
    """The dearer of the two was named, and the other not; the dollars are those of the box."""
    eu = replace(EU, decisions_after=60)
    offer = replace(EU, dimension="action", value="offer", decisions_after=57,
                    usd_per_hour=Decimal(300))  # fmt: skip
    both = replace(FOUND, values=[eu, offer])
    assert sentence(both, "the rest") == (
        "action offer and region eu-west, nearly all of the box, in decision/store: +$800.00 / h"
    )
    one = replace(FOUND, values=[eu, replace(offer, decisions_after=40)])
    assert sentence(one, "the rest") == (
        "region eu-west, all of the box, in decision/store: +$800.00 / h"
    )
    dearer = replace(FOUND, values=[EU, replace(offer, usd_per_hour=Decimal(30))])
    assert sentence(dearer, "the rest") == "region eu-west, in decision/store: +$412.50 / h"


def test_slower_value_that_costs_nothing_is_a_difference() -> None:
    """Its dollars are 0 where its class earned nothing: it was no difference at all then."""
    free = replace(EU, usd_per_hour=Decimal(0))
    text = sentence(replace(FOUND, values=[free], segments=[]), "the rest")
    assert text.startswith("region eu-west")
    cheap = replace(EU, value="eu", usd_per_hour=Decimal(-358))
    dear = replace(EU, value="us", excess_ms=-0.8, usd_per_hour=Decimal(358))
    assert sentence(replace(FOUND, values=[cheap, dear], segments=[]), "the rest").startswith(
        "region us"
    )
