"""What `millworth up` writes to standard error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.service import RunningService

pytestmark = pytest.mark.integration

WITHOUT_CGROUPS = 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"'


def test_start_in_a_namespace_without_cgroups_says_nothing_of_it(tmp_path: Path) -> None:
    """A stack of 30 lines of C++ at each start hides the line that somebody should read."""
    with RunningService(tmp_path, ["unshare", "--mount", "sh", "-c", WITHOUT_CGROUPS]):
        lines = (tmp_path / "service.log").read_text().splitlines()

    assert [json.loads(line)["event"] for line in lines] == [
        "schema_migrated",
        "collector_started",
    ]


def test_the_store_opens_where_there_is_no_network(tmp_path: Path) -> None:
    """A container without one, a namespace of a test: the engine is asked by its own process."""
    done = subprocess.run(
        [
            *("unshare", "--net", "env", f"MILLWORTH__STORE__URL=chdb://{tmp_path}/store"),
            *(sys.executable, "-m", "dashboard.cli.main", "migrate"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
