"""I/O: which keys have made tokens, by their ids: another key under an id of before is found.

Its tokens would look like those of before and never be them, so that a person is two and nobody is
told. What is kept is an HMAC of a fixed text under each key, of which no key can be made out.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from collector.core.disk import Disk, unusable
from collector.core.errors import ConfigError
from collector.core.key_files import Key

KIDS_FILE: Final = "identifiers.kids"  # beside the log: an id and its mark on each line
_TEXT: Final = b"millworth.identifiers.kid.v1"


def check_known(directory: Path, keys: Sequence[Key]) -> None:
    """Compare keys with those of before.

    Args:
        directory: of the log.
        keys: that make tokens from now on.

    Raises:
        ConfigError: one is another than the one that had its id before, or had another id, or the
            file of them cannot be read.
    """
    kids = _known(directory / KIDS_FILE)
    names = {mark: kid for kid, mark in kids.items()}
    for key in keys:
        before = names.get(_mark(key))
        if before is not None and key.kid not in kids:
            raise ConfigError(
                f"identifiers: key {key.kid!r} made tokens under the id {before!r} before, and "
                "tokens have the id of their key in them, so nothing that comes would have those "
                f"of what is stored; write {before}: in place of {key.kid}:"
            )
        if not hmac.compare_digest(kids.get(key.kid, _mark(key)), _mark(key)):
            raise ConfigError(
                f"identifiers: key {key.kid!r} is another than the one that made tokens under this "
                "id before, and nothing that comes would have the tokens of what is stored; put "
                "the one of before back, or, where it is lost for good, give the new one an id of "
                "its own"
            )


def missing(directory: Path, keys: Sequence[Key]) -> list[str]:
    """Return the ids of keys that made tokens before and are not among these.

    Raises:
        ConfigError: the file of them cannot be read.
    """
    return sorted(_known(directory / KIDS_FILE).keys() - {key.kid for key in keys})


def note_known(directory: Path, keys: Sequence[Key]) -> None:
    """Note keys whose ids are new, on the disk before this returns.

    Raises:
        ConfigError: the file of them can neither be read nor written.
    """
    path = directory / KIDS_FILE
    kids = _known(path)
    marks = kids | {key.kid: _mark(key) for key in keys}
    if marks == kids:
        return
    draft = path.with_suffix(".draft")
    try:
        with draft.open("w", encoding="ascii") as file:
            file.writelines(f"{kid} {mark}\n" for kid, mark in marks.items())
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
        Disk().sync_directory(directory)
    except OSError as error:
        what, remedy = f"{path} cannot be written", "make its directory writable"
        raise unusable(what, error, remedy, ConfigError) from error


def _known(path: Path) -> dict[str, str]:
    kids = {}
    try:
        for line in path.read_text(encoding="ascii").splitlines():
            kid, mark = line.split()
            kids[kid] = mark
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}; put it back from a backup, or remove it where the "
            "keys are known to be those of before"
        ) from error
    return kids


def _mark(key: Key) -> str:
    return hmac.digest(key.secret, _TEXT, "sha256").hex()[:32]
