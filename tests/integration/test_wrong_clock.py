"""`millworth up` on a machine whose clock is far from where it was when it ran last."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pytest

from collector.core.clock import NS_PER_DAY, SystemClock
from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService, until

pytestmark = pytest.mark.integration


def last_known(directory: Path, days: int) -> None:
    """Leave what a service knew of the time, so many days ago."""
    (directory / "wal").mkdir(mode=0o700)
    before_ns = SystemClock().now_ns() - days * NS_PER_DAY
    (directory / "wal" / "clock").write_text(json.dumps([before_ns, 0]))


def test_clock_that_is_days_ahead_is_said_and_nothing_lapses_by_it(tmp_path: Path) -> None:
    """Health says why."""
    last_known(tmp_path, 10)
    with RunningService(tmp_path) as service:

        def said() -> dict[str, object] | None:
            items = httpx.get(f"{service.url}/api/v1/health").json()["items"]
            return next((each for each in items if each["name"] == "retention.clock"), None)

        until(lambda: said() is not None)
        found = said()
        assert found is not None
        assert (found["status"], found["unit"], found["value"]) == ("warn", "hours", 240.0)
        assert "clock_in_doubt" in service.said()


def test_store_all_of_which_would_lapse_is_not_opened(tmp_path: Path) -> None:
    """The engine merges before it can be told to leave what is over its time."""
    last_known(tmp_path, 40)
    service = RunningService(tmp_path)
    with service.begin() as process:
        assert process.wait(WAIT_S) == os.EX_TEMPFAIL
    assert "is 40 days ahead of when this store was open last" in service.said()
    assert not (service.store_path / "metadata").exists()
