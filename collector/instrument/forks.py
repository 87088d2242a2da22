"""I/O: begins anew in a forked child, and closes at the end of whatever process it is in."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any, Final

# They end a child with `os._exit`, past `atexit`, and forget as it begins what was to run then.
_POOLS: Final = ("multiprocessing.util", "billiard.util")


def after_fork(restart: Callable[[], None]) -> None:
    """Call a bound method in each child that is forked while its object lives: threads stay behind.

    Held weakly, because a hook on fork can never be taken back.
    """
    os.register_at_fork(after_in_child=_weakly(restart))


def at_exit(close: Callable[[], object]) -> None:
    """Call a bound method, which may be called twice, at the end of this process.

    Of a child of a pool too; to be called at the start, and again in a forked child. A signal that
    nobody handles ends a process without it. `atexit.unregister` takes it back.
    """
    atexit.register(close)
    for name in _POOLS:
        util: Any = sys.modules.get(name)
        if util is not None:
            _close_with(util, _weakly(close))
            util.register_after_fork(util, partial(_close_with, close=_weakly(close)))


def _close_with(util: Any, close: Callable[[], object]) -> None:  # noqa: ANN401  either module
    util.Finalize(None, close, exitpriority=0)


def _weakly(method: Callable[[], object]) -> Callable[[], object]:
    reference = weakref.WeakMethod(method)
    return lambda: (reference() or _nothing)()


def _nothing() -> None:
    """Stand in for an object that is gone."""
