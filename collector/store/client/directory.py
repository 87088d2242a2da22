"""I/O: the directory of the embedded engine: made, entered, and with the engine's own settings."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from collector.core.config import StoreConfig
from collector.core.disk import barred, unusable
from collector.core.errors import InputError, TransientError

# The schema of a first start, and the 1 MiB that the engine reserves for each part it writes.
_START_BYTES_MIN = 16 * 1024 * 1024

# The engine reads this in the working directory as it is loaded and as it opens; an option that
# comes with the connection is too late for it. Where there are no cgroups, as in a namespace, it
# would write a stack of 30 lines at each start; with them it would take what all processes of the
# container use for its own.
_ENGINE_FILE = Path("config.xml")
_ENGINE_SETTINGS = """<clickhouse>
    <memory_worker_use_cgroup>0</memory_worker_use_cgroup>
</clickhouse>
"""

# The working directory is the whole process's.
_ENTERING: Final = threading.Lock()

# Ours by the default settings, so its missing parents are made.
STATE_DIR: Final = Path("/var/lib/millworth")


def enter_directory(config: StoreConfig) -> None:
    """Make the directory of the embedded engine the working directory, before it is opened.

    The engine reads its own settings there, and keeps the schemas that it is handed.

    Raises:
        InputError: the directory cannot be made or entered.
        TransientError: its disk is full.
    """
    path = config.embedded_path
    if path is None:
        return
    prepare_directory(path)
    require_room(path)
    try:
        os.chdir(path)
    except OSError as error:
        remedy = (
            "let this user enter it with `chown`, or name another with "
            "MILLWORTH__STORE__URL=chdb:///PATH"
        )
        what = f"store.url: cannot enter the directory {path}"
        raise unusable(what, error, remedy) from error
    _write_engine_file()


def _write_engine_file() -> None:
    """Write the engine's own settings into the working directory, which is the store's."""
    with suppress(OSError):  # without it the engine says more, and that is all
        draft = _ENGINE_FILE.with_suffix(".new")  # nor is there half of it, on a full disk
        draft.write_text(_ENGINE_SETTINGS, encoding="utf-8")
        draft.replace(_ENGINE_FILE)


@contextmanager
def inside(path: Path) -> Iterator[None]:
    """Have the directory of a store be the working directory, and the one of before afterwards.

    A command is given in any directory, and the engine would take a `config.xml` there for its own.
    """
    with _ENTERING:
        try:
            before = os.open(".", os.O_PATH | os.O_CLOEXEC)
            is_there = Path().samefile(path)
        except OSError as error:
            raise InputError(
                f"the working directory cannot be used ({error.strerror}); run the command in one "
                "that is there and that this user may enter"
            ) from error
        if is_there:
            os.close(before)
            yield
            return
        try:
            with suppress(OSError):  # what this user may not enter, the engine cannot open: it says
                os.chdir(path)
                _write_engine_file()
            yield
        finally:
            os.fchdir(before)
            os.close(before)


def prepare_directory(path: Path) -> None:
    """Make the directory, but not its parents: a missing parent is most often a typing error."""
    try:
        path.mkdir(parents=path.is_relative_to(STATE_DIR), exist_ok=True)
    except FileNotFoundError as error:
        raise InputError(
            f"store.url: the directory {path.parent} does not exist; make it, "
            "or name another with MILLWORTH__STORE__URL=chdb:///PATH"
        ) from error
    except OSError as error:
        remedy = "make it yourself, or name another with MILLWORTH__STORE__URL=chdb:///PATH"
        if (closed := barred(path)) is not None:  # a store may be in there: another would be empty
            remedy = f"give {closed} to the user of the service: `chown -R USER: {closed}`"
        elif isinstance(error, PermissionError):
            remedy = f"give {path.parent} to the user of the service with `chown`"
        what = f"store.url: cannot make the directory {path}"
        raise unusable(what, error, remedy) from error


def require_room(path: Path) -> None:
    """Raise TransientError where the disk is full: of a database that it begins half is made.

    No later start gets past that half.
    """
    disk = shutil.disk_usage(path)
    if disk.free < _START_BYTES_MIN and disk.total > 0:  # some file systems tell neither
        raise TransientError(
            f"store.url: {path} has {disk.free:,} bytes free on its disk, and a start needs "
            f"{_START_BYTES_MIN:,}; free space there"
        )
