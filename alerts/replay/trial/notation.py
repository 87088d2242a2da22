"""Pure: the values of a series as promtool writes them: `0+10x5`, `3x2`, `_` for a gap."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

SAMPLES_MAX: Final = 100_000


def expand(text: str) -> list[float | None]:
    """Return one value an interval, None where there is none.

    Source: `a+bxn` is a, a+b, ..., a+n*b, `axn` is a, n+1 times, `_xn` is a gap of n:
    Prometheus, unit testing for rules.

    Raises:
        ValueError: a part is not of this notation, or the values are too many.
    """
    found: list[float | None] = []
    for part in text.split():
        found.extend(_part(part, SAMPLES_MAX - len(found)))
    return found


def _part(part: str, room: int) -> Iterator[float | None]:
    body, times, count = part.partition("x")
    if times and not (count.isascii() and count.isdigit() and len(count) < 10):
        raise ValueError(f"{part[:40]!r}: after x comes how often; write 0+10x5, 3x2 or _x4")
    repeats = int(count) if times else 0
    if repeats >= room:
        raise ValueError(f"{part[:40]!r}: a series has {SAMPLES_MAX:,} values at the most")
    if body in ("_", "stale"):
        yield from [None] * (repeats if times else 1)
        return
    first, step = _numbers(part, body)
    for at in range(repeats + 1):
        yield first + at * step


def _numbers(part: str, body: str) -> tuple[float, float]:
    """Return the first value and the step of `a`, `a+b` or `a-b`."""
    # A sign after an exponent belongs to the number.
    cut = next(
        (at for at in range(1, len(body)) if body[at] in "+-" and body[at - 1] not in "eE"), None
    )
    try:
        first = float(body[:cut])
        step = 0.0 if cut is None else float(body[cut:])
    except ValueError as error:
        raise ValueError(f"{part[:40]!r} is not a value; write 5, 0+10x5, 3x2 or _") from error
    if not (math.isfinite(first) and math.isfinite(step)):
        raise ValueError(f"{part[:40]!r} is not a number that can be counted; write _ for a gap")
    return first, step
