from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from attribution.bench.simulator import World, draw_cells, draw_world
from attribution.core.config import AttributionConfig, SlopePrior
from attribution.jobs.attribution import AttributionJob
from attribution.revenue.loss import Slope, slope_of
from attribution.sensitivity.estimate import Demands, SlopeEstimate, Status, estimate_slope
from attribution.sensitivity.instruments import Instrument
from attribution.sensitivity.job import SlopeJob, read_book
from attribution.sensitivity.versions import (
    ESTIMATE,
    PRIOR,
    UNKNOWN,
    SlopeBook,
    SlopeModel,
    is_news,
    model_of,
    numbered,
)
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.stored import (
    BASE_NS,
    decision,
    put_outcome,
    put_spans,
    rows,
    trace_id,
)

PRIOR_SETTINGS = SlopePrior()


def estimate(**changes: object) -> SlopeEstimate:
    """Return an identified estimate: a margin of 4 USD loses 0.002 USD a millisecond."""
    fields: dict[str, object] = {
        "status": Status.IDENTIFIED, "reason": "precise enough", "n": 10**6, "minutes": 600,
        "mean_outcome": 4.0, "basis": "margin", "injection": None,
        "next_ms": next_ms(-0.002, -0.003, -0.001), "delay_max_ms": 80.0,
        "latencies_ms": (90.0, 210.0), "bend": None, "backend": None, "gap": None, "gap_se": None,
        "lost": None, "saved": 0.0,
        "decisions_needed": 0,
    } | changes  # fmt: skip
    fields.setdefault("at_any_look", fields["next_ms"])
    shown = fields["next_ms"] if fields["status"] is Status.IDENTIFIED else None
    for name in ("estimate", "low", "high"):
        fields[name] = getattr(shown, name, None)
    return SlopeEstimate(**fields)  # type: ignore[arg-type]  # one field changed


def next_ms(estimate: float, low: float, high: float) -> Instrument:
    """Return what the next ms does, USD, with its 95 % interval."""
    return Instrument(estimate, (high - low) / 2 / 1.96, low, high, 1e4)


def model(**changes: object) -> SlopeModel:
    """Return a version as it is stored."""
    made = model_of(estimate(), PRIOR_SETTINGS, "margin", (0, 1))
    return replace(made, **changes)  # type: ignore[arg-type]  # one field changed


def test_identified_estimate_is_used_with_its_interval() -> None:
    """0.0005 of the value a millisecond; its 95 % interval narrowed to the 90 % that is used."""
    got = model()
    assert got.source == ESTIMATE
    assert got.median_per_ns == pytest.approx(5e-10)
    assert got.low_per_ns == pytest.approx(5e-10 - 2.5e-10 * 1.644854 / 1.959964)
    assert got.high_per_ns == pytest.approx(5e-10 + 2.5e-10 * 1.644854 / 1.959964)


# 0.5 % per 100 ms of 4 USD are 0.0002 USD a ms.
SAYS_LITTLE = next_ms(-0.0005, -0.0015, 0.0005)
TEN_TIMES = next_ms(-0.002, -0.003, -0.001)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"next_ms": None, "status": Status.UNCONFIRMED}, id="no experiment"),
        pytest.param({"next_ms": SAYS_LITTLE}, id="too few, and it may well be"),
        pytest.param(
            {"next_ms": TEN_TIMES, "at_any_look": SAYS_LITTLE}, id="this one look alone says more"
        ),
        pytest.param({"next_ms": TEN_TIMES, "at_any_look": None}, id="before thirty minutes"),
        pytest.param({"status": Status.LOST}, id="its outcomes are lost"),
        pytest.param({"status": Status.UNSURE}, id="nobody knows which decision sold"),
        pytest.param({"status": Status.NOT_APPLIED}, id="its delays were not waited"),
    ],
)
def test_what_is_not_identified_falls_back_to_the_prior(changes: dict[str, object]) -> None:
    """And the version says why, and how many decisions are missing."""
    told = {"status": Status.NOT_YET, "reason": "9,000 more", "decisions_needed": 9_000} | changes
    got = model_of(estimate(**told), PRIOR_SETTINGS, "margin", (0, 1))
    assert (got.source, got.median_per_ns) == (PRIOR, slope_of(PRIOR_SETTINGS).median)
    assert (got.reason, got.decisions_needed) == ("9,000 more", 9_000)


