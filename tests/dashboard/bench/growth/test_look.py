"""When what came late is done."""

from __future__ import annotations

import pytest

from dashboard.bench.growth.look import Look, late_done_at


def looks(*seen: tuple[float, float]) -> list[Look]:
    """Return looks a second apart: rows that the late job has read, and how far it is behind."""
    return [
        Look(number, 0.0, {"late": behind_s}, {"job late": rows}, {})
        for number, (rows, behind_s) in enumerate(seen)
    ]


@pytest.mark.parametrize(
    ("seen", "done"),
    [
        ([(0, 0.5), (0, 0.2), (0, 0.9), (0, 0.4)], 0),  # not known to be late yet
        ([(0, 0.5), (50, 1.2), (90, 2.1), (90, 0.4), (90, 0.1)], 3),  # in one run, never behind
        ([(0, 0.5), (50, 9.0), (50, 9.9), (50, 10.8)], 0),  # a statement of three seconds
        ([(0, 0.5), (50, 9.0), (90, 12.0), (90, 0.3), (90, 0.2), (90, 0.1)], 4),
        ([(90, 0.5), (90, 0.4)], 0),
    ],
)
def test_late_is_done_when_it_has_read_and_reads_no_more(
    seen: list[tuple[float, float]], done: int
) -> None:
    """A fast machine does it within one run; nobody says then that it was ever behind."""
    (sent,) = looks((0, 0.3))
    assert late_done_at(sent, looks(*seen)) == done
