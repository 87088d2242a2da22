"""`millworth vram rank`, `curve`, `slope`, `models` and `diff`, as a person reads them."""

from __future__ import annotations

import contextvars
import json
from pathlib import Path

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.job import SlopeJob
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.imports.channels import import_channels
from collector.store.connect import Connections
from dashboard.units import fitting_digits
from tests.support.attribution.drawn import put_reloaded
from tests.support.attribution.slopes import halving
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    trace_id,
)
from tests.support.dashboard.fixtures import Run
from tests.support.dashboard.traded import UNTIL, trade

WINDOW = ("--window", "1h", "--until", UNTIL)


@pytest.fixture
def traded(store: Connections) -> Connections:
    """Return a store of forty decisions on two offers, of ten dollars each."""
    trade(store)
    return store


def test_offers_are_ranked_with_what_their_slope_rests_on(run: Run, traded: Connections) -> None:
    """In 80 columns without a broken figure, and the same as one object."""
    assert traded
    shown = run("vram", "rank", "--by", "offer_type", *WINDOW)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert "40 decisions, 40 of them replayed" in lines[0]
    (bundle,) = (line for line in lines if line.lstrip().startswith("bundle"))
    assert " to " in bundle
    assert "0.50%" in bundle
    assert any(line.startswith("slope of ") and "assumed rate" in line for line in lines)
    told = json.loads(run("vram", "rank", "--by", "offer_type", *WINDOW, "--json").stdout)
    assert {each["name"] for each in told["groups"]} == {"bundle", "upgrade"}
    assert all("assumed rate" in each["slope_basis"] for each in told["groups"])
    assert sum(each["weight"] for each in told["weights"]) == pytest.approx(1.0, abs=1e-4)


def test_figures_are_labelled_with_the_configured_currency(
    run: Run, store: Connections, tmp_path: Path
) -> None:
    """Columns of yen were called USD, and an investment in yen too."""
    with (tmp_path / "millworth.toml").open("a") as settings:
        settings.write('[attribution]\ncurrency = "JPY"\n')
    put_spans(
        store,
        [
            each
            for s in range(40)
            for each in decision(f"a{s}", 1_000 * s, 120, decision__region="eu")
        ],
    )
    sales = [
        outcome(f"o{s}", decision_id=trace_id(f"a{s}"), margin="900", currency="JPY", event_s=s + 1)
        for s in range(40)
    ]
    put_outcomes(store, sales)
    config = AttributionConfig(currency="JPY")
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 100 * NS_PER_S)
    (tmp_path / "invest.toml").write_text(
        '[[options]]\nname = "a"\ncapex_usd = 100\nopex_usd_per_quarter = 1\n'
        'gain_usd_per_quarter = 500\nbasis = "prior"\n'
    )

    def told() -> str:
        asked = (
            ("vram", "rank", "--by", "region", "--budget", "10", *WINDOW),
            ("vram", "curve", "--by", "region", *WINDOW),
            ("vram", "npv", str(tmp_path / "invest.toml"), *WINDOW),
            ("vram", "gate", str(tmp_path / "invest.toml"), *WINDOW),
            ("vram", "decisions", *WINDOW),
            ("what-if", "--scale", "decision/compute=0.5", *WINDOW),
            ("alerts", "list"),
        )
        shown = [run(*command) for command in asked]
        assert [each.exception for each in shown if each.exit_code not in (0, 1)] == []
        return "\n".join(each.stdout for each in shown)

    said = contextvars.copy_context().run(told)
    assert "by region: JPY that the next millisecond brings" in said
    assert "JPY, 3 years at" in said
    assert "JPY in this window: " in said
    assert " JPY lost (90 %: " in said
    assert "USD" not in said
    assert "$" not in said


def test_curve_has_its_integral_and_versions_differ(run: Run, traded: Connections) -> None:
    """Dollars an hour against now: nothing at no shift, more where it is faster."""
    assert traded
    told = json.loads(run("vram", "curve", "--by", "region", *WINDOW, "--json").stdout)
    change = {
        point["shift_ms"]: point["change_usd_per_hour"]["median"] for point in told["curves"]["eu"]
    }
    assert change[0] == 0
    assert change[-10] > 0 > change[10]
    assert run("vram", "curve", "--by", "region", *WINDOW).exit_code == 0
    run("vram", "rank", "--by", "offer_type", *WINDOW)
    assert run("vram", "models").stdout.count("40 decisions") == 2
    diff = run("vram", "diff", "1", "2")
    assert diff.exit_code == 1
    assert "group bundle: None -> " in diff.stdout


