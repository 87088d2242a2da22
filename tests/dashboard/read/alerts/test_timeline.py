"""What happened to one alert, in the order in which it happened."""

from __future__ import annotations

from dataclasses import replace

from alerts.people.matchers import parse_matchers
from alerts.people.silences import Silence
from alerts.rows import rate_text
from alerts.state.deliveries import Delivery
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from dashboard.read.alerts.timeline import timeline
from dashboard.units import Zone
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event

MINUTE = NS_PER_MINUTE


def delivery(status: str, tried_ns: int) -> Delivery:
    """Return the message of an alert that began to fire now."""
    return Delivery("pager", 1, "alert.firing", status, 1, NOW_NS, tried_ns, "HTTP 204", b"")


def test_message_stands_where_it_was_sent() -> None:
    """Held back by a silence for seven minutes, it was said to be delivered when it was written."""
    sent = timeline([event()], [delivery("delivered", NOW_NS + 7 * MINUTE)], [], [], Zone(), NOW_NS)
    waits = timeline([event()], [delivery("pending", 0)], [], [], Zone(), NOW_NS)
    assert [(each.kind, each.at_ns) for each in sent] == [
        ("message", NOW_NS + 7 * MINUTE), ("changed", NOW_NS),
    ]  # fmt: skip
    assert {each.at_ns for each in waits} == {NOW_NS}


def test_alert_that_is_told_late_has_a_line_of_its_own() -> None:
    """With the figures that it was told with; a cause that is another is said as such."""
    again = {"from_state": "firing", "to_state": "firing", "at_ns": NOW_NS + MINUTE}
    late = event(seq=2, reason="because; delivery: held back for 60 s (a silence)", **again)
    other = event(seq=3, blamed_stage="egress", **again)
    lines = timeline([event(), late, other], [], [], [], Zone(), NOW_NS)
    assert [(each.kind, each.text) for each in lines[:2]] == [
        ("cause", "the cause is now egress/store, +120.0 ms a decision"),
        (
            "changed",
            "firing; $7,407 / h at the rate of its newest seconds: because; delivery: "
            "held back for 60 s (a silence)",
        ),
    ]


def test_change_that_was_found_late_says_when() -> None:
    """Silence is dated by the last decision before it, and found five minutes later."""
    silent = event(to_state="unknown", reason="no decisions of a/r for 5 min")
    texts = [
        timeline([replace(silent, recorded_ns=silent.at_ns + late_ns)], [], [], [], Zone(), NOW_NS)
        for late_ns in (10 * NS_PER_S, 5 * MINUTE)
    ]
    assert [lines[0].text.partition("; found at ")[::2] for lines in texts] == [
        (text := texts[0][0].text, ""),
        (text, Zone().dated_at(silent.at_ns + 5 * MINUTE, NOW_NS)),
    ]


def test_rate_of_a_change_stands_once() -> None:
    """`$1,327 / h at risk: $1,327/h at risk`, in one line, under a card with another figure."""
    rate = rate_text("$7,407/h", "5 s")
    (line,) = timeline([event(reason=f"{rate}, 3% of it")], [], [], [], Zone(), NOW_NS)
    assert line.text == f"inactive → firing: {rate}, 3% of it"


def test_calls_have_a_line_where_they_are_named() -> None:
    """And none where news of the failures came, of which the calls are not read yet."""
    again = {"from_state": "firing", "to_state": "firing"}
    slower = "slower is payments: INSERT charge, +399 ms in 28 of 30 decisions"
    named = event(seq=2, slow_call_text=slower, **again)
    news = event(seq=3, reason="30% of its decisions fail; because", **again)
    lines = timeline([event(), named, news], [], [], [], Zone(), NOW_NS)
    assert [(each.kind, each.text.partition(": ")[2]) for each in lines[:2]] == [
        ("changed", "30% of its decisions fail; because"),
        ("cause", slower.partition(": ")[2]),
    ]


def test_end_of_a_silence_has_its_day_by_the_clock_of_the_reader() -> None:
    """One of forty hours read as if it ended tonight, and by UTC whatever clock was chosen."""
    ends_ns, matchers = NOW_NS + 40 * NS_PER_HOUR, parse_matchers(["rule=burn"])
    long = Silence(4, matchers, NOW_NS, ends_ns, "anna", "move", NOW_NS, "")
    short = replace(long, ends_ns=NOW_NS + NS_PER_MINUTE)
    for zone in (Zone(), Zone("Asia/Kolkata")):
        for silence, until in ((long, zone.second(ends_ns)), (short, zone.clock(short.ends_ns))):
            (line,) = timeline([], [], [], [silence], zone, NOW_NS)
            mark = zone.mark(silence.ends_ns)
            assert line.text == f"silence 4 until {until} {mark} (rule=burn): move"


def test_silence_that_ended_has_a_line_for_its_end() -> None:
    """Messages went out again at an instant at which, by the timeline, nothing happened."""
    ends_ns = NOW_NS + NS_PER_MINUTE
    silence = Silence(1, parse_matchers(["rule=burn"]), NOW_NS, ends_ns, "anna", "x", NOW_NS, "")
    for now_ns, said in (
        (ends_ns - 1, []),
        (ends_ns, [(ends_ns, "", "silence 1 ended in its time")]),
    ):
        *ended, _ = timeline([], [], [], [silence], Zone(), now_ns)
        assert [(each.at_ns, each.actor, each.text) for each in ended] == said


def test_silence_that_was_ended_says_what_it_was_to_be() -> None:
    """`silence 1 until 22:10` of one made for two hours, and nobody could say why it ended."""
    planned_ns, ended_ns = NOW_NS + NS_PER_HOUR, NOW_NS + NS_PER_MINUTE
    made = Silence(1, parse_matchers(["rule=burn"]), NOW_NS, ended_ns, "anna", "x", NOW_NS, "bob")
    older, newer = made, replace(made, planned_ns=planned_ns, end_reason="it is over")
    for silence, until_ns, why in ((older, ended_ns, ""), (newer, planned_ns, ": it is over")):
        by, of = timeline([], [], [], [silence], Zone(), ended_ns)
        assert (by.at_ns, by.actor) == (ended_ns, "bob")
        assert by.text == f"silence 1 ended before its time{why}"
        assert of.text.startswith(f"silence 1 until {Zone().dated_at(until_ns, ended_ns)} (")
