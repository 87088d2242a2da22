"""What a service took for large requests goes back to the machine."""

from __future__ import annotations

import subprocess
import sys

# Large blocks among small ones that stay, as bodies lie among what is kept of them; one of 20 MiB
# was freed before, as of any request of that size.
PROGRAM = """
import os, sys, threading
from pathlib import Path
from collector.write.allocator import return_large_blocks

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

def work():
    os.urandom(20 << 20)
    before = resident_mib()
    large, small = [], []
    for _ in range(100):
        large.append(os.urandom(3 << 20))
        small.append(os.urandom(3 << 10))
    large.clear()
    print(resident_mib() - before)

if sys.argv[1] == "with":
    assert return_large_blocks()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


def held_mib(how: str) -> int:
    """Return what a process holds of 300 MiB that it has freed."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_large_blocks_that_are_freed_go_back() -> None:
    """A sender of large requests must not leave a service hundreds of MiB larger for good."""
    assert held_mib("without") > 200  # else there is nothing to do here any more
    assert held_mib("with") < 20
