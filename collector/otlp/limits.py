"""Pure: what the items of a request are held against, and how one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

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


class Removable(Protocol):
    """A list of items of a message."""

    def __delitem__(self, index: int, /) -> None: ...


def remove(items: Removable, bad: Mapping[int, Refusal]) -> None:
    """Take what was refused out of a message, by index."""
    for index in sorted(bad, reverse=True):
        del items[index]
