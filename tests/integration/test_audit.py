"""The audit of a service that runs: what it holds, and what is found after somebody had its SQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService, millworth

pytestmark = pytest.mark.integration

TAMPER = """
import sys
from collector.core.config import StoreConfig
from collector.store.connect import Connections
store = Connections(StoreConfig(url=sys.argv[1]))
store.client().command("DELETE FROM audit WHERE action = 'queried'")
store.close()
"""


def actions(service: RunningService) -> list[str]:
    """Return what the audit holds."""
    answer = httpx.get(f"{service.url}/api/v1/audit", trust_env=False, timeout=WAIT_S)
    return [row["action"] for row in answer.json()["rows"]]


def test_acts_are_in_the_audit_and_whoever_takes_one_away_is_found(tmp_path: Path) -> None:
    """Who started it, under which settings, and who asked by SQL; also over the next start."""
    with RunningService(tmp_path) as first:
        assert first.command("query", "SELECT 42 AS answer").returncode == 0
        assert actions(first) == ["started", "views_changed", "configured", "queried"]
        answer = first.command("verify", "audit")
        assert (answer.returncode, answer.stdout) == (0, "4 rows hold, the last is 4\n")
    with RunningService(tmp_path, MILLWORTH__ATTRIBUTION__SETTLE_S="7") as second:
        assert actions(second)[4:] == ["started", "configured"]
        rows = httpx.get(f"{second.url}/api/v1/audit?after=5", trust_env=False, timeout=WAIT_S)
        (row,) = rows.json()["rows"]
        assert "attribution.settle_s" in json.loads(row["detail"])["changed"]
    environment = second.environment
    url = environment["MILLWORTH__STORE__URL"]
    subprocess.run([sys.executable, "-c", TAMPER, url], check=True, timeout=WAIT_S)
    # With the service stopped too: the key and the head lie beside the log.
    answer = millworth("verify", "audit", **environment)
    assert (answer.returncode, answer.stdout) == (1, "broken at row 4: it is not here\n")
    doctor = millworth("doctor", **environment)
    assert "row 4: it is not here" in doctor.stdout
    with RunningService(tmp_path) as third:
        found = third.command("verify", "audit", "--json")
        assert (found.returncode, json.loads(found.stdout)["broken_seq"]) == (1, 4)
        health = httpx.get(f"{third.url}/api/v1/health", trust_env=False, timeout=WAIT_S).json()
        assert [item["status"] for item in health["items"] if item["name"] == "audit"] == ["bad"]


def test_start_that_is_refused_leaves_the_chain_of_the_running_service_whole(
    tmp_path: Path,
) -> None:
    """A copied file names the log of a service that runs: what is refused has written nothing.

    The head of the chain had moved, and the audit of the honest service was broken for good.
    """
    with RunningService(tmp_path) as first:
        first_audit = first.command("verify", "audit").stdout
        other = first.environment | {
            "MILLWORTH__STORE__URL": f"chdb://{tmp_path / 'other'}",
            "MILLWORTH__COLLECTOR__WAL_DIR": str(tmp_path / "wal"),
        }
        assert millworth("migrate", **other).returncode == 0
        before = contents(tmp_path / "wal")
        refused = millworth("up", **other)
        assert refused.returncode == os.EX_TEMPFAIL
        assert "collector.wal_dir: " in refused.stderr
        assert "is in use by another process" in refused.stderr
        # What a command does over the other store has its row there, and no head here.
        assert millworth("query", "SELECT 42 AS answer", **other).returncode == 0
        assert contents(tmp_path / "wal") == before
        assert first.command("verify", "audit").stdout == first_audit
    # With nobody in it the directory is free again, and the chain goes on.
    assert millworth("verify", "audit", **first.environment).returncode == 0


def contents(directory: Path) -> dict[str, bytes]:
    """Return what the files of a directory hold."""
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
