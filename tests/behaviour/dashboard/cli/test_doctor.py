"""`millworth doctor` finds what a start would refuse, and changes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_DAY
from tests.support.service import RunningService, millworth, millworth_without_rights

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Return the directory of a service that ran, and what it was told, with no port to ask."""
    directory = tmp_path_factory.mktemp("stopped")
    with RunningService(directory) as service:
        environment = {**service.environment, "MILLWORTH__DASHBOARD__PORT": "1"}
    before, looked = _contents(directory), _look(environment)
    assert [each for each in looked.values() if not each["ok"]] == []
    assert _contents(directory) == before
    return directory, environment


@pytest.fixture
def environment(stopped: tuple[Path, dict[str, str]], tmp_path: Path) -> dict[str, str]:
    """Return what a service of the same files in `tmp_path` is told."""
    directory, told = stopped
    shutil.copytree(directory, tmp_path, symlinks=True, dirs_exist_ok=True)
    return {name: value.replace(str(directory), str(tmp_path)) for name, value in told.items()}


def _noise(path: Path) -> None:
    path.write_bytes(b"garbage" * 100)


@pytest.mark.parametrize(
    ("name", "spoil", "check", "says"),
    [
        pytest.param(
            "wal/identifiers.key",
            lambda path: path.write_text("b1:short"),
            "personal data",
            "key 1 is not kid:64 hex digits",
            id="a key that was cut",
        ),
        pytest.param(
            "wal/identifiers.key",
            lambda path: path.chmod(0o644),
            "personal data",
            "may be read by others",
            id="a key for others",
        ),
        pytest.param(
            "alerts.sqlite", _noise, "alert state", "file is not a database", id="noise for state"
        ),
        pytest.param(
            "alerts.sqlite",
            lambda path: path.chmod(0o444),
            "alert state",
            "alerts.sqlite: this user cannot use",
            id="state that can be read alone",
        ),
        pytest.param(
            "wal/clock",
            lambda path: path.write_text(f"[{SystemClock().now_ns() - 40 * NS_PER_DAY}, 0]"),
            "clock",
            "40 days ahead of when this store was open last",
            id="a clock that is ahead",
        ),
        pytest.param(
            "wal", lambda path: path.chmod(0o500), "log", "this user cannot use", id="a closed log"
        ),
    ],
)
def test_what_a_start_refuses_is_missing(
    tmp_path: Path,
    environment: dict[str, str],
    name: str,
    spoil: Callable[[Path], None],
    check: str,
    says: str,
) -> None:
    """`doctor` said that all was well over stores that `up` then refused."""
    spoil(tmp_path / name)

    found = _look(environment)[check]

    assert not found["ok"]
    assert says in found["detail"]
    (tmp_path / name).chmod(0o700)


def test_state_that_cannot_be_made_is_missing_and_nobody_is_received_before(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """`doctor` was content, and the start ended when its receivers had taken for 0.4 s."""
    (tmp_path / "file").touch()
    asked = {**environment, "MILLWORTH__ALERTS__STATE_PATH": str(tmp_path / "file" / "a.sqlite")}

    found, started = _look(asked)["alert state"], millworth("up", **asked)

    assert not found["ok"]
    assert started.returncode == 2
    assert found["detail"] in started.stderr
    assert "collector_started" not in started.stderr


_OF_ANOTHER_BUILD = """
import sys
from collector.core.config import StoreConfig
from collector.store.connect import Connections
store = Connections(StoreConfig(url=sys.argv[1]), merges=False)
ledger = ["name", "sha256", "applied_ns"]
store.client().insert("schema_migrations", [["otlp/999_make_more", "", 1]], column_names=ledger)
store.close()
"""


def test_store_of_another_build_is_missing(environment: dict[str, str]) -> None:
    """What `up` refuses over the schema was a store in order, by its version."""
    url = environment["MILLWORTH__STORE__URL"]
    subprocess.run([sys.executable, "-c", _OF_ANOTHER_BUILD, url], check=True)

    found = _look(environment)["store"]

    assert not found["ok"]
    assert "otlp/999_make_more, which this program does not know; run the build" in found["detail"]


def _contents(directory: Path) -> dict[str, bytes]:
    """Return what the files beside a store hold."""
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if "store/" not in str(path)}


def _look(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    ran = millworth_without_rights("doctor", "--json", **environment)
    return {each["check"]: each for each in json.loads(ran.stdout)}


def test_nothing_is_made_before_the_first_start(tmp_path: Path) -> None:
    """The lock of the log, made by root, kept the service of another user from starting."""
    log = tmp_path / "wal"
    log.mkdir()
    environment = {
        "MILLWORTH__STORE__URL": f"chdb://{tmp_path / 'store'}",
        "MILLWORTH__COLLECTOR__WAL_DIR": str(log),
    }
    looked = millworth("doctor", **environment)
    assert f"can be written in {log}" in looked.stdout
    assert list(tmp_path.rglob("*")) == [log]
