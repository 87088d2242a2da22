"""`millworth up` on a machine whose clock is far from where it was when it ran last."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from collector.core.clock import NS_PER_DAY, SystemClock
from tests.support.service import RunningService, until

pytestmark = pytest.mark.integration


def test_clock_that_is_a_month_ahead_is_said_and_nothing_lapses_by_it(tmp_path: Path) -> None:
    """Health says why."""
    (tmp_path / "wal").mkdir(mode=0o700)
    before_ns = SystemClock().now_ns() - 40 * NS_PER_DAY
    (tmp_path / "wal" / "clock").write_text(json.dumps([before_ns, 0]))
    with RunningService(tmp_path) as service:

        def said() -> dict[str, object] | None:
            items = httpx.get(f"{service.url}/api/v1/health").json()["items"]
            return next((each for each in items if each["name"] == "retention.clock"), None)

        until(lambda: said() is not None)
        found = said()
        assert found is not None
        assert (found["status"], found["unit"], found["value"]) == ("warn", "hours", 960.0)
        assert "clock_in_doubt" in service.said()
