"""I/O: which user of this machine runs the program."""

from __future__ import annotations

import getpass
import os
from functools import cache


@cache
def user_name() -> str:
    """Return the name of the user who began this process; its number where it has no name.

    A container may run under a number that is in no list of users.
    """
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the latter from Python 3.13 on
        return f"uid {os.getuid()}"
