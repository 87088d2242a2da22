"""I/O: how the process ends: at SIGINT, SIGTERM or SIGHUP whenever it comes, at once by a fault.

Python runs a handler between any two steps of the main thread. A handler that sets a
`threading.Event` takes the lock of that event, which the main thread may hold at that instant,
because it is about to wait for it: then neither goes on, and the process is there for ever. So the
handlers do nothing here; what the interpreter writes to a pipe when a signal comes takes no lock.
"""

from __future__ import annotations

import faulthandler
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from collector.core.log import get_logger

_log = get_logger("dashboard")
_FAULTS: Final = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)


class Stop(Protocol):
    """What somebody waits for who would stop."""

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether it is time, after at most `timeout` seconds."""
        ...


class StopSignal:
    """Whether this process was told to stop; made by the main thread, once."""

    def __init__(self) -> None:
        self._told, wakeup = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # What was started to outlive its terminal, as by nohup, ignores SIGHUP already.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, lambda *_: None)

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether a signal came, after at most `timeout` seconds."""
        poll = select.poll()
        poll.register(self._told, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))


def end_at_faults() -> None:
    """Take the faults back from the embedded engine; call it when the engine has started.

    The engine's own handlers hand a fault to a thread of the engine and wait for it. In this
    process, they write nothing, and a fault of a thread that the engine needs is never answered:
    the process keeps its ports, and no service manager starts another.
    """
    for number in _FAULTS:
        signal.signal(number, signal.SIG_DFL)
    faulthandler.enable()


def end_within(seconds: float, busy: Callable[[], Sequence[str]]) -> None:
    """End this process after so many seconds, whatever it is still at.

    A query of minutes cannot be interrupted, and a service manager would kill for it. Nothing is
    lost by that: what was acknowledged is in the log, and a job begins again where its cursor is.

    Args:
        busy: returns what is at work, for the log.
    """

    def cut_off() -> None:
        _log.warning("stop_cut_off", after_seconds=seconds, busy=list(busy()))
        sys.stderr.flush()
        os._exit(0)

    timer = threading.Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