def test_decisions_that_cost_more_than_they_earn_have_no_share_to_lose() -> None:
    """It was the prior, "precise enough, by delays drawn at random alone"."""
    got = model_of(estimate(mean_outcome=-0.5), PRIOR_SETTINGS, "margin", (0, 1))
    assert (got.source, got.median_per_ns) == (PRIOR, slope_of(PRIOR_SETTINGS).median)
    assert got.reason.startswith("precise enough; the decisions it was measured on cost more than")


@pytest.mark.parametrize(
    ("found", "status"),
    [
        pytest.param(next_ms(0.0, -0.0001, 0.0001), Status.NOT_YET, id="next to nothing"),
        pytest.param(TEN_TIMES, Status.NOT_YET, id="ten times as much"),
        pytest.param(TEN_TIMES, Status.NOT_LINEAR, id="and no line"),
    ],
)
def test_prior_that_an_experiment_contradicts_is_used_no_more(
    found: Instrument, status: Status
) -> None:
    """Nor is what is not precise enough: what lateness costs is unknown, and says so."""
    told = estimate(next_ms=found, status=status, reason="not yet")
    got = model_of(told, PRIOR_SETTINGS, "margin", (0, 1))
    assert got.source == UNKNOWN
    assert "which the prior of 0.500% contradicts" in got.reason
    book = SlopeBook([replace(got, version=1, effective_ns=100)], PRIOR_SETTINGS)
    assert book.slope(100) == Slope(0.0, 0.0, 0.0)
    assert book.sources(np.array([99, 100])) == [PRIOR, UNKNOWN]
    assert book.refusal(100) == got.reason
    assert (book.refusal(99), book.in_force(100)) == ("", None)
    assert book.basis(100, "the prior").startswith("unknown, lateness is in no figure: not yet")
    # What a delay puts at risk is the most that is possible, whatever is in force.
    assert book.cautious(100) == max(got.high_per_ns, slope_of(PRIOR_SETTINGS).high)
    assert book.cautious(99) == slope_of(PRIOR_SETTINGS).high


def test_slower_decisions_that_earn_more_are_no_slope() -> None:
    """Identified, and nothing that anybody would fund: it says to find out why."""
    told = estimate(next_ms=next_ms(0.002, 0.001, 0.003))
    got = model_of(told, PRIOR_SETTINGS, "margin", (0, 1))
    assert got.source == UNKNOWN
    assert "slower decisions earn more" in got.reason


def looks(world: World, seed: int, until: range) -> list[str]:
    """Return what is used after so many minutes of a world, at each look."""
    rng = np.random.default_rng(seed)
    cells, prior = draw_cells(draw_world(world, rng), rng), PRIOR_SETTINGS
    demands = Demands(prior.median_per_100ms / 100)
    return [
        model_of(
            estimate_slope(cells.take(cells.minute < minutes), "", demands), prior, "", (0, 1)
        ).source
        for minutes in until
    ]


def test_prior_that_is_true_is_contradicted_at_no_hour() -> None:
    """A day of looks in worlds of the prior that one look at 95 % of each contradicted."""
    world = World(decisions=144_000, minutes=1_440, cohorts=1, relative_per_ms=5.0125e-5)
    for seed in (3, 7, 8):
        assert set(looks(world, seed, range(60, 1_441, 60))) == {PRIOR}


