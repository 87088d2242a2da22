"""A fault of native code ends the process at once, with the stacks of all threads in the log."""

from __future__ import annotations

import faulthandler
import signal

_FAULTS = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT)


def end_at_faults() -> None:
    """Take the faults back from the embedded engine; call it when the engine has started.

    The engine's own handlers hand a fault to a thread of the engine and wait for it. In this
    process, they write nothing, and a fault of a thread that the engine needs is never answered:
    the process keeps its ports, and no service manager starts another.
    """
    for number in _FAULTS:
        signal.signal(number, signal.SIG_DFL)
    faulthandler.enable()
