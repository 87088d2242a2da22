"""One count of alerts for the pages, the commands and the API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard.read.alerts.counts import Counts, count_alerts
from tests.support.dashboard.alert_rows import BURN


@pytest.mark.parametrize(
    ("state", "is_shadow", "started_ns", "said"),
    [
        ("firing", False, 1, "1 firing"),
        ("cooling", False, 1, "0 firing, 1 cooling"),
        ("unknown", False, 1, "0 firing, 1 unknown"),
        ("cooling", True, 1, "0 firing, 1 in shadow"),
        ("unknown", True, 1, "0 firing, 1 in shadow"),
        ("unknown", False, 0, "0 firing, 1 unknown"),
        ("unknown", True, 0, "0 firing"),
        ("pending", True, 0, "0 firing"),
        ("resolved", False, 1, "0 firing"),
    ],
)
def test_alert_is_counted_once(state: str, is_shadow: bool, started_ns: int, said: str) -> None:
    """`82 firing`, of which half were in shadow and the others cooled, were three numbers.

    Of a live one that cannot be judged nobody knows that it would not fire.
    """
    alert = replace(BURN, state=state, is_shadow=is_shadow, started_ns=started_ns)
    assert count_alerts([alert]).text == said


def test_all_that_is_there_is_said_in_one_order() -> None:
    """What fires first, though it be none."""
    assert Counts(1_200, 3, 2, 40).text == "1,200 firing, 3 cooling, 2 unknown, 40 in shadow"
    assert count_alerts([]) == Counts(0, 0, 0, 0)
