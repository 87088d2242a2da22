"""The score of the bench of alerts counts what it says."""

from __future__ import annotations

import numpy as np
import pytest

from alerts.bench.approaches import Alert, Alerts
from alerts.bench.score import score
from alerts.bench.world import SIGNIFICANT_USD, STEPS, Class, Incident, World


def world(*incidents: Incident) -> World:
    """Return a world that loses a dollar a step in its incidents."""
    lost = np.zeros(STEPS)
    for each in incidents:
        lost[each.start : each.end] = 1.0
    none = np.zeros(STEPS, np.int64)
    idle = Class(none, none, lost, lost, lost)
    return World((idle, idle), incidents, lost)


def test_score_counts_second_pages_and_silence() -> None:
    """Of three incidents one is paged twice, one is a ticket, one is missed; one page is false."""
    twice = Incident("a", 1_000, 1_400, 400.0)
    ticketed = Incident("b", 3_000, 3_400, 400.0)
    missed = Incident("c", 5_000, 5_400, 400.0)
    small = Incident("d", 7_000, 7_010, 10.0)
    assert not small.is_significant
    assert SIGNIFICANT_USD == 200.0
    alerts = Alerts(
        pages=(Alert(1_100, 1_200), Alert(1_300, 1_460), Alert(7_005, 7_100)),
        tickets=(Alert(3_200, 4_000),),
    )

    scored = score(world(twice, ticketed, missed, small), alerts)

    assert scored == {
        "pages": 3.0,
        "precision": pytest.approx(1 / 3),
        "recall": pytest.approx(1 / 3),
        "silent_ratio": pytest.approx(1 / 3),
        "detect_p50_s": 1_000.0,
        "lost_before_p50": 0.25,
        "reset_p50_min": 10.0,
    }
