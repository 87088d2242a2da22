"""Pure: what the items of a request are held against, and how one is refused."""

from __future__ import annotations

from dataclasses import dataclass


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
