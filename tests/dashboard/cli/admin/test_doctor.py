"""What `millworth doctor` finds on a machine."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.auth.tokens import hash_text
from collector.core.clock import SystemClock
from collector.core.config import StoreConfig
from collector.core.times import NS_PER_S
from dashboard.cli.admin.doctor import examine
from dashboard.cli.admin.machine import memory_found
from dashboard.cli.main import app
from dashboard.settings.settings import Settings, load
from tests.support.certificates import Authority


def test_directories_that_others_can_read_are_named(store_path: Path, tmp_path: Path) -> None:
    """An older version made them as the umask said; what lies there is nobody else's business."""
    closed, opened = tmp_path / "closed", tmp_path / "opened"
    closed.mkdir(mode=0o700)
    opened.mkdir()
    opened.chmod(0o755)
    found = {}
    for wal_dir in (closed, opened, tmp_path / "missing"):
        given = Settings.model_validate(
            {
                "store": {"url": f"chdb://{store_path}", "database": "doctor"},
                "collector": {"wal_dir": wal_dir, "grpc_port": 0, "http_port": 0},
                "dashboard": {"port": 0},
            }
        )
        details = [finding.detail for finding in examine(given) if finding.check == "files"]
        found[wal_dir.name] = [detail for detail in details if str(wal_dir) in detail]
    assert found["closed"] == found["missing"] == []
    assert found["opened"] == [f"{opened} is open to other users (0755); chmod -R go= {opened}"]


def test_recorder_that_is_switched_off_is_nothing_missing(store_path: Path, tmp_path: Path) -> None:
    """Whoever switched it off was told by each start, by Health and by `doctor`, for good."""
    given = Settings.model_validate(
        {
            "store": {"url": f"chdb://{store_path}", "database": "doctor"},
            "collector": {"wal_dir": tmp_path / "wal", "grpc_port": 0, "http_port": 0},
            "dashboard": {"port": 0},
            "packet": {"enabled": False},
        }
    )
    [found] = [finding for finding in examine(given) if finding.check == "packets"]
    assert found.ok
    assert found.detail.startswith("packet.enabled is false")


def test_token_that_expired_is_named(store_path: Path, tmp_path: Path) -> None:
    """`doctor` said "ok, 1 tokens" of one that lets nobody in."""
    entry = {
        "name": "shop",
        "hash": hash_text("mwt_shop"),
        "scopes": ["traces"],
        "expires": "2020-01-01T00:00:00Z",
    }
    given = Settings.model_validate(
        {
            "store": {"url": f"chdb://{store_path}", "database": "doctor"},
            "collector": {"wal_dir": tmp_path / "wal", "grpc_port": 0, "http_port": 0},
            "dashboard": {"port": 0},
            "access": {"tokens": [entry]},
        }
    )
    [found] = [finding for finding in examine(given) if finding.check == "access"]
    assert not found.ok
    assert found.detail.startswith("access.tokens: shop expired on 2020-01-01")


@pytest.mark.parametrize(("days", "ok"), [(3, False), (400, True)])
def test_certificate_that_ends_soon_is_named(
    store_path: Path, tmp_path: Path, days: int, ok: bool
) -> None:
    """With three days left `doctor` said "ok"; the Monday after, no sender got in."""
    now = datetime.fromtimestamp(SystemClock().now_ns() // NS_PER_S, UTC)
    files = Authority(tmp_path).issue(
        "server", begins=now - timedelta(days=9), ends=now + timedelta(days=days, hours=1)
    )
    given = Settings.model_validate(
        {
            "store": {"url": f"chdb://{store_path}", "database": "doctor"},
            "collector": {
                "wal_dir": tmp_path / "wal",
                "grpc_port": 0,
                "http_port": 0,
                "tls": {"cert_file": files.cert, "key_file": files.key},
            },
            "dashboard": {"port": 0},
        }
    )
    [found] = [finding for finding in examine(given) if finding.check == "collector.tls"]
    assert found.ok is ok
    assert found.detail.startswith(f"certificates are good for {days}.0 days")
    assert ("renew" in found.detail) is not ok


RULES = """
[[alerts.rules]]
name = "printed"
budget_usd = 10000.0

[[alerts.rules]]
name = "burn"
budget_usd = 10000.0
live = true
"""


def test_rules_that_page_nobody_are_counted_and_named(store_path: Path, tmp_path: Path) -> None:
    """The rule as the docs print it fired for half an hour, and neither command said a word."""
    settings = tmp_path / "millworth.toml"
    settings.write_text(
        f'[store]\nurl = "chdb://{store_path}"\ndatabase = "doctor"\n'
        f'[collector]\nwal_dir = "{tmp_path}/wal"\ngrpc_port = 0\nhttp_port = 0\n'
        f"[dashboard]\nport = 0\n{RULES}"
    )
    said = (
        "4, of which 2 in shadow: they page nobody (printed, printed-ticket); "
        "`millworth rules promote NAME`, or live = true"
    )
    [found] = [each for each in examine(load(settings).settings) if each.check == "alert rules"]
    assert found.ok
    assert found.detail == f"{said} (by the settings: no service runs to ask)"
    checked = CliRunner().invoke(app, ["config", "check", "--config", str(settings)])
    assert f"alert rules by these settings: {said}; " in checked.output.replace("\n", " ")
    read = ["config", "check", "--json", "--config", str(settings)]
    answer = json.loads(CliRunner().invoke(app, read).output)
    assert answer["rules_not_live"] == ["printed", "printed-ticket"]
    live = load(settings).settings.alerts.model_copy(update={"rules": ()})
    assert live.not_live == ()


def test_memory_is_named_and_too_little_of_it_is_missing() -> None:
    """A service in too small a container is killed at the first large question."""
    small, large = (memory_found(StoreConfig(), mib * 2**20) for mib in (512, 8192))
    assert (small.ok, large.ok) == (False, True)
    assert small.detail == (
        "512 MiB for what is started here, of which the engine takes 256 at most and a statement "
        "from outside 64; the least is 768 MiB, so raise the limit of the container or the unit"
    )
    assert large.detail == (
        "8,192 MiB for what is started here, of which the engine takes 4,096 at most and a "
        "statement from outside 1,024"
    )
    assert memory_found(StoreConfig(), None).ok
    beside = memory_found(StoreConfig(url="http://store:8123"), 512 * 2**20)
    assert beside.ok
    assert beside.detail == "512 MiB for what is started here; the store is another process"