@pytest.mark.parametrize("relative_per_ms", [1.625e-3, -1.625e-3])
def test_truth_far_from_the_prior_is_found_in_two_hours(relative_per_ms: float) -> None:
    """15 % per 100 ms, or as much more, of which three in ten of twenty a second buy."""
    arms = ((0.5, 0.0), (0.5, 80.0))
    world = World(144_000, arms, 120, 1, conversion=0.3, relative_per_ms=relative_per_ms)
    for seed in range(5):
        told = looks(world, seed, range(5, 121, 5))
        assert set(told[:4]) == {PRIOR}, "of fewer than thirty minutes nothing is contradicted"
        assert told[-1] == UNKNOWN, seed


def test_each_version_is_in_force_from_its_instant_on() -> None:
    """A second computed again a year later gives the dollars that it gave."""
    first = model(version=1, effective_ns=100)
    second = model(version=2, effective_ns=200, source=PRIOR)
    third = model(version=3, effective_ns=300, median_per_ns=9e-10)
    book = SlopeBook([third, first, second], PRIOR_SETTINGS)
    instants = np.array([99, 100, 199, 200, 300])
    prior = slope_of(PRIOR_SETTINGS).median
    assert book.slopes(instants).median.tolist() == [
        prior, first.median_per_ns, first.median_per_ns, prior, 9e-10,
    ]  # fmt: skip
    assert book.sources(instants) == [PRIOR, ESTIMATE, ESTIMATE, PRIOR, ESTIMATE]
    assert book.slope(300).median == 9e-10
    assert book.last == third
    assert book.basis(100, "the prior").startswith(
        "slope version 1, estimated on the margin of 1,0"
    )
    assert (book.basis(99, "the prior"), book.basis(250, "the prior")) == ("the prior",) * 2
    assert SlopeBook([], PRIOR_SETTINGS).sources(instants) == [PRIOR] * 5


def test_steps_of_a_range_are_the_slopes_in_force_in_it() -> None:
    """Whoever values decisions one by one does it as the cells of their second were."""
    models = [model(version=at, effective_ns=100 * at) for at in (1, 2, 3)]
    book = SlopeBook(models, PRIOR_SETTINGS)
    for begin, instants in ((50, [0, 100, 200]), (100, [0, 200]), (150, [0, 200])):
        steps = book.steps(begin, 300)
        assert [since for since, _ in steps] == instants
        assert [slope for _, slope in steps] == [book.slope(at or begin) for at in instants]
    assert SlopeBook([], PRIOR_SETTINGS).steps(0, 1) == [(0, slope_of(PRIOR_SETTINGS))]


def test_only_news_makes_a_version() -> None:
    """A median that wobbles within its interval would give a version a run."""
    last = model(version=4)
    assert not is_news(last, last)
    assert is_news(last, None)
    width = last.high_per_ns - last.low_per_ns
    assert not is_news(replace(last, median_per_ns=last.median_per_ns + 0.2 * width), last)
    assert is_news(replace(last, median_per_ns=last.median_per_ns + 0.3 * width), last)
    assert is_news(replace(last, source=PRIOR), last)
    assert is_news(replace(last, config_hash="other"), last)
    assert numbered(last, last, 7).version == 5


def test_how_many_decisions_are_missing_is_news() -> None:
    """The gate refuses with the number of the last version, which was true some weeks ago."""
    last = model(source=PRIOR, decisions_needed=21_000_000)
    assert is_news(replace(last, decisions_needed=1_000_000), last)
    assert not is_news(replace(last, decisions_needed=20_000_000), last)
    assert is_news(replace(last, decisions_needed=None), last)
    assert not is_news(replace(last, decisions_needed=None), replace(last, decisions_needed=None))


def test_low_end_as_it_was_estimated_is_below_zero_where_dollars_stop() -> None:
    """How sure it is that a wait costs anything is in the part that dollars leave out."""
    told = estimate(next_ms=next_ms(-0.002, -0.006, 0.002))
    wide = model_of(told, PRIOR_SETTINGS, "margin", (0, 1))
    assert wide.low_per_ns < 0.0
    book = SlopeBook([replace(wide, version=1, effective_ns=100)], PRIOR_SETTINGS)
    assert book.slope(100).low == 0.0
    signed = book.signed(100)
    # 1e-9 is the half width of the 95 % interval, a thousandth of the value over a millisecond.
    assert signed.low == pytest.approx(5e-10 - 1e-9 * 1.644854 / 1.959964)
    assert (signed.median, signed.high) == (wide.median_per_ns, wide.high_per_ns)
    assert book.signed(99) == slope_of(PRIOR_SETTINGS)
    sure = SlopeBook([model(version=1, effective_ns=100)], PRIOR_SETTINGS)
    assert sure.signed(100) == sure.slope(100)


