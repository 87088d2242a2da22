"""Tests that belong together run in one process, one after another, as tests/conftest.py says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = (
    "from tests.conftest import pytest_collection_modifyitems as pytest_collection_modifyitems"
)
_TESTS = """
import os
from pathlib import Path
import pytest

{mark}
@pytest.mark.parametrize("number", range(6))
def test_writes_down_where_it_runs(number):
    Path({places!r}, os.environ["PYTEST_XDIST_WORKER"]).touch()
"""


@pytest.mark.integration
def test_group_is_one_process(tmp_path: Path) -> None:
    """Two demos at once, each of which is half a machine, fail now and then and do not say why."""
    places = {}
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  alone\n  browser\n")
    for name in ("file", "first_alone", "second_alone", "first_browser", "second_browser"):
        places[name] = tmp_path / name
        places[name].mkdir()
        kind = name.partition("_")[2]
        mark = f"@pytest.mark.{kind}" if kind else ""
        text = _TESTS.format(mark=mark, places=str(places[name]))
        (tmp_path / f"test_{name}.py").write_text(text)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup"),
            *("-p", "no:dash", "-p", "no:cacheprovider", "-c", str(tmp_path / "pytest.ini")),
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ran_in = {name: {path.name for path in place.iterdir()} for name, place in places.items()}
    assert all(len(workers) == 1 for workers in ran_in.values()), ran_in
    assert ran_in["first_alone"] == ran_in["second_alone"]
    assert ran_in["first_browser"] == ran_in["second_browser"]
