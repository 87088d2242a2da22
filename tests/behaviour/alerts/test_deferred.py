"""What attribution puts off is missing of what a rule judges, by as much as it is missing."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.rings import read_sums
from alerts.rules.threshold import Threshold, ThresholdConfig
from alerts.state.subject import Subject
from alerts.state.transitions import Status, first_state
from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.late.deferred import DeferredArrivals
from attribution.jobs.late.run_times import RunTimes
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.support.alerts.builders import moment, rule
from tests.support.alerts.scene import HURT, INCIDENT_S, Scene, write_arrived
from tests.support.attribution.attribution_job import SlowClock, at
from tests.support.attribution.stored import Stored, decision, put_spans, rows
from tests.support.examples import examples

CLASS = Subject("offer", "eu")
PER_SECOND, WINDOW_S = 3, 60


def put(store: Connections, second: int) -> None:
    """Store the decisions of a second, which came three seconds later; a third lose a dollar."""
    spans: list[Stored] = []
    for number in range(PER_SECOND):
        at_ms = second * 1_000 + number * 300
        made = decision(f"{second}-{number}", at_ms, 80, second + 3, decision__value_usd="1")
        status = "Error" if number == 0 else "Unset"
        spans += [replace(made[0], status=status), *made[1:]]
    put_spans(store, spans)


def job(store: Connections, clock: SlowClock) -> AttributionJob:
    """Return a job that never ran in this process."""
    return AttributionJob(
        AttributionConfig(), AttributesConfig(), store, clock, RunTimes(spans_min=1)
    )


def one_slice() -> bool:
    """End a run of the lane after its first slice."""
    return False


def test_budgets_and_rates_are_of_what_is_there_while_the_lane_catches_up(
    store: Connections,
) -> None:
    """A stretch is written in steps, and its cursor moves after the last: no step is a page.

    A dollar a second is lost, of which a budget of 1.5 allows: each window pages nobody, and its
    decisions come at the rate at which they come, whatever of it is written.
    """
    clock = SlowClock()
    running = job(store, clock)
    for second in range(110):
        put(store, second)
    for second in (5, 9, 12):
        running.run_once(at(second), stored_ns=at(second), may_defer=True)
    clock.reading_s = 2
    for second in (16, 20, 80):
        running.run_once(at(second), stored_ns=at(second), may_defer=True)
    assert running.deferred_ns > 30 * NS_PER_S
    clock.reading_s = 0

    reader = AlertReader(store, Calendars(()).budget_factor)
    now_ns = at(70)
    now = moment(now_ns=now_ns, known_ns=now_ns, end_ns=now_ns, started_ns=0)
    tier = {"budget_share": 0.01, "long_window_s": WINDOW_S, "short_window_s": WINDOW_S - 1}
    burn = DollarBurn(rule(budget_usd=1.5 * WINDOW_S / 0.01, tiers=[tier], events_min=1))
    gone = Threshold(
        ThresholdConfig(name="gone", figure="decisions_per_s", below=2.9, window_length_s=WINDOW_S)
    )
    known = replace(first_state("gone", CLASS, now_ns), held_ns=WINDOW_S * NS_PER_S)
    missed: list[int] = []
    shares: list[Decimal] = []
    hourly: list[float] = []
    for each in range(200):
        losses = burn.read(reader, now, {})
        window = losses.by_class[CLASS].since(0, (WINDOW_S,)).window(WINDOW_S)
        missed.append(window.missing)
        (summed,) = rows(
            store,
            "SELECT sum(decisions) AS decisions FROM revenue_cells FINAL"
            f" WHERE second_ns >= {at(10)} AND second_ns < {now_ns}",
        )
        assert window.decisions == summed["decisions"]
        assert window.decisions + window.missing == PER_SECOND * WINDOW_S, f"slice {each}"
        found = burn.evaluate(losses, first_state("burn", CLASS, now_ns))
        assert found.seen.status is not Status.BREACHED, found.reason
        shares.append(found.cost.loss_usd)
        hourly.append(float(found.cost.risk_usd_per_h))
        found = gone.evaluate(gone.read(reader, now, {}), known)
        assert found.seen.status is Status.OK, found.reason
        if running.deferred_ns == 0:
            break
        if each % 8 == 0:
            second = min(84 + each // 2, 110)
            running.run_once(at(second), stored_ns=at(second), may_defer=True)
        running.run_late(at(110), one_slice)
    assert missed[0] > 30 * PER_SECOND
    assert (missed[-2:], running.deferred_ns) == ([0, 0], 0), "sums first, and then the cursor"
    assert shares[-1] == WINDOW_S
    # By the whole window it was a twentieth of what an hour costs.
    assert all(3_000 < each < 4_200 for each in hourly), hourly


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(2)))
def test_what_is_there_and_what_is_missing_are_all_that_arrived(
    store: Connections, seed: int
) -> None:
    """Of each class, in each window, however late its decisions come and whatever is written."""
    draw, clock = random.Random(seed), SlowClock()
    running, reader = job(store, clock), AlertReader(store, Calendars(()).budget_factor)
    was_put_off = was_missing = False
    for second in range(80):
        for number in range(3):
            delay_s = draw.choice((0.2, 1.0, 12.0))
            region = draw.choice(("eu", "us"))
            put_spans(
                store,
                decision(
                    f"{second}-{number}", second * 1_000 + number, draw.randrange(50, 200),
                    second + delay_s, decision__region=region,
                ),
            )  # fmt: skip
        if (is_sure := second in (30, 34, 46)) or draw.random() < 0.3:
            clock.reading_s = 2.0 if is_sure else draw.choice((0.0, 2.0))
            running.run_once(at(second + 1), stored_ns=at(second + 1), may_defer=True)
        if draw.random() < 0.4:
            running.run_late(at(second + 1), one_slice)
        if draw.random() < 0.03:
            running = job(store, clock)
        if not running.deferred_ns:
            continue
        was_put_off = True
        end_ns = at(second - draw.randrange(10))
        starts_ns = {end_ns - each * NS_PER_S for each in (5, 20, 60)}
        found = read_sums(reader.rows, starts_ns, end_ns)
        for start_ns in starts_ns:
            arrived = rows(
                store,
                "SELECT toString(region) AS region, count() AS decisions FROM decisions FINAL"
                f" WHERE ingress_ns >= {start_ns} AND ingress_ns < {end_ns} GROUP BY region",
            )
            for of in arrived:
                window = found[Subject("offer", of["region"])][start_ns]
                assert window.decisions + window.missing == of["decisions"], (seed, second)
                was_missing |= 0 < window.missing < of["decisions"]
    assert was_put_off, f"seed {seed} put nothing off"
    assert was_missing, f"seed {seed} had never a part"


def test_page_does_not_end_while_decisions_of_its_end_are_missing(scene: Scene) -> None:
    """What is there is calm, and a sample of it ended a true page; the rest may burn."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    assert scene.judge() == 1
    begin_ns, deferred = scene.end_ns, DeferredArrivals(scene.store)
    deferred.add(begin_ns, begin_ns + 60 * NS_PER_S, begin_ns)
    write_arrived(scene.client, begin_ns, 60, HURT)
    for _ in range(6):  # what came first of each ten seconds was put off
        scene.end_ns += 8 * NS_PER_S
        scene.go_on(2)
        scene.judge()
    assert scene.events() == ["firing"]
    deferred.finish(begin_ns + 60 * NS_PER_S)
    scene.go_on(1)
    scene.judge()
    scene.go_on(30)
    scene.judge()
    assert scene.events() == ["firing", "cooling", "resolved"]
