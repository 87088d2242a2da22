from __future__ import annotations

from dashboard.api.alerts.progress import Progress, Steps


def test_ticket_is_known_while_its_answer_is_under_way() -> None:
    """Until the last step is done."""
    steps = Steps()
    report = steps.reporter("a", 2)
    assert steps.of("a") == Progress(0, 2)
    report(1)
    assert steps.of("a") == Progress(1, 2)
    report(2)
    assert steps.of("a") == Progress(0, 0)


def test_what_nobody_asks_about_is_not_kept() -> None:
    """Without a ticket, without steps, and of askers that went away."""
    steps = Steps()
    steps.reporter("", 2)(1)
    steps.reporter("none", 0)
    assert (steps.of(""), steps.of("none")) == (Progress(0, 0), Progress(0, 0))
    for number in range(100):
        steps.reporter(f"gone {number}", 5)
    assert steps.of("gone 35") == Progress(0, 0)
    assert steps.of("gone 99") == Progress(0, 5)
