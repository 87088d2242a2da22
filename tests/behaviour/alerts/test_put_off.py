"""What attribution puts off is missing of what a rule judges, by as much as it is missing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.threshold import Threshold, ThresholdConfig
from alerts.state.subject import Subject
from alerts.state.transitions import Status, first_state
from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.late.pace import Pace
from attribution.jobs.late.put_off import PutOff
from collector.core.clock import NS_PER_S
from collector.core.config import AttributesConfig
from collector.store.connect import Connections
from tests.support.alerts.builders import moment, rule
from tests.support.alerts.scene import HURT, INCIDENT_S, Scene, write_arrived
from tests.support.attribution.attribution_job import SlowClock, at
from tests.support.attribution.stored import Stored, decision, put_spans, rows

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
    running = AttributionJob(
        AttributionConfig(), AttributesConfig(), store, clock, Pace(spans_min=1)
    )
    for second in range(110):
        put(store, second)
    for second in (5, 9, 12):
        running.run_once(at(second), stored_ns=at(second), may_put_off=True)
    clock.reading_s = 2
    for second in (16, 20, 80):
        running.run_once(at(second), stored_ns=at(second), may_put_off=True)
    assert running.put_off_ns > 30 * NS_PER_S
    clock.reading_s = 0

    reader = AlertReader(store, Calendars(()).budget_factor)
    now_ns = at(70)
    now = moment(now_ns=now_ns, known_ns=now_ns, end_ns=now_ns, started_ns=0)
    tier = {"budget_share": 0.01, "long_window_s": WINDOW_S, "short_window_s": WINDOW_S - 1}
    burn = DollarBurn(rule(budget_usd=1.5 * WINDOW_S / 0.01, tiers=[tier], events_min=1))
    gone = Threshold(
        ThresholdConfig(name="gone", figure="decisions_per_s", below=2.9, window_length_s=WINDOW_S)
    )
    missed: list[int] = []
    shares: list[Decimal] = []
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
        found = gone.evaluate(gone.read(reader, now, {}), first_state("gone", CLASS, now_ns))
        assert found.seen.status is Status.OK, found.reason
        if running.put_off_ns == 0:
            break
        if each % 8 == 0:
            second = min(84 + each // 2, 110)
            running.run_once(at(second), stored_ns=at(second), may_put_off=True)
        running.run_late(at(110), one_slice)
    assert missed[0] > 30 * PER_SECOND
    assert (missed[-2:], running.put_off_ns) == ([0, 0], 0), "sums first, and then the cursor"
    assert shares[-1] == WINDOW_S


def test_page_does_not_end_while_decisions_of_its_end_are_missing(scene: Scene) -> None:
    """What is there is calm, and a sample of it ended a true page; the rest may burn."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    assert scene.judge() == 1
    begin_ns, put_off = scene.end_ns, PutOff(scene.store)
    put_off.add(begin_ns, begin_ns + 60 * NS_PER_S, begin_ns)
    write_arrived(scene.client, begin_ns, 60, HURT)
    for _ in range(6):  # what came first of each ten seconds was put off
        scene.end_ns += 8 * NS_PER_S
        scene.go_on(2)
        scene.judge()
    assert scene.events() == ["firing"]
    put_off.done(begin_ns + 60 * NS_PER_S)
    scene.go_on(1)
    scene.judge()
    scene.go_on(30)
    scene.judge()
    assert scene.events() == ["firing", "cooling", "resolved"]
