"""Pure: how the process that serves tells the Health page about itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal, Protocol

KEY_RING: Final = "key_ring"  # an item that is there while the ring cannot be read
OUTCOMES: Final = "outcomes.complete"  # an item that is there while the data contradict the mode
UNDECLARED: Final = "decisions.none"  # while traces come, and no decision of any
SAMPLING: Final = "senders.sampling."  # and a service, while it sends a share of its decisions
UNMATCHED: Final = "outcomes.matched"  # while many outcomes are of no decision that is known
LATE: Final = "stage.late"  # how far behind is what came long after it happened, s
# It takes a few seconds at any time.
_LATE_PROMPT_S: Final = 15.0
# Of an answer with dollars: what contradicts them, or why they are not all.
WARNING_HEADER: Final = "millworth-warning"
# Of every answer: in which currency its amounts are, ISO 4217.
CURRENCY_HEADER: Final = "millworth-currency"
Status = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class HealthItem:
    """One figure of the service.

    `name` is `room.figure`, such as `collector.spans_acked` or `packet.recorder`; `detail` says
    what is wrong and what to do, and is empty where nothing is.
    """

    name: str
    value: float | int | str | None  # None: unknown, shown as such
    unit: str
    status: Status
    detail: str = ""


def health_item(
    name: str, value: float | int | str | None, unit: str = "", *, warn: str = "", bad: str = ""
) -> HealthItem:
    """Return a figure that is well, unless a text says what is wrong and what to do."""
    return HealthItem(name, value, unit, "bad" if bad else "warn" if warn else "ok", bad or warn)


def late_words(behind_s: float | None) -> str:
    """Return what figures of the past lack while late data wait, "" where nothing waits long.

    Of a large import a part counts before the rest does.
    """
    if behind_s is None or behind_s <= _LATE_PROMPT_S:
        return ""
    return (
        f"outcomes and decisions that came in the last {behind_s:,.0f} s and happened earlier are "
        "still to be attributed: figures of the past may be of a part of them; ask again"
    )


class HealthSource(Protocol):
    """What knows the state of the running service."""

    def health(self) -> list[HealthItem]:
        """Return every figure, cheaply: it is asked on each reading of a page."""
        ...

    def contradiction(self) -> str:
        """Return why the dollars are not all, "" for nothing; from memory, on the event loop."""
        ...

    def must_be_ready(self) -> Collection[str]:
        """Return the stages without which the service is not ready."""
        ...


class NoHealth:
    """Stands in where a command reads the store and no service runs."""

    def health(self) -> list[HealthItem]:
        """Return nothing: there is no service."""
        return []

    def contradiction(self) -> str:
        """Return nothing: nobody looks."""
        return ""

    def must_be_ready(self) -> Collection[str]:
        """Return nothing: pages and commands alone need no stage."""
        return ()
