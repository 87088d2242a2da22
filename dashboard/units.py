"""Pure: figures as an operator reads them. Unknown is written as unknown, never as zero."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from collector.core.clock import NS_PER_MS, NS_PER_S

UNKNOWN = "unknown"


def ms(ns: float, digits: int = 1) -> str:
    """Return milliseconds: `83.4 ms`."""
    return f"{ns / NS_PER_MS:,.{digits}f} ms"


def signed_ms(ns: float) -> str:
    """Return a difference: `+41.2 ms`, with a minus sign that lines up with the plus."""
    return f"{ns / NS_PER_MS:+,.1f} ms".replace("-", "−")  # noqa: RUF001  a true minus sign


def usd(value: Decimal | float) -> str:
    """Return dollars with as many digits as matter: `$38,120`, `$412.50`, `$0.0031`."""
    size = abs(float(value))
    digits = 0 if size >= 1000 else 2 if size >= 0.1 or size == 0 else 4
    sign = "−" if value < 0 else ""  # noqa: RUF001  a true minus sign
    return f"{sign}${size:,.{digits}f}"


def percent(share: float) -> str:
    """Return a share: `93.4 %`."""
    return f"{share * 100:.1f} %"


def count(value: int) -> str:
    """Return a whole number with thousands set apart."""
    return f"{value:,}"


def size(value: float) -> str:
    """Return bytes in the unit that suits: `20.0 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TiB"


def span_of_time(ns: float) -> str:
    """Return a length of time in the unit that suits: `42 s`, `4.5 min`, `3.0 h`, `2.0 d`."""
    seconds = ns / NS_PER_S
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.1f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} d"


def utc_iso(ns: int) -> str:
    """Return an instant for an axis or a URL: `2026-09-21T14:13:20.123`, always UTC."""
    whole, rest = divmod(ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // NS_PER_MS:03d}"


def utc_clock(ns: int) -> str:
    """Return the time of day, UTC: `14:13:20`."""
    return f"{datetime.fromtimestamp(ns // NS_PER_S, UTC):%H:%M:%S}"


def utc_full(ns: int) -> str:
    """Return an instant to the nanosecond: `2026-09-21 14:13:20.123456789 UTC`."""
    whole, rest = divmod(ns, NS_PER_S)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} UTC"


def shorten(text: str, chars: int) -> str:
    """Return at most `chars` characters, the cut shown."""
    return text if len(text) <= chars else text[: chars - 1] + "…"
