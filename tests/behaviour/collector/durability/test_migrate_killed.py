"""A start that is killed at any statement is finished by the next one."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collector.store.connect import Connections
from tests.support.collector.children.migrate import TABLES
from tests.support.tree import ROOT

pytestmark = pytest.mark.integration

SEED = 20261125
KILLS = 3
NEVER = 10_000


def start(directory: Path, at: int, when: str = "after") -> tuple[int, dict[str, Any]]:
    """Run a start that dies at a statement; return how it ended, and what it said if it did not."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.support.collector.children.migrate",
            str(directory),
            str(at),
            when,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    said: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
    return done.returncode, said


def test_start_that_is_killed_again_and_again_is_finished(
    store: Connections, tmp_path: Path
) -> None:
    """The ledger is written last, so each start runs all statements again over what is there."""
    chosen = random.Random(SEED)
    statements = len(store.client().query("SELECT name FROM schema_migrations").result_rows)
    places = sorted(chosen.sample(range(statements), KILLS))
    for place, when in zip(places, ("during", "after", "before"), strict=True):
        ended, _ = start(tmp_path / "engine", place, when)
        assert ended == -signal.SIGKILL, (SEED, place, when)

    ended, said = start(tmp_path / "engine", NEVER)

    assert ended == 0
    assert said["again"] == []
    assert said["decisions"] == [["d-1"]]
    database = store.config.database
    expected = [
        [name, text.replace(f"{database}.", "")]
        for name, text in store.client().query(TABLES).result_rows
    ]
    assert [name for name, _ in said["tables"]] == [name for name, _ in expected]
    for (name, text), (_, wanted) in zip(said["tables"], expected, strict=True):
        assert text == wanted, name
