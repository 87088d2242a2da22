"""Pure: what the pages and `/api/v1` are told by the store. Times are Unix ns, ids lower-case."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from attribution.core.segments import CLASSES, SEGMENTS, STAGES
from attribution.core.selection import RATE_S_MIN
from collector.core.intervals import overlap
from collector.core.times import NS_PER_HOUR, NS_PER_S

_DIGITS_MAX = 20  # of nanoseconds in 64 bits
# The order in which every query returns the sixteen segments.


def segment_place(stage: str, latency_class: str) -> int:
    """Return 1 to 16 for a segment, 0 for what is none: a blamed segment may be empty."""
    segment = (stage, latency_class)
    return SEGMENTS.index(segment) + 1 if segment in SEGMENTS else 0


def exact_id(decision_id: str, ingress_ns: int) -> str:
    """Return the name of one decision among those that share an id, as two of a trace may."""
    return f"{decision_id}@{ingress_ns}"


def exact_of(name: str) -> tuple[str, int] | None:
    """Return the id and the ingress that an exact name is of, None of any other name."""
    decision_id, _, at = name.rpartition("@")
    is_exact = decision_id and at.isascii() and at.isdigit() and len(at) < _DIGITS_MAX
    return (decision_id, int(at)) if is_exact else None


@dataclass(frozen=True, slots=True)
class Range:
    """What a page looks at: [from_ns, to_ns), and one action or region, "" for all."""

    from_ns: int
    to_ns: int
    action: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Attributed:
    """How far attribution has come."""

    until_ns: int  # all that was received by then is attributed, 0 for never; but for ...
    put_off: tuple[tuple[int, int], ...] = ()  # ... what was received in (after, until]
    # When the newest decision by now began; where all are of clocks ahead, the newest of them.
    newest_ns: int = 0  # 0 without any
    is_silent: bool = False  # since then none came for as long as alerts call no data

    @property
    def is_empty(self) -> bool:
        """Return whether there is no decision at all."""
        return not self.newest_ns

    def missing_ns(self, from_ns: int, to_ns: int) -> int:
        """Return how much of a range was put off: decisions come about when they happen."""
        return overlap(self.put_off, from_ns, to_ns)


@dataclass(frozen=True, slots=True)
class Reference:
    """Reference latency L0: of the actions named, and of the others."""

    default_ns: int
    by_action_ns: dict[str, int]

    def target_ns(self, action: str) -> int:
        """Return the reference latency of one action; of "" the default."""
        return self.by_action_ns.get(action, self.default_ns)


@dataclass(frozen=True, slots=True)
class Revenue:
    """What decisions of a range were worth, what they earned, and what lateness cost."""

    decisions: int
    late: int
    unvalued: int
    value_usd: Decimal
    loss_usd: Decimal
    loss_low_usd: Decimal
    loss_high_usd: Decimal
    earned_usd: Decimal
    unknown_amounts: int  # decisions that earned something, and how much is not known
    bases: list[str]
    first_ns: int  # 0 when nothing happened
    last_ns: int
    window_ns: int  # from the begin of the range to its end

    @property
    def length_ns(self) -> int:
        """Return over how long a rate of the range is: from its first decision to its last.

        Not over the window: a service that is up for five minutes would seem to earn a third of
        what it does. But a minute at the least, or a shorter window.
        """
        least_ns = min(RATE_S_MIN * NS_PER_S, self.window_ns)
        return max(self.last_ns - self.first_ns, least_ns)

    @property
    def per_hour(self) -> Decimal | None:
        """Return what turns a sum of the range into a rate, None where no value is known."""
        if not self.last_ns or self.unvalued >= self.decisions:
            return None
        return Decimal(NS_PER_HOUR) / Decimal(self.length_ns)


@dataclass(frozen=True, slots=True)
class Cell:
    """Decisions of one column of time whose latency fell into one log2 bucket."""

    column_ns: int
    bucket: int  # floor(8 * log2(ns)), 0 for 0 ns
    decisions: int


@dataclass(frozen=True, slots=True)
class SegmentMeans:
    """Mean time of each segment; `segments_ns` has sixteen in the order of SEGMENTS."""

    decisions: int
    total_ns: float
    segments_ns: list[float]
    sample: tuple[int, int] | None = None  # of so many of so many decisions, where not of all


@dataclass(frozen=True, slots=True)
class Evidence:
    """How far the figures of a range rest on packets and on moved clocks."""

    packets: int
    linked_decisions: int
    shifted_spans: int
    spans: int
    shift_max_ns: int


@dataclass(frozen=True, slots=True)
class DecisionFacts:
    """One decision as its root span stated it; a stamp of 0 was not sent."""

    decision_id: str
    trace_id: str
    root_span_id: str
    service_name: str
    ingress_ns: int
    start_ns: int
    end_ns: int
    transform_ns: int
    decision_ns: int
    egress_ns: int
    action: str
    region: str
    dimensions: dict[str, str]  # every dimension of the event's schema, region among them
    injected_delay_ns: int
    value_usd: Decimal | None
    outcome_key: str
    is_error: int
    replaced: str  # the root's attributes whose values are no more what was sent, commas between


@dataclass(frozen=True, slots=True)
class Attribution:
    """How one decision's latency was split; the sixteen parts sum to `total_ns` exactly."""

    revision: int
    total_ns: int
    segments_ns: list[int]
    span_count: int
    flags: list[str]
    is_error: int
    computed_ns: int

    def by_class(self) -> dict[str, int]:
        """Return the nanoseconds of each class."""
        parts = list(zip(SEGMENTS, self.segments_ns, strict=True))
        return {name: sum(ns for (_, each), ns in parts if each == name) for name in CLASSES}

    def by_stage(self) -> dict[str, int]:
        """Return the nanoseconds of each stage."""
        parts = list(zip(SEGMENTS, self.segments_ns, strict=True))
        return {name: sum(ns for (each, _), ns in parts if each == name) for name in STAGES}


