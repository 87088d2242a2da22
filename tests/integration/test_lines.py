"""What `millworth up` writes to standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.service import RunningService

pytestmark = pytest.mark.integration

WITHOUT_CGROUPS = 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"'


def test_start_in_a_namespace_without_cgroups_says_nothing_of_it(tmp_path: Path) -> None:
    """A stack of 30 lines of C++ at each start hides the line that somebody should read."""
    with RunningService(tmp_path, ["unshare", "--mount", "sh", "-c", WITHOUT_CGROUPS]):
        lines = (tmp_path / "service.log").read_text().splitlines()

    assert [json.loads(line)["event"] for line in lines] == [
        "schema_migrated",
        "collector_started",
        "packets_not_recorded",
    ]
