"""Where more comes than can be attributed, what came last goes first, and then the rest."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.late.run_times import RunTimes
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import (
    OUTCOMES_CURSOR,
    OUTCOMES_UNTIL_CURSOR,
    read_cursors,
    whole_ns,
)
from tests.support.attribution.attribution_job import (
    SlowClock,
    at,
    computed_afresh,
    everything,
)
from tests.support.attribution.stored import (
    Stored,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    rows,
    trace_id,
)
from tests.support.examples import examples


def job(store: Connections, clock: Callable[[], int]) -> AttributionJob:
    """Return a job that never ran in this process."""
    return AttributionJob(
        AttributionConfig(), AttributesConfig(), store, clock, RunTimes(spans_min=1)
    )


@dataclass
class Arriving:
    """What came since the last run, which stores it: a request costs as much as many rows."""

    store: Connections
    spans: list[Stored] = field(default_factory=list)
    outcomes: list[list[object]] = field(default_factory=list)

    def put(self, draw: random.Random, second: int) -> str:
        """Have two decisions come, and an outcome of one that was before; return a trace."""
        name = f"d{second}"
        self.spans += decision(name, second * 1_000, draw.randrange(50, 200), second + 0.2)
        # The spans of one come in two requests, between which something may be deferred.
        spans = decision(f"e{second}", second * 1_000, draw.randrange(50, 200), second + 0.3)
        later_s = second + 0.3 + draw.random() * 3
        self.spans += [*spans[:1], *(replace(each, received_s=later_s) for each in spans[1:])]
        before = max(second - draw.randrange(40), 0)
        self.outcomes.append(
            outcome(f"o{second}", decision_id=trace_id(f"d{before}"), margin="3.5",
                    event_s=second, received_s=second + 0.5)
        )  # fmt: skip
        return trace_id(name)

    def put_named(self, draw: random.Random, second: int) -> None:
        """Have outcomes come of what comes now, of what came a little before, and of long ago."""
        ago = (second - draw.randrange(3), second - draw.randrange(40),
               -10 * draw.randrange(1, 60), -10 * draw.randrange(1, 180))  # fmt: skip
        self.outcomes += [
            outcome(f"n{second}-{number}", decision_id=trace_id(f"d{before}"), margin="2",
                    event_s=second, received_s=second + 0.4)
            for number, before in enumerate(ago)
        ]  # fmt: skip
        if second > 5:  # and one that turns out to be another decision's
            moved = f"n{draw.randrange(second)}-{draw.randrange(4)}"
            to = trace_id(f"d{draw.randrange(second)}")
            self.outcomes.append(
                outcome(moved, decision_id=to, margin="5", event_s=second + 1,
                        received_s=second + 0.6)
            )  # fmt: skip

    def store_all(self) -> None:
        """Insert what came."""
        if self.spans:
            put_spans(self.store, self.spans)
            put_outcomes(self.store, self.outcomes)
        self.spans, self.outcomes = [], []


def arrive(store: Connections, draw: random.Random, seconds: int) -> list[str]:
    """Store what comes in so many seconds; return a trace of each."""
    arriving = Arriving(store)
    traces = [arriving.put(draw, second) for second in range(seconds)]
    arriving.store_all()
    return traces


def run(running: AttributionJob, second: float) -> None:
    """Run the lane of what comes now; all that was received is stored."""
    running.run_once(at(second), stored_ns=at(second), may_defer=True)


def attributed(store: Connections) -> set[str]:
    """Return the traces of all attributions."""
    return {row["trace_id"] for row in rows(store, "SELECT trace_id FROM attributions FINAL")}


def test_what_came_last_goes_first(store: Connections) -> None:
    """By as much as there is no time for, and only then."""
    draw, clock = random.Random(1), SlowClock()
    running = job(store, clock)
    traces = arrive(store, draw, 60)
    for second in (5, 9, 12):
        run(running, second)
    assert running.deferred_ns == 0
    clock.reading_s = 2
    for second in (16, 20):
        run(running, second)
    assert running.deferred_ns == 0, "one run alone is no reason"
    run(running, 40)
    assert traces[34] in attributed(store), "what settled last"
    assert traces[20] not in attributed(store)
    waits_s = running.deferred_ns / NS_PER_S
    assert 15 < waits_s < 20
    assert whole_ns(read_cursors(store.client())) == at(15)
    report = running.run_late(at(41), lambda: True)
    assert report.cursor_ns == at(-15), "outcomes of half a minute before may still come"
    assert running.deferred_ns / NS_PER_S == waits_s, "there is no time for it"
    clock.reading_s = 0
    for second in (45, 49, 55):
        run(running, second)
    assert running.run_late(at(56), lambda: True).cursor_ns < at(56), "outcomes wait"
    assert running.deferred_ns == 0
    run(running, 75)
    assert running.run_late(at(75), lambda: True).cursor_ns == at(75)
    assert whole_ns(read_cursors(store.client())) == at(70)
    assert everything(store) == computed_afresh(store, 75)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(2)))
def test_nothing_that_was_deferred_is_left_out(store: Connections, seed: int) -> None:
    """However runs are slow, and whenever the process is killed; nothing is done a second time."""
    draw, clock = random.Random(seed), SlowClock()
    running, deferred = job(store, clock), False
    arriving = Arriving(store)
    for second in range(70):
        arriving.put(draw, second)
        is_sure = second in (30, 34, 38)
        if is_sure or draw.random() < 0.3:
            clock.reading_s = 2.0 if is_sure else draw.choice((0.0, 2.0, 2.0, 20.0))
            arriving.store_all()
            run(running, second + 1)
        if draw.random() < 0.2:
            arriving.store_all()
            running.run_late(at(second + 1), lambda: draw.random() < 0.5)
        deferred |= running.deferred_ns > 0
        if not 30 <= second < 39 and draw.random() < 0.03:
            running = job(store, clock)
    arriving.store_all()
    clock.reading_s = 0
    for second in (80, 84, 110):
        run(running, second)
        running.run_late(at(second), lambda: True)
    assert deferred, f"seed {seed} put nothing off"
    revisions = rows(store, "SELECT max(revision) AS most FROM attributions")
    assert revisions[0]["most"] <= 2, "the half of one that was not there at first"
    assert everything(store) == computed_afresh(store, 110), f"seed {seed}"


def test_what_no_collector_says_is_stored_is_deferred_too(store: Connections) -> None:
    """Such a job reads half a minute again each time, but not what it deferred."""
    draw, clock = random.Random(2), SlowClock()
    running = job(store, clock)
    traces = arrive(store, draw, 60)
    clock.reading_s = 2
    for second in (10, 14, 50, 52):
        running.run_once(at(second), may_defer=True)
    assert running.deferred_ns > 30 * NS_PER_S
    assert traces[30] not in attributed(store)
    assert traces[46] in attributed(store)
    clock.reading_s = 0
    for second in (70, 75, 140):
        running.run_once(at(second), may_defer=True)
        running.run_late(at(second), lambda: True)
    assert running.deferred_ns == 0
    assert everything(store) == computed_afresh(store, 140)


def matches(store: Connections) -> list[dict[str, object]]:
    """Return which decisions outcomes are counted to, and what they say."""
    return rows(
        store,
        "SELECT * EXCEPT (revision, is_gone) FROM outcome_matches FINAL WHERE is_gone = 0"
        " ORDER BY ingress_ns, decision_id, outcome_id",
    )


def put_earlier(store: Connections) -> None:
    """Store a decision of every tenth second of the half hour before."""
    spans = [
        span
        for second in range(-1_800, 0, 10)
        for span in decision(f"d{second}", second * 1_000, 100, second + 0.2)
    ]
    put_spans(store, spans)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(1)))
def test_every_outcome_that_comes_while_much_is_deferred_is_counted(
    store: Connections, seed: int
) -> None:
    """Of what is deferred, of what went first, and of what was attributed long before."""
    draw, clock = random.Random(seed), SlowClock()
    put_earlier(store)
    running = job(store, clock)
    running.drain(at(0))
    arriving = Arriving(store)
    for second in range(60):
        arriving.put(draw, second)
        arriving.put_named(draw, second)
        clock.reading_s = 2.0 if 8 < second < 56 else 0.0
        if second % 4 == 3:
            arriving.store_all()
            run(running, second + 1)
            running.run_late(at(second + 1), lambda: draw.random() < 0.8)
        if second == 44:
            running = job(store, clock)
        if 20 < second < 44:
            clock.reading_s = draw.choice((0.0, 2.0))
    cursors = read_cursors(store.client())
    assert cursors[OUTCOMES_UNTIL_CURSOR] > at(40)
    clock.reading_s = 0
    for second in (70, 80, 95):
        run(running, second)
        running.run_late(at(second), lambda: True)
    cursors = read_cursors(store.client())
    assert cursors[OUTCOMES_UNTIL_CURSOR] == cursors[OUTCOMES_CURSOR]
    found = {**everything(store), "matches": matches(store)}
    assert found == {**computed_afresh(store, 95), "matches": matches(store)}, f"seed {seed}"


def test_outcomes_of_long_ago_wait_while_there_is_no_time(store: Connections) -> None:
    """To look up all that came once took minutes, in which nothing that came was attributed."""
    draw, clock = random.Random(3), SlowClock()
    put_earlier(store)
    running = job(store, clock)
    running.drain(at(0))
    arrive(store, draw, 60)
    for second in (5, 9):
        run(running, second)
    clock.reading_s = 2
    for second in (13, 17):
        run(running, second)
    put_outcomes(
        store,
        [outcome("ago", decision_id=trace_id("d-600"), margin="7", event_s=20, received_s=20)],
    )
    report = running.run_once(at(40), stored_ns=at(40), may_defer=True)
    assert report.cursor_ns == at(35), "what came last is there"
    assert "ago" not in {row["outcome_id"] for row in matches(store)}
    assert running.run_late(at(41), lambda: True).cursor_ns == at(-18), "since then some wait"
    clock.reading_s = 0
    for second in (45, 49, 70):
        run(running, second)
    running.run_late(at(70), lambda: True)
    assert "ago" in {row["outcome_id"] for row in matches(store)}


def test_process_that_begins_says_what_waits_before_it_has_done_anything(
    store: Connections,
) -> None:
    """Its first run may take a minute, and what waits is asked for meanwhile."""
    draw, clock = random.Random(4), SlowClock()
    running = job(store, clock)
    arrive(store, draw, 40)
    clock.reading_s = 2
    for second in (5, 9, 35):
        run(running, second)
    waits_ns = running.deferred_ns
    assert waits_ns > 0
    said: list[int] = []

    def asked() -> int:
        said.append(again.deferred_ns)
        return clock()

    again = job(store, asked)
    run(again, 36)
    assert said[0] == waits_ns