@dataclass(frozen=True, slots=True)
class Revision:
    """What changed of a decision's attribution from the revision before to this one."""

    revision: int
    changes: list[dict[str, str]]  # name of a column, before, after
    spans_added: list[str]
    spans_removed: list[str]
    computed_ns: int


@dataclass(frozen=True, slots=True)
class PathSpan:
    """One span of a decision as assembled; `sections` are its parts of the critical path."""

    trace_id: str
    span_id: str
    parent_span_id: str
    service_name: str
    span_name: str
    span_kind: str
    start_ns: int
    duration_ns: int
    shift_ns: int
    clock_bound_ns: int | None
    on_path: int
    self_ns: int
    stage: str
    latency_class: str
    sections: list[tuple[int, int]]

    @property
    def shown_ns(self) -> int:
        """Return its start on the decision's clock: as sent plus the shift."""
        return self.start_ns + self.shift_ns


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision earned."""

    outcome_id: str
    kind: str
    converted: int  # as it was told
    is_sale: bool  # it, or what it corrects, was taken: it says so, or names an amount
    revenue: Decimal | None
    margin: Decimal | None
    currency: str
    event_ns: int


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span."""

    at_ns: int
    name: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A link from a span to another."""

    trace_id: str
    span_id: str
    trace_state: str
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class TraceSpan:
    """One span as sent; attribute values are strings, rendered as clickhouseexporter does."""

    span_id: str
    parent_span_id: str
    name: str
    service_name: str
    kind: str
    start_ns: int
    duration_ns: int
    status: str
    status_message: str
    trace_state: str
    scope_name: str
    scope_version: str
    attributes: dict[str, str]
    resource_attributes: dict[str, str]
    events: list[SpanEvent]
    links: list[SpanLink]


@dataclass(frozen=True, slots=True)
class SentSpan:
    """What of a span as sent says where it hangs, and whether it failed."""

    span_id: str
    parent_span_id: str
    trace_state: str
    status: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """What could not be used for one reason, with the last example."""

    reason_code: str
    signal: str
    rows: int
    items: int
    last_ns: int
    item_id: str
    detail: str


@dataclass(frozen=True, slots=True)
class TableSize:
    """What one table takes on disk."""

    table: str
    rows: int
    bytes_on_disk: int
    parts: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to SQL from outside, ready for JSON."""

    columns: list[str]
    types: list[str]
    rows: list[list[object]]
    row_count: int
