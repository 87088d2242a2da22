"""What a process asks the machine for before it begins."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

_ASK = (
    "from collector.core.disk import require_files; import resource; require_files();"
    "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
)


@pytest.mark.parametrize("limit", ["-S", "-H -S"])
def test_as_many_files_are_opened_as_are_allowed(limit: str) -> None:
    """A shell allows 1,024 until it is asked, and strangers may connect more often than that."""
    most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65_536)
    begin = ["bash", "-c", f'ulimit {limit} -n 700; exec "$0" "$@"', sys.executable, "-c", _ASK]
    done = subprocess.run(begin, capture_output=True, text=True, check=True)
    assert int(done.stdout) == (700 if "-H" in limit else most)
