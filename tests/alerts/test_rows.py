"""Rows of alerts, and what is said of them in words."""

from __future__ import annotations

from alerts.delivery.alertmanager import annotations_of
from alerts.delivery.payload import NO_DETAILS, body
from alerts.rows import event_from_json, failing_text, to_json
from alerts.rules.base import NO_WORDING
from tests.support.alerts.builders import event

CALL = "payments: INSERT charge"


def test_calls_are_not_cut_off_behind_a_long_reason() -> None:
    """The path of a usual alert alone has 480 of 500 characters."""
    first = f"first to fail is {CALL}, in 28 of 30 failed decisions"
    slower = f"slower is {CALL}, +399 ms in 28 of 30 decisions"
    named = event(failing_call_text=first, slow_call_text=slower, reason="x" * 900)
    assert annotations_of(named, NO_WORDING)["description"].startswith(f"{first}; {slower}; xxx")
    assert f'"reason":"{first}; {slower}; xxx'.encode() in body("a", named, NO_WORDING, NO_DETAILS)


def test_event_of_before_its_cause_was_kept_is_read() -> None:
    """The alert state is a file that outlives a version."""
    old = event(failing_share=0.25, focus="a/us", slow_call=CALL)
    assert event_from_json(to_json(old)) == old
    texts = to_json(event())
    for name in ("focus", "blamed_baseline", "failing_call", "failing_call_text"):
        texts = texts.replace(f'"{name}": "", ', "")
    assert event_from_json(texts) == event()


def test_share_that_fails_says_whose_decisions_they_are() -> None:
    """Of an alert on several classes it is true of one alone."""
    assert failing_text(0.0) == ""
    assert failing_text(0.16) == "16% of its decisions fail"
    assert failing_text(0.004, "b/us", "failed") == "0.4% of the decisions of b/us failed"
