"""I/O: what makes writes durable, one object, so that a crash test can note what was synced."""

from __future__ import annotations

import os
from pathlib import Path


class Disk:
    """The machine's disk; what it has synced outlives a power cut."""

    def sync(self, descriptor: int) -> None:
        """Make the content of an open file durable."""
        os.fdatasync(descriptor)

    def sync_directory(self, directory: Path) -> None:
        """Make durable which files a directory has."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
