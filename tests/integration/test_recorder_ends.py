from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from tests.service import RunningService, ended_within

pytestmark = pytest.mark.integration


def _recorder_pid(service_pid: int) -> int:
    for children in Path(f"/proc/{service_pid}/task").glob("*/children"):
        for pid in children.read_text().split():
            if b"packet.recorder" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise AssertionError("the service has no recorder")


def test_recorder_that_ended_is_said_and_stops_nothing(tmp_path: Path) -> None:
    """Health and metrics are asked for just when something is wrong."""
    with RunningService(tmp_path, MILLWORTH__PACKET__ENABLED="true") as service:
        before = httpx.get(f"{service.url}/api/v1/health", trust_env=False).json()
        names = {item["name"]: item for item in before["items"]}
        assert names["packet.recorder"]["value"] == "recording"
        assert names["packet.budget_left_bytes"]["value"] == 256 * 1024 * 1024
        assert names["packet.refused_bytes"]["status"] == "ok"
        pid = _recorder_pid(service.process.pid)
        watched = os.pidfd_open(pid)
        os.kill(pid, signal.SIGKILL)
        assert ended_within(watched, 30)
        os.close(watched)
        after = httpx.get(f"{service.url}/api/v1/health", trust_env=False)
        (item,) = [i for i in after.json()["items"] if i["name"].startswith("packet.")]
        assert (item["value"], item["status"]) == ("ended", "bad")
        assert "the packet recorder has ended" in item["detail"]
        assert httpx.get(f"{service.url}/metrics", trust_env=False).status_code == 200
