"""When an alert that was held back is told of."""

from __future__ import annotations

from dataclasses import replace

from alerts.state.held import HeldAlert
from collector.core.times import NS_PER_HOUR, NS_PER_S

AT_NS = 2_000_000_000 * NS_PER_S
HELD = HeldAlert(
    episode_id="e", is_hidden=False, reason="", since_ns=AT_NS, judged_ns=AT_NS, from_ns=0,
    ready_ns=AT_NS, grace_ns=30 * NS_PER_S,
)  # fmt: skip


def test_it_is_told_of_once_its_grace_is_over() -> None:
    """Half a minute in which another alert may explain it; never while it is not ready."""
    times_ns = (AT_NS, AT_NS + HELD.grace_ns - 1, AT_NS + HELD.grace_ns)
    assert [HELD.is_due(now_ns) for now_ns in times_ns] == [False, False, True]
    assert [HELD.is_overdue(AT_NS + s * NS_PER_S) for s in (0, 59, 60)] == [False, False, True]
    assert not replace(HELD, ready_ns=0).is_due(AT_NS + NS_PER_HOUR)


def test_clock_that_was_set_back_keeps_no_page_back() -> None:
    """An hour back: it waited for an hour and the grace. A second back makes no page early.

    Nor does an hour tell of it as it began: the next pass, in seconds, says what is true now.
    """
    assert not HELD.is_due(AT_NS - NS_PER_S)
    assert HELD.is_due(AT_NS - NS_PER_HOUR)
    assert not HELD.is_overdue(AT_NS - NS_PER_HOUR)
