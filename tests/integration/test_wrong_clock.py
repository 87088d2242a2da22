"""The machine's clock is far from where it was when a store was open last."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_DAY
from tests.support.collector.clients import WAIT_S
from tests.support.service import RunningService, millworth, until

pytestmark = pytest.mark.integration

# Thirty parts of one row, some days old: what a service leaves that is killed in a busy minute.
LAPSED = """
import os, sys
from collector.core.config import StoreConfig
from collector.store.connect import Connections
client = Connections(StoreConfig(url=sys.argv[1]), merges=False).client()
days = int(sys.argv[2])
row = f"SELECT (toUInt64(toUnixTimestamp(now())) - {days} * 86400) * 1000000000, 'traces', toString"
for each in range(30):
    client.command(f"INSERT INTO rejected (received_ns, signal, item_id) {row}({each})")
os._exit(0)
"""

# What is left, and how many tables are kept from merging.
LEFT = """
import os, sys
from collector.core.config import StoreConfig
from collector.store.connect import Connections
client = Connections(StoreConfig(url=sys.argv[1]), merges=False).client()
rows = client.query("SELECT count() FROM rejected").result_rows[0][0]
kept = client.query(
    "SELECT count() FROM system.tables WHERE database = currentDatabase()"
    " AND position(engine_full, 'max_bytes_to_merge') > 0"
).result_rows[0][0]
print(rows, kept, flush=True)
os._exit(0)
"""


def last_known(directory: Path, days: int) -> None:
    """Leave what a service knew of the time, so many days ago."""
    (directory / "wal").mkdir(mode=0o700)
    before_ns = SystemClock().now_ns() - days * NS_PER_DAY
    (directory / "wal" / "clock").write_text(json.dumps([before_ns, 0]))


def test_clock_that_is_days_ahead_is_said_and_nothing_lapses_by_it(tmp_path: Path) -> None:
    """Health says why."""
    last_known(tmp_path, 10)
    with RunningService(tmp_path) as service:
        until(lambda: _doubt(service) is not None)
        found = _doubt(service)
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


def test_command_that_looks_at_an_old_copy_loses_none_of_it(tmp_path: Path) -> None:
    """The engine merges as it is opened, and a merge drops what is over its time by now."""
    url = f"chdb://{tmp_path / 'store'}"
    place = {"MILLWORTH__STORE__URL": url, "MILLWORTH__COLLECTOR__WAL_DIR": str(tmp_path / "wal")}
    assert millworth("migrate", **place).returncode == 0
    subprocess.run([sys.executable, "-c", LAPSED, url, "40"], check=True, timeout=WAIT_S)
    for _ in range(2):
        assert "store: ClickHouse" in millworth("doctor", **place).stdout
        found = millworth("query", "SELECT count() AS rows FROM rejected", **place)
        assert json.loads(found.stdout) == {"rows": 30}, found


def test_start_with_a_clock_that_is_days_ahead_drops_nothing(tmp_path: Path) -> None:
    """A merge that began as the engine was opened took what was over its time by that clock."""
    service = RunningService(tmp_path)
    url = f"chdb://{service.store_path}"
    assert millworth("migrate", MILLWORTH__STORE__URL=url).returncode == 0
    # By the time that was known, rows of 25 days, of which 30 are kept.
    subprocess.run([sys.executable, "-c", LAPSED, url, "35"], check=True, timeout=WAIT_S)
    last_known(tmp_path, 10)
    with service:
        until(lambda: _doubt(service) is not None)
    left = subprocess.check_output([sys.executable, "-c", LEFT, url], timeout=WAIT_S)
    assert left.split() == [b"30", b"0"], "all is there, and every table merges again"


def _doubt(service: RunningService) -> dict[str, object] | None:
    """Return what Health says of the clock, None where it is believed."""
    items = httpx.get(f"{service.url}/api/v1/health").json()["items"]
    return next((each for each in items if each["name"] == "retention.clock"), None)


@pytest.mark.parametrize("command", [("migrate",), ("import", "otlp", "spans.json")])
def test_command_that_writes_refuses_a_clock_that_is_ahead(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    """What it opens is merged as by a service."""
    last_known(tmp_path, 40)
    (tmp_path / "store").mkdir()
    place = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path / 'store'}",
        "MILLWORTH__COLLECTOR__WAL_DIR": str(tmp_path / "wal"),
    }
    given = [str(tmp_path / each) if each.endswith(".json") else each for each in command]
    (tmp_path / "spans.json").write_text('{"resourceSpans": []}')
    ended = millworth(*given, **place)
    assert ended.returncode == os.EX_TEMPFAIL, ended
    assert "is 40 days ahead of when this store was open last" in ended.stderr
    assert not list((tmp_path / "store").iterdir())
