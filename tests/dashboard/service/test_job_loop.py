"""How long a job pauses."""

from __future__ import annotations

import pytest

from dashboard.service.job_loop import paced_s
from dashboard.service.jobs import JOBS


@pytest.mark.parametrize(
    ("took_s", "pause_s"), [(0.0, 3.0), (0.5, 2.0), (1.35, 0.3), (1.5, 0.3), (60.0, 0.3)]
)
def test_next_run_ends_an_interval_after_this_one_began(took_s: float, pause_s: float) -> None:
    """What waits while a long run pauses is seconds older; a job alone takes no whole core."""
    assert paced_s(3.0, took_s) == pytest.approx(pause_s)


def test_attribution_alone_keeps_pace() -> None:
    """Of all that runs again and again nothing else makes every page older when it pauses."""
    assert [job.name for job in JOBS if job.keeps_pace] == ["attribution"]
