"""The gate over a real store: what is replayed, refused, kept, and worked out again."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest

from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.experiments.job import GUARD, ExperimentJob
from attribution.invest.file import InvestFile, parse_invest
from attribution.invest.gate import reproduce
from attribution.invest.job import InvestJob, StoredVerdict
from attribution.jobs.attribution import AttributionJob
from attribution.sensitivity.job import SlopeJob
from attribution.sensitivity.registered import Arm, Experiment, with_control
from attribution.sensitivity.versions import SlopeModel
from attribution.whatif.analyst import Analyst
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import BASE_NS, decision, put_sales, put_spans

DAY_NS = 86_400 * NS_PER_S
# Its last day is the one in which spans are received.
WEEK = Selection(BASE_NS - 6 * DAY_NS, BASE_NS + DAY_NS)
AT = (WEEK.to_ns, "2033-05-25T00:00:00Z")
FILE = """
[invest]
rate = 0.4641   # ten per cent a quarter

[[options]]
name = "faster store"
capex_usd = 1000
opex_usd_per_quarter = 100
saves = { store = "20ms" }

[[options]]
name = "claimed"
capex_usd = 0.01
opex_usd_per_quarter = 0
gain_usd_per_quarter = 1000000
basis = "estimate"
source = "a slide"

[[options]]
name = "modest"
capex_usd = 1000
opex_usd_per_quarter = 100
gain_usd_per_quarter = 2000
basis = "estimate"
source = "a slide"
"""


def told() -> InvestFile:
    """Return the file."""
    return parse_invest("invest.toml", FILE)


@pytest.fixture
def invest(store: Connections) -> InvestJob:
    """Return the job over 100 decisions of 180 ms, worth ten dollars each."""
    return over_days(store, 7)


def over_days(store: Connections, days: int) -> InvestJob:
    """Return the job over as many decisions, of so many days of the week."""
    put_spans(
        store,
        [
            each
            for index in range(100)
            for each in decision(f"d{index}", 1_000 * index - index % days * 86_400_000, 180)
        ],
    )
    put_sales(store, [f"d{index}" for index in range(100)], "10", told_s=150)
    config = AttributionConfig()
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 200 * NS_PER_S)
    return InvestJob(config, store)


def slope_version(source: str, *, needed: int | None = None, reason: str = "") -> SlopeModel:
    """Return a version: ten per cent of the value are lost in 20 ms."""
    beta = -math.log(0.9) / (20 * NS_PER_MS)
    return SlopeModel(
        version=1, effective_ns=WEEK.from_ns, computed_ns=BASE_NS, from_ns=0, to_ns=BASE_NS,
        source=source, status="identified" if source == "estimate" else "wide", reason=reason,
        outcome="margin", decisions=5, minutes=1, decisions_needed=needed, mean_outcome=10.0,
        median_per_ns=beta, low_per_ns=beta, high_per_ns=beta, backend_per_ms=None,
        backend_se=None, injection_per_ms=None, injection_se=None, delay_max_ns=80 * NS_PER_MS,
        latency_low_ns=0, latency_high_ns=0, not_randomised=0, experiments=["e1"], config_hash="",
    )  # fmt: skip


def judged(invest: InvestJob, name: str = "faster store") -> StoredVerdict:
    """Rule on one option of the file."""
    return invest.judge(told(), name, WEEK, AT, "cfo")


def test_gate_rules_to_the_cent_on_what_an_identified_slope_says(
    invest: InvestJob, store: Connections
) -> None:
    """By hand: 100 decisions of 180 ms earned 1,000 dollars; 20 ms less keep 1 / 0.9 of them.

    1,000 / 0.9 - 1,000 = 111.11 a week. A quarter is 91.3125 days, 111.11 x 91.3125 / 7 = 1,449.39.
    Over twelve quarters at 10 % a dollar each is worth 6.81369182: 9,875.70 against 1,000 + 681.37.
    """
    SlopeJob(AttributionConfig(), store).store(slope_version("estimate"))
    row = judged(invest)
    evidence = row.document["evidence"]
    assert evidence["replayed"]["saved_usd"] == {
        "low": "111.11", "median": "111.11", "high": "111.11",
    }  # fmt: skip
    assert row.document["option"]["gain_usd_per_quarter"]["median"] == "1449.39"
    assert (row.ruling, row.gain_low_usd, row.cost_usd) == (
        "fund", Decimal("9875.70"), Decimal("1681.37"),
    )  # fmt: skip
    assert row.document["verdict"]["multiple"] == "5.8736"
    assert (evidence["basis"], evidence["model_version"]) == ("estimate", 1)
    # A claim of ours is held against the same slope: as much as all the latency costs is taken, and
    # no more. 1,000 / 0.9^9 - 1,000 = 1,581.17 a week, and so 20,625.84 a quarter.
    assert judged(invest, "modest").ruling == "fund"
    claimed = judged(invest, "claimed")
    assert claimed.ruling == "refuse"
    assert "all the latency of this window costs 206" in claimed.document["verdict"]["reason"]


def test_gate_refuses_while_no_slope_is_identified_and_says_what_is_missing(
    invest: InvestJob, store: Connections
) -> None:
    """Never estimated, then estimated without success; a claim in the file changes nothing."""
    first = judged(invest)
    assert (first.ruling, first.gain_low_usd, first.cost_usd) == ("refuse", None, None)
    assert "it was never estimated" in first.document["verdict"]["reason"]
    version = slope_version("prior", needed=1_200_000, reason="not yet identified")
    SlopeJob(AttributionConfig(), store).store(version)
    for name in ("faster store", "claimed"):
        row = judged(invest, name)
        assert row.ruling == "refuse"
        assert "1,200,000 more decisions are needed" in row.document["verdict"]["reason"]


def test_gate_says_why_the_experiment_behind_a_gain_was_stopped(
    invest: InvestJob, store: Connections
) -> None:
    """That strangers spoke for it accuses nobody of wrong draws; wrong shares do."""
    experiments = ExperimentJob(AttributionConfig(), store)
    arms = with_control([Arm("slow", 0.1, 40.0)])
    strangers = "300 of 900 decisions came in an arm that is not registered"
    for name, stop in (("one", strangers), ("two", "sample ratio mismatch: chi-square 40.0")):
        experiments.register(
            Experiment(name, "ana", "", arms, {}, BASE_NS, BASE_NS + DAY_NS, Decimal(9)), BASE_NS
        )
        experiments.stop(name, GUARD, stop, BASE_NS + NS_PER_S)
        text = FILE.replace('"estimate"', '"experiment"').replace("a slide", name)
        row = invest.judge(parse_invest("invest.toml", text), "modest", WEEK, AT, "cfo")
        reason = row.document["evidence"]["reason"]
        assert reason.startswith(f"experiment {name} proves nothing: ")
        assert reason.endswith(f"; it was stopped: {stop}")
        assert ("did not fall into its arms" in reason) is (name == "two")


def test_gate_refuses_to_scale_a_day_to_three_years(invest: InvestJob, store: Connections) -> None:
    """A day is no week, however good the slope."""
    SlopeJob(AttributionConfig(), store).store(slope_version("estimate"))
    day = Selection(WEEK.from_ns, WEEK.from_ns + 86_400 * NS_PER_S)
    row = invest.judge(told(), "faster store", day, AT, "cfo")
    assert row.ruling == "refuse"
    assert "from 1 days of decisions; 7 are asked for" in row.document["verdict"]["reason"]


def test_gate_counts_days_that_have_decisions(store: Connections) -> None:
    """A window of a week over a minute and a half of decisions is no week either."""
    SlopeJob(AttributionConfig(), store).store(slope_version("estimate"))
    row = judged(over_days(store, 6))
    assert row.ruling == "refuse"
    assert row.document["evidence"]["replayed"]["days"] == 6
    assert "from 6 days of decisions; 7 are asked for" in row.document["verdict"]["reason"]


def test_gate_refuses_a_slope_that_was_withdrawn_since_the_window(
    invest: InvestJob, store: Connections
) -> None:
    """A window that ended yesterday would be judged by yesterday's slope for good."""
    job = SlopeJob(AttributionConfig(), store)
    job.store(slope_version("estimate"))
    later = (WEEK.to_ns + 86_400 * NS_PER_S, "2033-05-26T00:00:00Z")
    assert invest.judge(told(), "faster store", WEEK, later, "cfo").ruling == "fund"
    withdrawn = slope_version("prior", reason="the delays were not drawn")
    job.store(replace(withdrawn, version=2, effective_ns=WEEK.to_ns + 1))
    for name in ("faster store", "modest"):
        row = invest.judge(told(), name, WEEK, later, "cfo")
        assert row.ruling == "refuse"
        assert "the delays were not drawn" in row.document["verdict"]["reason"]
    job.store(replace(slope_version("estimate"), version=3, effective_ns=WEEK.to_ns + 2))
    reason = invest.judge(told(), "modest", WEEK, later, "cfo").document["verdict"]["reason"]
    assert "rests on slope version 1, and version 3 is in force" in reason


