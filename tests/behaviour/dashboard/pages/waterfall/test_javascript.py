"""What of the waterfall in the browser is pure: rows, time scale, words, by Node's own tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.skipif(
    "CI" not in os.environ  # noqa: TID251  only this tells a CI run from a person's
    and shutil.which("node") is None,
    reason="Node is not here; `make install-test` installs it",
)
@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.mjs")), ids=lambda file: file.name)
def test_waterfall_in_node(file: Path) -> None:
    """A row that a fold hides by mistake, or a scale that drifts, is seen by no other test."""
    result = subprocess.run(
        ["node", "--test", str(file)], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
