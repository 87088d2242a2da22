"""I/O: starts dumpcap as nobody, with the one capability that it needs.

Run by root, dumpcap would stay root. This becomes the system's nobody, keeps CAP_NET_RAW alone,
allows no other to come back, asks to be ended with its parent, and is then replaced by dumpcap.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_CAP_NET_RAW = 13
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS = 1, 8, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 47, 2


def main() -> int:
    """Become the command that the arguments behind a user and a group name."""
    user, group, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        _prctl(libc, _PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(int(group), int(group), int(group))
        os.setresuid(int(user), int(user), int(user))
        only = 1 << _CAP_NET_RAW
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        # Effective, permitted and inheritable; the upper 32 capabilities follow and stay empty.
        if libc.capset(header, (ctypes.c_uint32 * 6)(only, only, only, 0, 0, 0)) != 0:
            raise OSError(ctypes.get_errno(), "capset")
        _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_NET_RAW)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_PDEATHSIG, signal.SIGTERM)
    os.execv(command[0], command)  # noqa: S606  no shell is wanted


def _prctl(libc: ctypes.CDLL, *arguments: int) -> None:
    padded = [*arguments, 0, 0, 0, 0][:5]
    if libc.prctl(*(ctypes.c_ulong(value) for value in padded)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {arguments}")


if __name__ == "__main__":
    sys.exit(main())
