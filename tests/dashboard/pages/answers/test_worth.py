"""What the Velocity page says of a model of what latency is worth."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from dashboard.pages.answers.worth import (
    answer_sentence,
    curve_figure,
    curve_table,
    groups_lines,
    less_words,
    weights_lines,
)
from dashboard.read.scope import Scope

PRIOR = "assumed rate: not your own data"
SCOPE = Scope(window="1h", region="eu-west", filters=(("by", "channel"),))


def band(median: float) -> dict[str, float]:
    """Return a figure with an interval of a factor of two."""
    return {"median": median, "low": median / 2, "high": median * 2}


def group(name: str, per_ms: float, basis: str = PRIOR) -> dict[str, Any]:
    """Return one group of a model."""
    points = [(-10, 100.0), (0, 0.0), (10, -100.0)]
    return {
        "name": name, "decisions": 1234, "known": 1200, "sampled": 500,
        "erv_usd_per_s": {"median": per_ms, "low": per_ms * 0.8, "high": per_ms * 1.2},
        "marginal_usd_per_ms_hour": band(per_ms),
        "gain_10ms_usd_per_hour": band(per_ms * 10),
        "loss_per_100ms": band(0.005 if basis == PRIOR else 0.006),
        "slope_basis": basis,
        "curve": [{"shift_ms": at, "change_usd_per_hour": band(usd)} for at, usd in points],
    }  # fmt: skip


def model(*groups: dict[str, Any], dimension: str = "channel") -> dict[str, Any]:
    """Return a model of these groups."""
    return {
        "lineage": {"dimension": dimension, "slope": PRIOR},
        "groups": list(groups),
        "weights": [
            {"segment": "decision/store", "weight": 0.8, "gain_usd_per_hour": 90.0,
             "gain_low_usd_per_hour": 30.0, "gain_high_usd_per_hour": 270.0, "time_share": 0.5,
             "floor_ms": 6.2},
        ],
    }  # fmt: skip


def test_slider_says_what_fewer_milliseconds_bring_with_interval_and_basis() -> None:
    """Of shifts that the model has; one beyond them is not known, and no straight line is drawn."""
    words = less_words(group("web", 24.6), PRIOR, is_assumed=True)
    assert words["10"] == (
        "10 ms less of web: $100.00 / h more (90 %: $50.00 to $200.00, by an assumed rate)"
    )
    assert set(words) == {"10", ""}
    assert "assumed" not in less_words(group("web", 24.6), "measured", is_assumed=False)["10"]
    assert less_words(None, PRIOR, is_assumed=True) == {
        "": "Not known: no group has a known value."
    }


def test_sentence_names_the_dearest_with_its_interval_and_what_it_rests_on() -> None:
    """A point without its interval would be believed."""
    told = model(group("web", 24.6), group("app", 15.0))
    assert answer_sentence(told, is_assumed=True) == (
        "Make channel web faster first: its next millisecond is worth $24.60 an hour "
        "(90 %: $12.30 to $49.20, by an assumed rate)."
    )
    assert "assumed" not in answer_sentence(told, is_assumed=False)
    assert answer_sentence(model(group("web", 1.0)), is_assumed=False).startswith(
        "The next millisecond faster is worth $1.00 an hour"
    )
    assert "unknown" in answer_sentence(model(), is_assumed=True)


def test_an_order_that_chance_explains_is_said_to_be_that() -> None:
    """Three channels that are drawn evenly took turns at being made faster first."""
    even = [group("web", 1.55), group("app", 1.51), group("partner", 1.50)]
    assert answer_sentence(model(*even), is_assumed=False) == (
        "No channel stands out: which of the 3 comes first, chance explains. "
        "The next millisecond of web is worth $1.55 an hour (90 %: $0.78 to $3.10)."
    )
    assert answer_sentence(model(*even[:2], group("partner", 0.5)), is_assumed=False).startswith(
        "Make channel web or app faster first: which, chance explains. The next millisecond of web"
    )
    # By a rate of its own each is as uncertain as that is.
    own = [group("web", 24.6, "measured"), group("app", 15.0)]
    assert answer_sentence(model(*own), is_assumed=False).startswith("No channel stands out")
    many = [group(f"c{at}", 2.0) for at in range(6)]
    assert "Make channel c0 or c1, c2, c3 or 2 others faster first" in answer_sentence(
        model(*many, group("least", 0.1)), is_assumed=False
    )


def test_group_says_whether_its_rate_is_assumed_or_its_own() -> None:
    """A group whose own data identify its slope does not rest on the prior."""
    told = model(group("web", 24.6), group("", 15.0, "slope version 3"))
    first, second = groups_lines(told, SCOPE, is_assumed=True)
    assert (first["rests"], second["rests"]) == ("assumed rate", "own data")
    assert (first["interval"], first["n"]) == ("90 %: $12.30 to $49.20", "1,234 decisions")
    listed = parse_qs(urlsplit(str(first["href"])).query)
    assert listed == {
        "window": ["1h"], "region": ["eu-west"], "channel": ["web"], "sort": ["lost"],
    }  # fmt: skip
    assert (second["group"], second["href"]) == ("(empty)", "")


def test_group_that_no_list_can_be_narrowed_to_has_no_link() -> None:
    """A link to the decisions of all offer types would be of others."""
    row = groups_lines(model(group("bundle", 2.0), dimension="offer_type"), SCOPE, is_assumed=True)
    assert row[0]["href"] == ""


def test_part_of_the_time_leads_to_the_decisions_that_were_longest_in_it() -> None:
    """What is to be gained there, with its interval."""
    (row,) = weights_lines(model(), SCOPE)
    assert (row["weight"], row["interval"]) == ("80.0 %", "90 %: $30.00 to $270.00")
    assert "segment=decision%2Fstore" in str(row["href"])


def test_curve_has_its_band_and_a_table_that_says_the_same() -> None:
    """Without a group the figure says why there is none."""
    figure = curve_figure(group("web", 24.6), "")
    assert [trace["y"] for trace in figure["data"]] == [
        [50.0, 0.0, -50.0], [200.0, 0.0, -200.0], [100.0, 0.0, -100.0],
    ]  # fmt: skip
    assert "−$100.00 / h" in str(curve_table(group("web", 24.6)))  # noqa: RUF001  a true minus
    assert curve_figure(None, "")["data"] == []