@pytest.mark.parametrize("basis", ["estimate", "what-if"])
def test_gate_refuses_what_goes_beyond_where_a_millisecond_was_measured(
    invest: InvestJob, store: Connections, basis: str
) -> None:
    """Below a knee nobody minds: 150 ms less were funded by arms that had made 220 ms longer."""
    version = replace(slope_version("estimate"), latency_high_ns=260 * NS_PER_MS)
    job = SlopeJob(AttributionConfig(), store)
    job.store(replace(version, latency_low_ns=150 * NS_PER_MS))
    assert judged(invest).ruling == "fund"
    job.store(replace(version, version=2, latency_low_ns=170 * NS_PER_MS))
    said = (
        "the mean latency would go from 180 to 160 ms, and what a ms does was measured between 170 "
        "and 260 ms: beyond that it may do nothing"
    )
    if basis == "estimate":
        row = judged(invest)
        assert (row.ruling, row.gain_low_usd) == ("refuse", None)
        assert row.document["verdict"]["reason"] == said
        assert reproduce(row.document) == row.document
        assert invest.replay_again(row.document) == []
    else:
        changes = told().chosen("faster store").changes()
        answer = Analyst(AttributionConfig(), store).what_if(WEEK, changes, "class")
        assert answer.money is not None
        assert answer.warnings == (said,)


