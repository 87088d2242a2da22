"""What came late is attributed beside what comes now, which does not wait for it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from attribution.jobs.attribution import AttributionJob
from collector.core.times import NS_PER_DAY, NS_PER_MS
from collector.store.connect import Connections
from collector.store.cursors import attributed_ns, read_cursors
from tests.support.attribution.attribution_job import at, computed_afresh, everything, job
from tests.support.attribution.stored import (
    Stored,
    attributions,
    decision,
    outcome,
    put_outcomes,
    put_spans,
    rows,
    trace_id,
)
from tests.support.examples import examples

DAYS = 20
LATE = 40
DAY_MS = NS_PER_DAY // NS_PER_MS


def one_slice() -> bool:
    """End a run after its first slice."""
    return False


def put_late(store: Connections, draw: random.Random, received_s: float) -> list[str]:
    """Store decisions of the last days, received at one instant; return their traces."""
    names = [f"late{number}" for number in range(LATE)]
    spans: list[Stored] = []
    for number, name in enumerate(names):
        ago_ms = DAY_MS * DAYS * (number + 1) // LATE
        tie = {"decision__id": f"own-{name}"} if number % 13 == 7 else {}
        spans += decision(name, -ago_ms, draw.randrange(50, 200), received_s,
                          decision__region=draw.choice(["eu", "us"]), **tie)  # fmt: skip
        if number % 11 == 3:
            spans.append(Stored("far", "", 5 - ago_ms, 20, "Server", f"far-{name}",
                                received_s=received_s, links=((name, "root"),)))  # fmt: skip
    put_spans(store, spans)
    put_outcomes(
        store,
        [
            outcome(f"o{name}", decision_id=trace_id(name), margin="3.5", received_s=received_s,
                    event_s=1 - DAY_MS * DAYS * (number + 1) // LATE / 1_000)
            for number, name in enumerate(names) if number % 4 == 0
        ],
    )  # fmt: skip
    return names


def put_live(store: Connections, second: int) -> str:
    """Store a decision that comes as it happens; return its trace."""
    name = f"live{second}"
    put_spans(store, decision(name, second * 1_000, 80, second + 0.2))
    return name


def run_live(running: AttributionJob, second: float) -> None:
    """Run the lane of what comes now; all that was received is stored."""
    running.run_once(at(second), stored_ns=at(second))


def attributed(store: Connections) -> set[str]:
    """Return the traces of all attributions."""
    return {row["trace_id"] for row in rows(store, "SELECT trace_id FROM attributions FINAL")}


def before(store: Connections, draw: random.Random) -> AttributionJob:
    """Return a job over a store of some days that has attributed all of it."""
    for day in (0, 10):
        spans: list[Stored] = []
        for number in range(6):
            start_ms = number * 10_800_000 - (day + 1) * DAY_MS
            spans += decision(f"old{day}-{number}", start_ms, draw.randrange(60, 140), -3_600.0)
        put_spans(store, spans)
    running = job(store)
    running.drain(at(-1_000))
    run_live(running, 0)
    return running


def test_live_decisions_do_not_wait_for_late_ones(store: Connections) -> None:
    """64 late decisions of 20 days once held up what came in for over two minutes."""
    draw = random.Random(1)
    running = before(store, draw)
    names = put_late(store, draw, 1.0)
    second, slices, waits = 8, 0, True
    while waits:
        live = put_live(store, second)
        run_live(running, second + 6)
        assert trace_id(live) in attributed(store), f"after {slices} slices"
        report = running.run_late(at(second + 6), one_slice)
        waits = report.cursor_ns < at(second + 6)
        if waits:
            assert attributed_ns(read_cursors(store.client())) == report.cursor_ns
        slices, second = slices + 1, second + 8
    assert slices > 4, "it is cut into slices"
    assert {trace_id(name) for name in names} <= attributed(store)
    assert attributed_ns(read_cursors(store.client())) >= at(second - 8)
    assert everything(store) == computed_afresh(store, second)


def test_what_comes_after_a_clock_was_set_back_is_not_late(store: Connections) -> None:
    """Arrivals are dated on from where the clock was: what happens now happened a day before."""
    running = job(store)
    put_spans(store, decision("now", -DAY_MS, 100, 1.0))
    put_outcomes(
        store, [outcome("o", decision_id=trace_id("now"), received_s=1.5, event_s=1 - DAY_MS / 1e3)]
    )
    report = running.run_once(at(10), clock_ahead_ns=NS_PER_DAY)
    assert (report.attributed, report.cells_rewritten) == (1, 1)
    assert everything(store) == computed_afresh(store, 11)


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(1)))
def test_process_killed_between_slices_loses_and_doubles_nothing(
    store: Connections, seed: int
) -> None:
    """What is late is found again from when it came; what was done comes out as it is stored."""
    draw = random.Random(seed)
    running = before(store, draw)
    put_late(store, draw, 1.0)
    for second in range(8, 120, 8):
        put_live(store, second)
        run_live(running, second + 6)
        running.run_late(at(second + 6), one_slice)
        if draw.random() < 0.3:
            running = job(store)
    run_live(running, 130)
    running.run_late(at(130), lambda: True)
    revisions = rows(store, "SELECT max(revision) AS most FROM attributions")
    assert revisions == [{"most": 1}]
    assert everything(store) == computed_afresh(store, 130)


def test_late_outcome_is_counted_in_its_own_lane(store: Connections) -> None:
    """It changes the value of every second of the day after it, and moves between decisions."""
    draw = random.Random(3)
    running = before(store, draw)
    names = put_late(store, draw, 1.0)
    run_live(running, 10)
    running.run_late(at(10), lambda: True)
    put_outcomes(
        store,
        [
            outcome(f"o{names[4 * number]}", decision_id=trace_id(names[4 * number + 1]),
                    margin="9", event_s=0, received_s=12)
            for number in range(10)
        ],
    )  # fmt: skip
    run_live(running, 30)
    assert running.run_late(at(30), one_slice).cursor_ns < at(12)
    restarted = job(store)
    run_live(restarted, 31)
    restarted.run_late(at(31), lambda: True)
    assert everything(store) == computed_afresh(store, 31)


def day_mean(found: list[dict[str, Any]], cell: dict[str, Any]) -> float:
    """Return what a decision of a cell's class earned on average in the day up to it."""
    day = [
        each
        for each in found
        if each["region"] == cell["region"]
        and cell["second_ns"] - NS_PER_DAY < each["second_ns"] <= cell["second_ns"]
    ]
    return float(sum(each["margin_usd"] for each in day) / sum(each["known"] for each in day))


