"""I/O: trace files as an importer reads them: more than once, and standard input as well."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from collector.core.errors import InputError

STDIN: Final = "-"
_CHUNK_BYTES: Final = 2**18


class TraceSource:
    """One file, open, which can be read again from its beginning."""

    def __init__(self, name: str, opened: BinaryIO) -> None:
        self.name = name
        self._opened = opened
        self.size = opened.seek(0, 2)

    def chunks(self, progress: Callable[[int], object] = lambda _: None) -> Iterator[bytes]:
        """Yield its bytes from the first one on.

        Raises:
            InputError: it cannot be read any more.
        """
        at = 0
        while True:
            try:
                self._opened.seek(at)  # another pass may have read in between
                chunk = self._opened.read(_CHUNK_BYTES)
            except OSError as error:
                raise _unreadable(self.name, error) from error
            if not chunk:
                return
            at += len(chunk)
            progress(len(chunk))
            yield chunk


@contextmanager
def trace_source(path: Path) -> Iterator[TraceSource]:
    """Open a file; what can be read once alone, such as a pipe, is kept in a temporary file.

    Raises:
        InputError: it cannot be read, or kept.
    """
    name = "standard input" if str(path) == STDIN else str(path)
    try:
        opened = _kept(path)
    except OSError as error:
        raise _unreadable(name, error) from error
    with opened:
        yield TraceSource(name, opened)


def _kept(path: Path) -> BinaryIO:
    """Return a file that can be read from its beginning again."""
    if str(path) == STDIN:
        return _copied(sys.stdin.buffer)
    opened = path.open("rb")
    if stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
        return opened
    with opened:
        return _copied(opened)


def _copied(opened: BinaryIO) -> BinaryIO:
    kept = tempfile.TemporaryFile()  # noqa: SIM115  whoever reads it closes it
    try:
        shutil.copyfileobj(opened, kept, _CHUNK_BYTES)
    except BaseException:
        kept.close()
        raise
    return kept


def _unreadable(name: str, error: OSError) -> InputError:
    return InputError(f"{name}: {error.strerror or error}; name a file that can be read")
