"""Whether another process has the directory of an embedded store."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from collector.store.client.held import LOCK_FILE, held_s

HOLD = """
import fcntl, sys
with open(sys.argv[1]) as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_store_of_another_container_is_held_though_it_names_our_number(tmp_path: Path) -> None:
    """Each is process 1 of its own: it was said to be ours, and the engine failed on it."""
    assert held_s(tmp_path) is None
    lock = tmp_path / LOCK_FILE
    lock.write_text(f"PID: {os.getpid()}\n")
    assert held_s(tmp_path) is None
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        held = held_s(tmp_path)
        other.communicate()
    assert held is not None
    assert 0 <= held < 600
    assert held_s(tmp_path) is None


def test_store_that_this_process_has_open_is_held_by_nobody_else(tmp_path: Path) -> None:
    """Each thread has a connection of its own."""
    lock = tmp_path / LOCK_FILE
    lock.write_text("PID: 1\n")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert held_s(tmp_path) is None
