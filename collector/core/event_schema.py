"""Pure: the registry of decision events: versions, fields, and what becomes of the version before.

`decision.schema` says which version a root span speaks. The current one and the one before it are
taken; any other is kept in `rejected`, because a name may mean something else in it. Needs the
standard library alone: a customer's service imports this through `collector.instrument.instrument`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypedDict
from uuid import UUID

from collector.core.assignment import UNIT_HEX

# Of a decision, in the order in which it passes them.
STAGES: Final = ("ingress", "transform", "decision", "egress")
BUDGET_BYTES: Final = 512  # of one event, as sql/event_sizes.sql counts
IDS_AND_TIMES_BYTES: Final = 32 + 16 + 19 + 19 + 4  # trace, span, start and end


class Kind(StrEnum):
    """What a value is; all of them may be sent as text."""

    TEXT = "text"
    DECIMAL = "decimal"
    NS = "integer, ns"
    UNIX_NS = "integer, Unix ns"


class DecisionFields(TypedDict, total=False):
    """What a service may state about a decision: `decision.<name>` on the root span."""

    id: str | UUID  # by default the trace id
    region: str
    channel: str
    cohort: str
    offer_type: str
    campaign: str
    route: str
    vendor: str
    mode: str
    value_usd: Decimal | str | int | None
    experiment: str
    arm: str
    unit: str  # whom the arm was drawn for: `collector.core.assignment.unit_digest`
    injected_delay_ns: int
    outcome_key: str | UUID  # sent as `outcome.key`: the order or session that an outcome will name


@dataclass(frozen=True, slots=True)
class EventField:
    """One attribute of a decision event."""

    name: str
    kind: Kind = Kind.TEXT
    since: int = 0  # the version that brought it
    required: bool = False
    signed: bool = False  # by the seal of a producer that has a key
    dimension: bool = False  # a text column of `decisions` of the same name, shown with a decision

    @property
    def column(self) -> str:
        """Return the column of `decisions` that a dimension fills."""
        return self.name.removeprefix("decision.")


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


KID: Final = "provenance.kid"
PRODUCER: Final = "provenance.producer"
EPOCH: Final = "provenance.epoch"
SEQ: Final = "provenance.seq"
PREV: Final = "provenance.prev"
TAG: Final = "provenance.tag"
FIRST_SEQ: Final = "provenance.first_seq"
LAST_SEQ: Final = "provenance.last_seq"
PREV_ROOT: Final = "provenance.prev_root"
ROOT: Final = "provenance.root"
CLOSING: Final = "provenance.closing"
SIGNATURE: Final = "provenance.signature"
_FIELDS: Final = (
    EventField("decision.schema", since=1, signed=True),
    EventField("decision.id"),
    EventField("decision.action", required=True, signed=True),
    EventField("decision.channel", signed=True, dimension=True),
    EventField("decision.region", signed=True, dimension=True),
    EventField("decision.cohort", signed=True, dimension=True),
    EventField("decision.offer_type", signed=True, dimension=True),
    EventField("decision.campaign", signed=True, dimension=True),
    EventField("decision.route", signed=True, dimension=True),
    EventField("decision.vendor", signed=True, dimension=True),
    EventField("decision.mode", signed=True, dimension=True),
    EventField("decision.value_usd", Kind.DECIMAL, signed=True),
    EventField("decision.experiment", signed=True, dimension=True),
    EventField("decision.arm", signed=True, dimension=True),
    EventField("decision.unit", signed=True, dimension=True),
    EventField("decision.injected_delay_ns", Kind.NS, signed=True),
    EventField("decision.ts.ingress", Kind.UNIX_NS, signed=True),
    EventField("decision.ts.transform", Kind.UNIX_NS, signed=True),
    EventField("decision.ts.decision", Kind.UNIX_NS, signed=True),
    EventField("decision.ts.egress", Kind.UNIX_NS, signed=True),
    EventField("outcome.key"),
    EventField(KID, since=1),
    EventField(PRODUCER, since=1),
    EventField(EPOCH, since=1),
    EventField(SEQ, since=1),
    EventField(PREV, since=1),
    EventField(TAG, since=1),
)

# What a customer may call otherwise, in [attributes.map]: all that is read of a decision, a span
# and an outcome, and the two ends of a call.
MAPPED: Final = frozenset(
    {
        *(each.name for each in _FIELDS if not each.name.startswith("provenance.")),
        *("decision.stage", "latency.class", "latency.blocking"),
        *("outcome.id", "outcome.kind", "outcome.converted", "outcome.revenue"),
        *("outcome.margin", "outcome.currency", "outcome.channel"),
        *("server.address", "server.port", "network.peer.address", "network.peer.port"),
        *("client.address", "client.port", "network.local.port"),
        *("net.peer.ip", "net.peer.port", "net.host.port"),
    }
)
DIMENSIONS: Final = tuple(each for each in _FIELDS if each.dimension)
# What a decision's seal is over: five things of the span, then attributes in this order, which is
# that of the seal's bytes. `decision.id` and `outcome.key` are left out: rules may replace
# identifiers before they are stored, and the stored event has to verify as well. What is in this
# list cannot be named by such a rule.
SIGNED_ATTRIBUTES: Final = tuple(each.name for each in _FIELDS if each.signed)
SIGNED: Final = ("trace_id", "span_id", "start_ns", "end_ns", "status", *SIGNED_ATTRIBUTES)
# Of an outcome, which is a log record; its form has so many parts fewer that none is a decision's.
# Which one it is, and of which decision, is bound by `provenance.subject`, under the key: rules may
# replace the ids.
OUTCOME: Final = "decision.outcome"
SUBJECT: Final = "provenance.subject"
OUTCOME_SIGNED: Final = (
    "time_ns",
    "outcome.kind",
    "outcome.converted",
    "outcome.revenue",
    "outcome.margin",
    "outcome.currency",
    "outcome.channel",
    SUBJECT,
)
# How many hex digits each has. Among so many digits at random there is now and then a run that
# looks like a card number.
HEX_DIGITS: Final = {
    "decision.unit": UNIT_HEX,
    EPOCH: 16,
    PREV: 32,
    TAG: 32,
    SUBJECT: 32,
    PREV_ROOT: 64,
    ROOT: 64,
    SIGNATURE: 128,
}


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
