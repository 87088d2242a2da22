"""I/O: how far the kernel says that this machine's clock may be off.

Needs nothing but the standard library, because `collector.instrument.instrument` imports it.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_STA_UNSYNC = 0x0040


@dataclass(frozen=True, slots=True)
class KernelClock:
    """The kernel's own bound on the error of its wall clock."""

    error_ns: int  # 16 s where nothing disciplines the clock
    synced: bool


class _Timex(ctypes.Structure):
    """`struct timex` of Linux; what follows the status is not read, only given room."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


def kernel_clock() -> KernelClock | None:
    """Return what adjtimex says; None where there is no such call (unknown, never zero)."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return None
    timex = _Timex()  # modes 0: read only, which needs no privilege
    state = int(adjtimex(ctypes.byref(timex)))
    if state < 0:
        return None
    synced = state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return KernelClock(error_ns=int(timex.maxerror) * 1000, synced=synced)
