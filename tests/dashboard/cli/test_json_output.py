from __future__ import annotations

import json
import subprocess
import sys

import pytest

_PRINT = "from dashboard.cli.json_output import print_json; print_json({'reason': 'é 字'})"


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "latin-1"])
def test_every_terminal_gets_json(encoding: str) -> None:
    """Of letters that it does not have, too."""
    python = ["env", f"PYTHONIOENCODING={encoding}", sys.executable, "-c", _PRINT]
    done = subprocess.run(python, stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout.decode(encoding)) == {"reason": "é 字"}
