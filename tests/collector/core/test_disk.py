"""What a process asks the machine for before it begins."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from collector.core.disk import closed_to_us

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


def test_what_a_file_system_has_of_its_own_is_not_looked_at(tmp_path: Path) -> None:
    """A log on a file system of its own has `lost+found`, which is of root and closed."""
    (tmp_path / "lost+found").mkdir(mode=0)
    (tmp_path / "1.segment").touch()
    assert closed_to_us(tmp_path) is None
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "key").touch(mode=0)
    assert closed_to_us(tmp_path) == (None if os.geteuid() == 0 else tmp_path / "deep" / "key")


@pytest.mark.integration
def test_disk_that_can_only_be_read_is_no_case_for_chown(tmp_path: Path) -> None:
    """Owner and mode are right, and an error of the disk has made it so."""
    mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
    ask = (
        "import sys; from pathlib import Path; from collector.core.disk import remedy_of;"
        "print(*(remedy_of(Path(each), 'chown') for each in sys.argv[1:]), sep='\\n')"
    )
    closed = tmp_path / "closed"
    closed.mkdir()
    begin = ["unshare", "--mount", "sh", "-c", mount, str(closed), sys.executable, "-c", ask]
    command = [*begin, str(closed), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    [read_only, other] = done.stdout.splitlines()
    assert read_only.startswith("its file system can only be read")
    assert other == "chown"