def test_value_follows_from_the_day_before_wherever_it_was_touched(store: Connections) -> None:
    """What was touched minutes apart was once still earned in the minutes after its day."""
    spans: list[Stored] = []
    for minute in range(0, 2 * 24 * 60, 97):
        spans += decision(f"m{minute}", minute * 60_000 - 2 * DAY_MS, 90, 1.0)
    put_spans(store, spans)
    put_outcomes(
        store,
        [
            outcome(f"o{minute}", decision_id=trace_id(f"m{minute}"), margin=str(minute % 7 + 1),
                    event_s=(minute + 1) * 60 - 2 * 86_400)
            for minute in range(0, 2 * 24 * 60, 97)
        ],
    )  # fmt: skip
    running = job(store)
    running.drain(at(10))
    put_spans(store, decision("a", 1_000 - 2 * DAY_MS, 90, 12.0))
    put_spans(store, decision("b", 500_000 - 2 * DAY_MS, 90, 12.0))
    run_live(running, 30)
    running.run_late(at(30), lambda: True)
    found = rows(store, "SELECT * FROM revenue_cells FINAL")
    assert [float(each["earned_usd"] / each["decisions"]) for each in found] == pytest.approx(
        [day_mean(found, each) for each in found], abs=1e-5
    )


def test_each_cell_is_valued_once_however_much_came_late(store: Connections) -> None:
    """Every group of late decisions once valued the whole day behind it anew."""
    draw = random.Random(4)
    running = before(store, draw)
    put_late(store, draw, 1.0)
    run_live(running, 10)
    report = running.run_late(at(10), lambda: True)
    cells = rows(store, "SELECT count() AS cells FROM revenue_cells FINAL")[0]["cells"]
    assert report.attributed == LATE
    assert report.cells_rewritten <= cells


def test_late_lane_that_has_nothing_to_do_asks_the_store_nothing(store: Connections) -> None:
    """It is run every second."""
    running = before(store, random.Random(5))
    running.run_late(at(1), one_slice)
    asked = "SELECT value FROM system.events WHERE event = 'Query'"
    (first,) = rows(store, asked)
    for second in range(2, 5):
        assert running.run_late(at(second), one_slice).cursor_ns == at(second)
    (last,) = rows(store, asked)
    assert last["value"] - first["value"] == 1, "the question itself"


def test_late_data_are_older_than_what_comes_a_little_late(store: Connections) -> None:
    """A batch that was held up for minutes is attributed with what comes now."""
    running = before(store, random.Random(6))
    put_spans(store, decision("held", -8 * 60_000, 80, 1.0))
    run_live(running, 10)
    assert trace_id("held") in attributed(store)
    assert running.run_late(at(10), one_slice).cursor_ns == at(10)


