"""What several tests of retries share."""

from __future__ import annotations

import errno
import os

from collector.core.disk import Disk


class FullDisk(Disk):
    """A disk without room, until a test makes some."""

    def __init__(self) -> None:
        self.is_full = True

    def sync(self, descriptor: int) -> None:
        """Sync, where there is room."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().sync(descriptor)
