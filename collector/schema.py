"""Pure: the registry of decision events: versions, fields, and what becomes of the version before.

`decision.schema` says which version a root span speaks. The current one and the one before it are
taken; any other is kept in `rejected`, because a name may mean something else in it. Needs the
standard library alone: a customer's service imports this through `collector.instrument`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BUDGET_BYTES: Final = 512  # of one event, as sql/event_sizes.sql counts
IDS_AND_TIMES_BYTES: Final = 32 + 16 + 19 + 19 + 4  # trace, span, start and end
PREFIXES: Final = ("decision.", "provenance.", "outcome.key")  # of what counts


class Kind(StrEnum):
    """What a value is; all of them may be sent as text."""

    TEXT = "text"
    DECIMAL = "decimal"
    NS = "integer, ns"
    UNIX_NS = "integer, Unix ns"


@dataclass(frozen=True, slots=True)
class EventField:
    """One attribute of a decision event."""

    name: str
    kind: Kind = Kind.TEXT
    since: int = 0  # the version that brought it
    required: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the event.

    `spellings` are the values of `decision.schema` that mean it; `renamed` has today's name of a
    field and the one that it had in it.
    """

    number: int
    spellings: tuple[str, ...]
    fields: tuple[EventField, ...]
    renamed: tuple[tuple[str, str], ...] = ()


_FIELDS: Final = (
    EventField("decision.schema", since=1),
    EventField("decision.id"),
    EventField("decision.action", required=True),
    EventField("decision.channel"),
    EventField("decision.region"),
    EventField("decision.cohort"),
    EventField("decision.offer_type"),
    EventField("decision.campaign"),
    EventField("decision.route"),
    EventField("decision.vendor"),
    EventField("decision.mode"),
    EventField("decision.value_usd", Kind.DECIMAL),
    EventField("decision.experiment"),
    EventField("decision.arm"),
    EventField("decision.injected_delay_ns", Kind.NS),
    EventField("decision.ts.ingress", Kind.UNIX_NS),
    EventField("decision.ts.transform", Kind.UNIX_NS),
    EventField("decision.ts.decision", Kind.UNIX_NS),
    EventField("decision.ts.egress", Kind.UNIX_NS),
    EventField("outcome.key"),
    EventField("provenance.kid", since=1),
    EventField("provenance.producer", since=1),
    EventField("provenance.epoch", since=1),
    EventField("provenance.seq", since=1),
    EventField("provenance.prev", since=1),
    EventField("provenance.tag", since=1),
)


def _version(number: int, spellings: tuple[str, ...]) -> Version:
    return Version(number, spellings, tuple(each for each in _FIELDS if each.since <= number))


# What was sent before events said their version says none; it may say 0 as well.
PREVIOUS: Final = _version(0, ("", "0"))
CURRENT: Final = _version(1, ("1",))
ACCEPTED: Final = (*PREVIOUS.spellings, *CURRENT.spellings)


def accepts(spelling: str) -> bool:
    """Return whether a version is taken."""
    return spelling in ACCEPTED


def names_of(name: str, mapped: str, previous: Version = PREVIOUS) -> tuple[str, ...]:
    """Return under which names a field may come, the first that is not empty counts.

    Ours of today, then ours of the version before, which is all that it takes to read an event of
    that version: what it did not have is absent, which is unknown and never a default. Then the
    customer's own, `mapped`.
    """
    names = (name, dict(previous.renamed).get(name, name), mapped)
    return tuple(dict.fromkeys(names))