def store_late(
    store: Connections, draw: random.Random, received_s: Sequence[int], stored_s: int
) -> list[str]:
    """Store what a collector had received at these instants, and tell of it; return the traces."""
    names = [f"kept{second}" for second in received_s]
    put_spans(
        store,
        [
            span
            for name, second in zip(names, received_s, strict=True)
            for span in decision(name, second * 1_000 - 500, draw.randrange(60, 140), second)
        ],
    )
    put_outcomes(
        store,
        [
            outcome(f"o{name}", decision_id=trace_id(name), margin="3.5", event_s=second,
                    received_s=second)
            for name, second in zip(names, received_s, strict=True) if second % 2
        ],
    )  # fmt: skip
    for signal in ("traces", "logs"):
        row = [at(stored_s), signal, at(min(received_s)), at(max(received_s))]
        store.client().insert("delayed_inserts", [row])
    return names


@pytest.mark.drawn
@pytest.mark.parametrize("seed", range(examples(2)))
def test_what_another_process_stored_late_is_attributed(store: Connections, seed: int) -> None:
    """Attribution elsewhere reads on by the clock, past what the store was too far away for."""
    draw = random.Random(seed)
    running = job(store)
    running.run_once(at(0))
    kept: list[int] = []
    names: list[str] = []
    for second in range(10, 400, 10):
        if draw.random() < 0.4:
            kept += [second + 1, second + 2]
        else:
            put_live(store, second)
        if len(kept) > 4 and draw.random() < 0.3:
            names += store_late(store, draw, kept, second)
            kept = []
        running.run_once(at(second + 8))
        running.run_late(at(second + 8), one_slice)
        if draw.random() < 0.1:
            running = job(store)
    for second in range(440, 500, 10):
        running.run_once(at(second))
        running.run_late(at(second), lambda: True)
    assert {trace_id(name) for name in names} <= attributed(store), f"seed {seed}"
    assert everything(store) == computed_afresh(store, 500), f"seed {seed}"


def test_what_was_stored_late_is_read_again_once(store: Connections) -> None:
    """By whoever was there, and by whoever begins after a day."""
    running = job(store)
    put_live(store, 1)
    running.run_once(at(20))
    store_late(store, random.Random(7), [4, 5], 200)
    running.run_once(at(210))
    assert running.run_late(at(210), one_slice).cursor_ns < at(4)
    assert running.run_late(at(210), lambda: True).cursor_ns == at(210)
    for later in (211, 900, 910, 90_000):
        again = job(store) if later == 90_000 else running
        again.run_once(at(later))
        assert again.run_late(at(later), one_slice).cursor_ns == at(later)


def put_skewed(store: Connections, count: int, off_ms: int, received_s: float) -> set[str]:
    """Store decisions of now, the clock of whose child is off; return their traces."""
    names = [f"off{off_ms}-{number}" for number in range(count)]
    spans: list[Stored] = []
    for number, name in enumerate(names):
        spans += decision(name, number, 100, received_s)
        spans.append(Stored("exec", "post", number + 45 + off_ms, 10, "Server", name,
                            "db", received_s=received_s))  # fmt: skip
    put_spans(store, spans)
    return {trace_id(name) for name in names}


@pytest.mark.parametrize("off_ms", [-2 * 3_600_000, -9 * DAY_MS])
def test_clock_of_a_child_that_is_off_holds_up_nobody(store: Connections, off_ms: int) -> None:
    """Each such trace was a slice by itself, so that what else came late waited without end."""
    running = before(store, random.Random(8))
    skewed = put_skewed(store, 60, off_ms, 1.0)
    put_spans(store, decision("offline", -1_200_000, 80, 1.0))
    run_live(running, 10)
    slices = 0
    while running.run_late(at(10), one_slice).cursor_ns < at(10):
        slices += 1
    assert slices < 10, "they go together"
    assert {*skewed, trace_id("offline")} <= attributed(store)
    found = [row["span_count"] for row in attributions(store) if row["trace_id"] in skewed]
    assert found == 60 * [4]
    assert everything(store) == computed_afresh(store, 11)


def test_trace_over_days_reads_the_minutes_that_it_has_spans_in(store: Connections) -> None:
    """It read all of the days between."""
    running = before(store, random.Random(9))
    others = [
        Stored("s", "", n * 20_000 - 8 * DAY_MS, 10, trace=f"n{n}", received_s=n / 10 - 2_000)
        for n in range(20_000)
    ]
    put_spans(store, others)
    running.drain(at(1.5))
    put_skewed(store, 3, -9 * DAY_MS, 2.0)
    run_live(running, 12)
    read = "SELECT value FROM system.events WHERE event = 'SelectedRows'"
    (first,) = rows(store, read)
    running.run_late(at(12), lambda: True)
    (last,) = rows(store, read)
    assert last["value"] - first["value"] < 20_000
