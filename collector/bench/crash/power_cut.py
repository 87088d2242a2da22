"""I/O: what a crash does to the files of the log that a killed process alone does not.

After a kill the kernel still writes everything; after a power cut there is what was synced, and of
the rest any part. The journal of `collector.bench.crash.child` says what was. Only the log is cut:
the store's own files are ClickHouse's to sync.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

from collector.bench.crash.child import SUFFIX
from collector.wal.frames import encode_frame

Damage = Callable[[Path, random.Random], None]


def leave(_directory: Path, _draw: random.Random) -> None:
    """Leave the log as the killed process did."""


def tear(directory: Path, draw: random.Random) -> None:
    """Put a part of a frame at the end of every segment, as a write that was cut short does."""
    for path in _segments(directory):
        frame = encode_frame(draw.randbytes(200), draw.getrandbits(60), 1)
        with path.open("ab") as file:
            file.write(frame[: draw.randrange(1, len(frame))])


def cut_power(directory: Path, draw: random.Random) -> None:
    """Undo what was not synced: appended bytes, new files, deletions; sometimes a part of it."""
    sizes, names = _journal(directory)
    on_disk = {path.name for path in _segments(directory)}
    for name in sorted(set(names) - on_disk):
        if draw.random() < 0.7:
            os.link(directory / "kept" / name, directory / "wal" / name)
    for path in _segments(directory):
        if path.name not in names and draw.random() < 0.7:
            path.unlink()
            continue
        status = path.stat()
        synced = min(sizes.get(status.st_ino, 0), status.st_size)
        kept = synced if draw.random() < 0.5 else draw.randint(synced, status.st_size)
        os.truncate(path, kept)


def _segments(directory: Path) -> list[Path]:
    return sorted((directory / "wal").glob(f"*{SUFFIX}"))


def _journal(directory: Path) -> tuple[dict[int, int], dict[str, int]]:
    """Return the synced size of every inode, and the names that the directory has for certain."""
    sizes: dict[int, int] = {}
    names: dict[str, int] = {}
    journal = directory / "journal"
    if not journal.exists():
        return sizes, names
    for text in journal.read_text().splitlines():
        line = json.loads(text)
        if "names" in line:
            names = line["names"]
        else:
            sizes[line["inode"]] = line["size"]
    return sizes, names
