"""Pure: which share of all traces some of them are, told by their ids.

A head sampler decides by the id of a trace: it takes a number from it, and keeps the trace where
that lies in the first part of its range. So where the numbers of all ids lie in a part of the
range, and evenly in it, the rest was left out before it was sent. Which number is taken differs
between SDKs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

U64: TypeAlias = NDArray[np.uint64]
Floats: TypeAlias = NDArray[np.float64]

_IDS_MIN: Final = 20
# Ids of the whole range seem to be of a part of it in one of e^30 looks, which is 1e13.
_SURE: Final = 30.0
# Ids that count up lie below, and those of a UUID, some bits of which are fixed, end just above.
_SHARE_MIN, _SHARE_MAX = 1e-4, 0.99
# Kolmogorov's distance times the root of the number: passed by chance once in ten thousand.
_UNEVEN: Final = 2.23
_WORD: Final = np.uint64(32)
_VARIANT: Final = np.uint64(62)


def _unsigned(number: U64, bits: int) -> Floats:
    return (number & np.uint64((1 << bits) - 1)).astype(np.float64) / 2.0**bits


def _signed(number: U64) -> Floats:
    return np.abs(number.view(np.int64).astype(np.float64)) / 2.0**63


def _last_63(low: U64) -> Floats:
    # A UUID has its variant in these bits: half of the range is empty, though all are sent.
    is_uuid = bool((low >> _VARIANT == 2).all())
    return np.ones(len(low)) if is_uuid else _unsigned(low, 63)


def _words(high: U64, low: U64) -> Floats:
    return _unsigned(high ^ high >> _WORD ^ low ^ low >> _WORD, 32)


# Of the first and the last eight bytes of ids: what each sampler compares with its ratio.
_NUMBERS: Final[tuple[Callable[[U64, U64], Floats], ...]] = (
    lambda _, low: _unsigned(low, 64),  # Python, Go, Ruby, Rust
    lambda _, low: _signed(low),  # Java
    lambda _, low: _last_63(low),  # Erlang, clients of Jaeger
    lambda _, low: _unsigned(low, 60),  # PHP, before it took the next
    lambda _, low: 1.0 - _unsigned(low, 56),  # OpenTelemetry's consistent sampling
    lambda high, _: _unsigned(high, 64),  # Go, before it took the last bytes
    lambda high, _: _signed(high),  # .NET
    lambda high, _: _unsigned(high.byteswap(), 64),  # C++
    _words,  # JavaScript
)


def kept_share(trace_ids: Sequence[str]) -> float:
    """Return which share of all traces these are, 1 where their ids show no less.

    Args:
        trace_ids: 32 hex digits each, none twice.
    """
    if len(trace_ids) < _IDS_MIN:
        return 1.0
    halves = np.frombuffer(bytes.fromhex("".join(trace_ids)), ">u8").astype(np.uint64)
    high, low = halves[0::2].copy(), halves[1::2].copy()
    return min(_share(number(high, low)) for number in _NUMBERS)


def _share(numbers: Floats) -> float:
    """Return up to which part of the range numbers go, 1 where it is all of it, or uneven."""
    count, highest = len(numbers), float(numbers.max())
    if not _SHARE_MIN < highest < _SHARE_MAX or -count * math.log(highest) < _SURE:
        return 1.0
    steps = np.arange(1, count + 1) / count
    apart = float(np.abs(np.sort(numbers) / highest - steps).max())
    is_even = apart * math.sqrt(count) < _UNEVEN
    return min(highest * (count + 1) / count, 1.0) if is_even else 1.0