def test_truth_of_a_simulated_world_is_what_is_used() -> None:
    """From cells to the slope that dollars are computed with, where the truth is known."""
    rng = np.random.default_rng(5)
    cells = draw_cells(draw_world(World(decisions=400e6), rng), rng)
    truth = World(decisions=400e6).relative_per_ms
    got = model_of(
        estimate_slope(cells, "simulated", Demands(0.005 / 100)), PRIOR_SETTINGS, "margin", (0, 1)
    )
    assert got.source == ESTIMATE
    assert got.low_per_ns * 1e6 < truth < got.high_per_ns * 1e6


def test_dollars_follow_the_version_of_their_second(store: Connections) -> None:
    """One decision before and one after a version: each keeps its own slope when all is redone."""
    put_spans(store, decision("a", 0, 180) + decision("b", 60_000, 180))
    put_outcome(store, "o1", decision_id=trace_id("a"), margin="10")
    put_outcome(store, "o2", decision_id=trace_id("b"), margin="10", event_s=61, received_s=61)
    config = AttributionConfig()
    steep = model(
        version=1, computed_ns=BASE_NS, effective_ns=BASE_NS + 30 * NS_PER_S,
        median_per_ns=1e-8, low_per_ns=5e-9,
        high_per_ns=2e-8,
    )  # fmt: skip
    job = AttributionJob(config, AttributesConfig(), store)
    SlopeJob(config, store).store(steep)
    job.drain(BASE_NS + 100 * NS_PER_S)
    asked = "SELECT second_ns, loss_usd, slope_source FROM revenue_cells FINAL ORDER BY second_ns"
    first = rows(store, asked)
    job.recompute(BASE_NS, BASE_NS + 90 * NS_PER_S, BASE_NS + 100 * NS_PER_S)

    late_ns = 100e6
    prior_kept, steep_kept = (
        round(math.exp(-beta * late_ns), 9) for beta in (slope_of(PRIOR_SETTINGS).median, 1e-8)
    )
    assert [(row["slope_source"], row["loss_usd"]) for row in first] == [
        ("prior", usd(10 * math.expm1(slope_of(PRIOR_SETTINGS).median * late_ns))),
        # Ten dollars each are what was left of two sound ones, at a slope each.
        ("estimate", usd(20 / (prior_kept + steep_kept) * (1 - steep_kept))),
    ]
    assert rows(store, asked) == first


def usd(amount: float) -> Decimal:
    """Return an amount as the cells hold it."""
    return Decimal(round(amount * 1_000_000)) / 1_000_000


def test_slope_job_says_what_is_missing_and_makes_one_version(store: Connections) -> None:
    """Without a randomised delay nothing is identified; asked again, nothing new is stored."""
    put_spans(
        store, [each for index in range(5) for each in decision(f"d{index}", 100 * index, 100)]
    )
    put_outcome(store, "o1", decision_id=trace_id("d0"), margin="10")
    config = AttributionConfig(outcome_delay_s=0)
    AttributionJob(config, AttributesConfig(), store).drain(BASE_NS + 60 * NS_PER_S)
    job = SlopeJob(config, store)
    first = job.run_once(BASE_NS + 120 * NS_PER_S)
    assert (first.stored, first.model.source, first.model.outcome) == (1, PRIOR, "margin")
    assert (first.model.status, first.model.decisions) == (str(Status.UNCONFIRMED), 5)
    assert "no delay was injected at random" in first.model.reason
    assert job.run_once(BASE_NS + 180 * NS_PER_S).stored is None
    assert read_book(store, config).last == first.model
