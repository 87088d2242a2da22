"""What a demo waits for, without the minutes that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.demo.demo import Demo


class Waits:
    """A stop signal that nobody gives; it says how long it was waited for."""

    asked_s: float | None = -1.0

    def wait(self, timeout: float | None = None) -> bool:
        """Return at once."""
        self.asked_s = timeout
        return False


@pytest.mark.parametrize("duration_s", [90.0, None])
def test_demo_waits_for_its_duration_or_for_a_signal(
    tmp_path: Path, duration_s: float | None
) -> None:
    """`--for 90s` ends by itself; without it only Ctrl-C ends a demo."""
    stop = Waits()
    Demo(duration_s, tmp_path / "demo", quiet=True).wait_until_end(stop)
    assert stop.asked_s == duration_s