def test_slope_says_what_each_instrument_knows(run: Run, traded: Connections) -> None:
    """And that the prior is used: exit 1, since nothing is identified."""
    assert traded
    shown = run("vram", "slope")
    assert shown.exit_code == 1, shown.output
    assert "by the jitter of the back end (observational, used for nothing): " in shown.stdout
    assert "by the randomised delay: it does not vary, or nothing was earned" in shown.stdout
    assert "in use: 0.500% of the value per 100 ms (90 %: 0.150% to 1.700%), by the prior" in (
        shown.stdout
    )
    assert "millworth vram experiments register slope-1 --arm slow40=" in shown.stdout


def test_refused_experiment_is_told_as_such_and_proposes_no_other(
    run: Run, store: Connections
) -> None:
    """Another one like it would cost as much, and be refused likewise."""
    put_reloaded(store, SystemClock().now_ns() // NS_PER_MINUTE * NS_PER_MINUTE - 3 * NS_PER_DAY)
    shown = run("vram", "slope")
    assert shown.exit_code == 1, shown.output
    assert shown.stdout.startswith("delays change how many decisions are made: with 100 ms")
    assert "by the randomised delay (refused, used for nothing): " in shown.stdout
    assert "experiments register" not in shown.stdout
    told = run("vram", "experiments", "show", "reloaded")
    assert "what the delays cost: the arms cannot tell" in told.stdout


def test_figures_of_rank_are_whole_at_80_columns(run: Run, traded: Connections) -> None:
    """None is cut, and each says what it is of: hours, until there are days enough."""
    assert traded
    for asked, unit in (((), "hour"), (("--annualise",), "year")):
        shown = run("vram", "rank", "--by", "region", *WINDOW, *asked).stdout
        assert "…" not in shown
        assert f"USD/ms/{unit}" in shown
        assert "value over all decisions" in shown
        lines = [line.rstrip() for line in shown.splitlines()]
        figures = [line for line in lines if line.lstrip().startswith(("eu", "us", "decision/"))]
        assert len(figures) > 2
        assert max(map(len, figures)) <= 80


def test_compare_says_what_the_mix_is_of(run: Run, traded: Connections) -> None:
    """Only action and region are held: more of a slow channel is in the segments, and no mix."""
    assert traded
    shown = " ".join(run("compare", *WINDOW, "--slow-ms", "120").stdout.split())
    assert "by the mix of actions and regions; another mix of channels or cohorts is in the" in (
        shown
    )


def test_compare_says_what_was_lost_and_how_much_of_it_by_failures(
    run: Run, traded: Connections
) -> None:
    """What a page says, in lines: both sides, the second beyond the first, and who failed."""
    assert traded
    asked = ("compare", *WINDOW, "--slow-ms", "120")
    shown = " ".join(run(*asked).stdout.split())
    found = json.loads(run(*asked, "--json").stdout)
    lost = found["lost_after"]
    usd, failed, an_hour = map(
        fitting_digits, (lost["usd"], lost["failed_usd"], found["usd_per_hour"])
    )
    assert f"after {usd} (by failures {failed}, late or failed" in shown
    assert f"beyond as many of those before: {an_hour}, by failures" in shown
    assert "failed: 0.0 % -> 0.0 %, 95 %" in shown


def test_group_that_is_none_is_refused_with_those_there_are(run: Run, traded: Connections) -> None:
    """One line, exit 2."""
    assert traded
    refused = run("vram", "rank", "--by", "team", *WINDOW)
    assert isinstance(refused.exception, InputError)
    assert "choose channel, region, cohort, offer_type, action" in str(refused.exception)


def test_channels_are_shown_in_80_columns(run: Run, traded: Connections) -> None:
    """What is paid beside what is earned, and what is unknown is not 0.00; the same as JSON."""
    paid = b"channel,day,clicks,cost,currency,quality_score\n"
    paid += b"web,2033-05-18,123456789,98765432.10,USD,7\n"
    import_channels(traded.client(), "c.csv", paid, "ads", BASE_NS)
    days = ("--window", "2d", "--until", "2033-05-20")
    shown = run("vram", "channels", *days)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert "…" not in shown.stdout
    (web, *_) = (line.split() for line in lines if line.lstrip().startswith("web "))
    assert web == [
        "web", "not", "said", "0", "123,456,789", "0.8000", "7.00", "98,765,432.10", "unknown",
    ]  # fmt: skip
    assert "(none): what was paid is unknown: no cost was imported; millworth import channels" in (
        lines
    )
    told = json.loads(run("vram", "channels", *days, "--json").stdout)
    unnamed, named = told["channels"]
    assert (unnamed["name"], unnamed["decisions"], unnamed["horizons"][0]["sold"]) == ("", 40, 40)
    assert unnamed["horizons"][0]["earned_usd"] == "400.00"
    assert named["acquisition_usd"] == "98765432.10"


def test_budget_is_shared_out_beside_the_ranking(run: Run, traded: Connections) -> None:
    """The parts sum to it; the reserve is that of the settings where nobody says another."""
    assert traded
    asked = ("vram", "rank", "--by", "offer_type", *WINDOW, "--budget", "1000.01")
    shown = run(*asked)
    assert shown.exit_code == 0, shown.output
    assert "…" not in shown.stdout
    assert [line.split() for line in shown.stdout.splitlines() if "reserve" in line] == [
        ["reserve", "100.01"]
    ]
    told = json.loads(run(*asked, "--reserve", "0.25", "--step", "100", "--json").stdout)
    found = told["allocation"]
    assert (found["reserve_usd"], found["allocated_usd"]) == ("250.01", "750.00")
    assert sorted(each["usd"] for each in found["shares"]) == ["350.00", "400.00"]
    for wrong, said in (("-5", "budget -5"), ("x", "budget_usd")):
        refused = run("vram", "rank", *WINDOW, "--budget", wrong)
        assert isinstance(refused.exception, InputError)
        assert said in str(refused.exception)


def test_nodes_sum_to_what_is_shown(run: Run, traded: Connections) -> None:
    """Without a node all is unmapped, which its share says, and the flow to put to one is named."""
    put_outcomes(
        traded,
        [
            outcome("big", decision_id="nobody", revenue="1234567890.12"),
            outcome("own", decision_id=trace_id("a0"), revenue="10"),
        ],
    )
    days = ("--window", "1d", "--until", "2033-05-19")
    shown = run("vram", "nodes", *days)
    assert shown.exit_code == 0, shown.output
    assert "…" not in shown.stdout
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["unmapped", "40", "1,234,567,900.12", "100.00%"] in lines
    assert ["of", "no", "decision", "1,234,567,890.12"] in lines
    assert ["in", "the", "ledger", "alone", "unknown"] in lines
    assert "no ledger, or no rate for it: 2033-05-18; millworth import ledger" in shown.stdout
    assert "in no node: 20 decisions of action = 'offer', region = 'eu', offer_type =" in (
        shown.stdout
    )
    told = json.loads(run("vram", "nodes", *days, "--json").stdout)
    assert (told["total"], told["total_is"]) == ("1234567900.120000", "outcomes")


def test_tail_is_refused_with_the_experiment_and_shown_without_a_cut_figure(
    run: Run, traded: Connections, tmp_path: Path
) -> None:
    """Exit 1 while the slope is not identified; then the crossing, with what is beside it."""
    costs = tmp_path / "costs.toml"
    costs.write_text(
        "[[tail]]\npercentile = 50\nopex_usd_per_year = 0\n"
        '[[tail]]\npercentile = 75\ncapex_usd = "9000"\nopex_usd_per_year = "1234567890.12"\n'
    )
    asked = ("vram", "tail", str(costs), *WINDOW, "--annualise", "--target-ms", "100")
    refused = run(*asked)
    assert refused.exit_code == 1, refused.output
    assert "refused: the slope is not identified: it was never estimated" in refused.stdout
    assert "millworth vram experiments register slope-1 --arm" in refused.stdout
    told = json.loads(run(*asked, "--json").stdout)
    assert (told["tail"], told["decisions"]) == (None, 40)
    SlopeJob(AttributionConfig(), traded).store(halving())
    shown = run(*asked)
    assert shown.exit_code == 1, shown.output  # no step pays
    assert "…" not in shown.stdout
    assert "acceptable tail: hold p50.00 at 100 ms" in shown.stdout
    assert "no step pays" in shown.stdout
    assert "1,234,571,509.15" in shown.stdout
    costs.write_text(costs.read_text().replace("1234567890.12", "1").replace("9000", "1"))
    assert run(*asked).exit_code == 0
