"""`millworth doctor` finds what a start would refuse, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.service import RunningService, millworth, millworth_without_rights

pytestmark = pytest.mark.integration


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
            "wal", lambda path: path.chmod(0o500), "log", "this user cannot use", id="a closed log"
        ),
    ],
)
def test_what_a_start_refuses_is_missing(
    tmp_path: Path, name: str, spoil: Callable[[Path], None], check: str, says: str
) -> None:
    """`doctor` said that all was well over stores that `up` then refused."""
    with RunningService(tmp_path) as service:
        environment = {**service.environment, "MILLWORTH__DASHBOARD__PORT": "1"}
    before, whole = _contents(tmp_path), _look(environment)
    assert whole[check]["ok"], whole
    assert _contents(tmp_path) == before
    spoil(tmp_path / name)

    found = _look(environment)[check]

    assert not found["ok"]
    assert says in found["detail"]
    (tmp_path / name).chmod(0o700)


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
