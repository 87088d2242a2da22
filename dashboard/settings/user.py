"""I/O: which user of this machine runs the program, and whose files it makes."""

from __future__ import annotations

import ctypes
import getpass
import os
import pwd
from contextlib import suppress
from functools import cache
from typing import Final

from collector.core.errors import ConfigError
from dashboard.settings.settings import Settings

# Of the kernel, see prctl(2) and capabilities(7).
_PR_SET_SECUREBITS: Final = 28
_NO_SETUID_FIXUP: Final = 1 << 2


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
    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"uid {uid}"
