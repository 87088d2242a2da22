"""I/O: begins anew in a forked child, where threads and connections are those of the parent."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def after_fork(restart: Callable[[], None]) -> None:
    """Call a bound method in each child that is forked while its object lives.

    Held weakly, because a hook on fork can never be taken back.
    """
    reference = weakref.WeakMethod(restart)
    os.register_at_fork(after_in_child=lambda: (reference() or _nothing)())


def _nothing() -> None:
    """Stand in for an object that is gone."""
