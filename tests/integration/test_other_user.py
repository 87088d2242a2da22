"""The service runs as a user of its own, who may have no name, and others run commands."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService

pytestmark = pytest.mark.integration

UID = 10001  # of the image
NAMELESS = ("unshare", "--user", f"--map-user={UID}", f"--map-group={UID}")
NO_NAMES = {"USER": "", "LOGNAME": "", "LNAME": "", "USERNAME": ""}


def test_user_without_a_name_runs_the_service(tmp_path: Path) -> None:
    """Docker and Kubernetes run the image under a number that is in no list of users."""
    with RunningService(tmp_path, NAMELESS, **NO_NAMES) as service:
        answer = httpx.get(f"{service.url}/api/v1/audit", trust_env=False, timeout=WAIT_S)
        (first, *_) = answer.json()["rows"]
        assert json.loads(first["detail"])["user"] == f"uid {UID}"
        assert service.process.poll() is None
