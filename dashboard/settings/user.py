"""I/O: which user of this machine runs the program, whose files it makes, and what it may read."""

from __future__ import annotations

import ctypes
import getpass
import grp
import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from collector.core.errors import ConfigError
from dashboard.settings.settings import Loaded, Settings

# Of the kernel, see prctl(2) and capabilities(7).
_PR_SET_SECUREBITS: Final = 28
_NO_SETUID_FIXUP: Final = 1 << 2
# Of the commands, which whoever calls them reads.
_OF_COMMANDS: Final = ("access.ca_file", "access.client_cert_file", "access.client_key_file")
# The kernel decides: it knows access lists, and that the user has no rights of root.
_CLOSED: Final = """
for each; do
    if test -d "$each"; then test -x "$each"; else test -r "$each"; fi || printf '%s\\0' "$each"
done
"""


@cache
def user_name() -> str:
    """Return the name of the user who began this process; its number where it has no name.

    A container may run under a number that is in no list of users.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return f"uid {os.getuid()}"


def become_owner(settings: Settings) -> None:
    """Have root write as the user whose embedded store it is; of another user nothing changes.

    What root made there that user could not open, and the service would not start. Root keeps its
    rights: it may name files that only it reads. Of a store that is not there yet it is whose
    directory that will be in.
    """
    owner = _other_owner(settings, is_there=False)
    if owner is None:
        return
    user_name()  # who began it, for the audit
    # Without this the change of user takes away all rights, where the machine grants it.
    ctypes.CDLL(None).prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)


def refuse_other(settings: Settings) -> None:
    """Refuse to run a service as root over the embedded store of another user.

    Raises:
        ConfigError: it is another's.
    """
    owner = _other_owner(settings, is_there=True)
    if owner is not None:
        path = settings.store.embedded_path
        raise ConfigError(
            f"store.url: {path} is of {_name_of(owner.st_uid)}, who could not open what root made "
            f"there; start it as that user, or give it to root first: "
            f"`chown -R root: {path} {settings.wal_dir} {settings.alerts_path}`"
        )


def closed_to_owner(loaded: Loaded) -> list[str]:
    """Return each file of the settings that the service could not read, with the remedy.

    Root may read all, so only as root is there something to say: of the user whose embedded store
    it is, or whose directory that will be in.
    """
    owner = _other_owner(loaded.settings, is_there=False)
    if owner is None:
        return []
    named = [("", loaded.file)] if loaded.file is not None else []
    named += _paths(loaded.settings.model_dump(), "")
    files = [(key, path.absolute()) for key, path in named if path.is_file()]
    ways = {path: [*reversed(path.parents), *_behind_links(path), path] for _, path in files}
    closed = _closed(owner, [each for way in ways.values() for each in way])
    said = []
    for key, path in files:
        first = next((each for each in ways[path] if each in closed), None)
        if first is not None:
            place = f"{key}: {path}" if key else str(path)
            remedy = _remedy(owner, key, path, first)
            said.append(f"{place} cannot be read by {_name_of(owner.st_uid)}, {remedy}")
    return said


def _paths(tree: object, key: str) -> Iterator[tuple[str, Path]]:
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _paths(value, f"{key}.{name}" if key else str(name))
    elif isinstance(tree, list | tuple):
        for place, value in enumerate(tree):
            yield from _paths(value, f"{key}.{place}")
    elif isinstance(tree, Path) and key not in _OF_COMMANDS:
        yield key, tree


def _behind_links(path: Path) -> list[Path]:
    """Return the directories that a link leads through, from the top."""
    return list(reversed(path.resolve().parents))


def _closed(owner: os.stat_result, paths: list[Path]) -> set[Path]:
    """Return which of them a user may not enter or read; none where this process cannot ask."""
    group, groups = owner.st_gid, [owner.st_gid]
    with suppress(KeyError):
        user = pwd.getpwuid(owner.st_uid)
        group, groups = user.pw_gid, os.getgrouplist(user.pw_name, user.pw_gid)
    with suppress(OSError, subprocess.SubprocessError):
        asked = subprocess.run(  # noqa: S603 - a script of ours, and paths as its arguments
            ["/bin/sh", "-c", _CLOSED, "sh", *map(str, dict.fromkeys(paths))],
            user=owner.st_uid,
            group=group,
            extra_groups=groups,
            cwd="/",
            capture_output=True,
            check=True,
        )
        return {Path(os.fsdecode(each)) for each in asked.stdout.split(b"\0") if each}
    return set()


def _remedy(owner: os.stat_result, key: str, path: Path, closed: Path) -> str:
    """Return why a user cannot read a file, and what to do about it."""
    whose = "whose the store is"
    if closed != path:
        return (
            f"{whose}, because it may not enter {closed}: keep the file where it may, or let it "
            "in with `chmod o+x`"
        )
    if key.endswith("keys_path") or (not key and not path.stat().st_mode & 0o077):
        return f"{whose}: `chown {_word(owner.st_uid)} {path}`"  # kept from all others
    try:
        group = grp.getgrgid(owner.st_gid).gr_name
    except KeyError:
        group = str(owner.st_gid)
    return f"{whose}: `chgrp {group} {path} && chmod 640 {path}`"


def _other_owner(settings: Settings, *, is_there: bool) -> os.stat_result | None:
    """Return whose the embedded store is, where this is root and it is not root's."""
    path = settings.store.embedded_path
    if path is None or os.geteuid() != 0:
        return None
    for place in (path,) if is_there else (path, path.parent):
        with suppress(OSError):
            found = place.stat()
            return found if found.st_uid != 0 else None
    return None


def _name_of(uid: int) -> str:
    word = _word(uid)
    return f"uid {word}" if word == str(uid) else f"user {word}"


def _word(uid: int) -> str:
    """Return what `chown` calls a user."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
