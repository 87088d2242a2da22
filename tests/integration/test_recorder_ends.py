from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.service import RunningService, ended_within, until

pytestmark = [pytest.mark.integration, pytest.mark.alone]


def _recorder_pid(service_pid: int) -> int:
    for children in Path(f"/proc/{service_pid}/task").glob("*/children"):
        for pid in children.read_text().split():
            if b"packet.capture.recorder" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise AssertionError("the service has no recorder")


def test_recorder_that_ended_is_said_and_started_anew(tmp_path: Path) -> None:
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
        # Whoever asks first is told, and nobody has to start it again.
        until(lambda: recorder(service)["value"] == "recording")
        item = recorder(service)
        assert item["status"] == "warn"
        assert "the packet recorder has ended" in item["detail"]
        assert _recorder_pid(service.process.pid) != pid
        told = httpx.get(f"{service.url}/metrics", trust_env=False)
        assert told.status_code == 200
        assert "millworth_recorder_restarts_total 1.0" in told.text


def recorder(service: RunningService) -> dict[str, Any]:
    """Return what the Health page says of the recorder; for once it may say that it has ended."""
    said = httpx.get(f"{service.url}/api/v1/health", trust_env=False).json()["items"]
    (item,) = [item for item in said if item["name"] == "packet.recorder"]
    assert item["value"] in ("recording", "ended")
    return dict(item)
