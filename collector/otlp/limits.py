"""Pure: what the items of a request are held against, and how one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from collector.core.times import utc_iso

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request is held against."""

    earliest_ns: int  # older items would be expired the moment they are stored
    latest_ns: int
    stamp_names: tuple[tuple[str, ...], ...]  # of each stage in order, ours before the customer's


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why one item was not taken."""

    reason: str
    detail: str


def out_of_range(what: str, start_ns: int, end_ns: int, limits: Limits) -> Refusal:
    """Return the refusal of an item that begins before the earliest, or ends after the latest."""
    if start_ns < limits.earliest_ns:
        detail = (
            f"{what} of {utc_iso(start_ns)} is before {utc_iso(limits.earliest_ns)}, the oldest "
            "that collector.retention_days takes: raise it for old data, or set the clock of the "
            "sender"
        )
    else:
        detail = (
            f"{what} of {utc_iso(end_ns)} is after {utc_iso(limits.latest_ns)}, a day ahead of the "
            "collector; set the clock of the sender"
        )
    return Refusal("time_out_of_range", detail)


class Removable(Protocol):
    """A list of items of a message."""

    def __delitem__(self, index: int, /) -> None: ...


def remove(items: Removable, bad: Mapping[int, Refusal]) -> None:
    """Take what was refused out of a message, by index."""
    for index in sorted(bad, reverse=True):
        del items[index]