def test_gate_knows_how_likely_it_is_that_a_wait_costs_nothing(
    invest: InvestJob, store: Connections
) -> None:
    """Of a slope that is positive with 72 % nothing is gained with 80 %; dollars stop at 0."""
    median = slope_version("estimate").median_per_ns
    # A normal slope of 0.59 errors: its 5 % quantile is as far below the median as the 95 % above.
    wide = replace(
        slope_version("estimate"),
        low_per_ns=median * (1 - 1.644854 / 0.59),
        high_per_ns=median * (1 + 1.644854 / 0.59),
    )
    SlopeJob(AttributionConfig(), store).store(wide)
    row = judged(invest)
    assert Decimal(row.document["evidence"]["replayed"]["saved_usd"]["low"]) < 0
    assert row.gain_low_usd is not None
    assert row.gain_low_usd < 0
    assert row.ruling == "reject"
    assert reproduce(row.document) == row.document
    assert invest.replay_again(row.document) == []


def test_verdict_is_kept_and_reproduces_from_its_stored_inputs_and_decisions(
    invest: InvestJob, store: Connections
) -> None:
    """What is read back equals what was ruled; decisions that come later are told."""
    SlopeJob(AttributionConfig(), store).store(slope_version("estimate"))
    row = judged(invest)
    assert invest.verdicts() == [row]
    kept = invest.verdict(row.sha256[:8])
    assert reproduce(kept.document) == kept.document
    assert invest.replay_again(kept.document) == []
    put_spans(store, decision("late", 300_000, 180, received_s=400))
    put_sales(store, ["late"], "10", told_s=500)
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    job.drain(BASE_NS + 900 * NS_PER_S)
    wrong = invest.replay_again(kept.document)
    assert wrong[0] == "it was replayed on 100 decisions; 101 now"
    assert "saved, median: 111.11 USD then, 112.22 USD now" in wrong


def test_signature_is_kept_once(invest: InvestJob) -> None:
    """A second one would let somebody put his name in the place of another's."""
    row = judged(invest)
    invest.sign(row, "ab", "pem", AT[0] + 1)
    (kept,) = invest.verdicts()
    assert kept == replace(row, signature="ab", public_key="pem")
    with pytest.raises(InputError, match="signed already"):
        invest.sign(kept, "cd", "pem", AT[0] + 2)


def test_without_values_nothing_is_ruled(store: Connections) -> None:
    """Nobody has said what a decision is worth."""
    put_spans(store, decision("a", 0, 180))
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(BASE_NS + 60 * NS_PER_S)
    row = judged(InvestJob(AttributionConfig(), store))
    assert row.ruling == "refuse"
    assert "no decision of the window has a known value" in row.document["verdict"]["reason"]


def test_verdict_that_is_not_there_is_named(invest: InvestJob) -> None:
    """With what lists them."""
    with pytest.raises(InputError, match="0 verdicts begin with 'ff'"):
        invest.verdict("ff")


def test_comparison_says_from_how_little_a_gain_was_scaled(invest: InvestJob) -> None:
    """A figure over three years is read otherwise when it is known to come from one hour."""
    hour = Selection(WEEK.from_ns, WEEK.from_ns + 3600 * NS_PER_S)
    rows = {each.name: each for each in invest.compare(told(), hour).options}
    assert rows["faster store"].told.endswith(
        "scaled to a quarter from 14 decisions of a window of 0.0417 days"
    )
    assert rows["faster store"].basis == rows["claimed"].basis == "prior"
