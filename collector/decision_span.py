"""I/O: one decision in flight, which is the current span while it runs; needs OpenTelemetry alone.

In the request there are only readings of a clock and assignments; `readable` does the rest later,
in the thread that exports.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextvars import Token
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypedDict, Unpack

from opentelemetry.context import Context, attach, create_key, detach, get_current
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.trace.status import Status, StatusCode

from collector.clock_error import KernelClock
from collector.instrument_hooks import asgi_attributes

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue, Attributes, AttributeValue

SCHEMA: Final = "1"
STAGES: Final = ("ingress", "transform", "decision", "egress")

DECISION_KEY: Final = create_key("millworth-decision")
# The key under which OpenTelemetry keeps the current span, learnt through its public call; to
# build the context with it directly saves two copies a decision.
SPAN_KEY: Final = next(iter(set_span_in_context(INVALID_SPAN, Context())))

# Takes attributes, ids, start, end and status of a finished root span, and adds its seal.
Seal = Callable[[dict[str, Any], SpanContext, int, int, StatusCode], None]

_STAGE_INDEX: Final = {name: index for index, name in enumerate(STAGES)}
_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
_SCOPE: Final = InstrumentationScope("millworth.instrument", SCHEMA)


class DecisionFields(TypedDict, total=False):
    """What a decision may say of itself; each becomes `decision.<name>` on the root span."""

    id: str  # by default the trace id
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
    injected_delay_ns: int
    outcome_key: str  # sent as `outcome.key`: the order or session id that an outcome will carry


class Anchor(Protocol):
    """A clock that does not step while a decision runs; `AnchoredClock` is one."""

    anchor_id: str
    bracket_ns: int

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds on this anchor."""
        ...


class Base:
    """One anchor and the resource that names it."""

    __slots__ = ("now_ns", "resource")

    def __init__(self, anchor: Anchor, kernel: KernelClock | None, resource: Resource) -> None:
        named: dict[str, AttributeValue] = {"clock.anchor_id": anchor.anchor_id}
        if kernel is not None:
            named["clock.source"] = "adjtimex"
            named["clock.error_ns"] = kernel.error_ns + anchor.bracket_ns
            named["clock.synced"] = kernel.synced
        self.now_ns = anchor.now_ns
        self.resource = resource.merge(Resource(named))


class Decision(Span):
    """One decision in flight: the current span of whoever began it, until `end`."""

    __slots__ = (
        "_attributes", "_base", "_context", "_end_ns", "_error", "_events", "_fields", "_now_ns",
        "_parent", "_reached", "_scope", "_span_id", "_stamps", "_take", "_token", "_trace_id",
        "action", "stage_name",
    )  # fmt: skip

    def __init__(
        self,
        take: Callable[[Decision], None],
        base: Base,
        action: str,
        parent: SpanContext | None,
        scope: Mapping[str, Any] | None,
        fields: DecisionFields,
    ) -> None:
        self._now_ns = base.now_ns
        self._stamps = [self._now_ns()]
        self._take = take
        self._base = base
        self.action = action
        self.stage_name = "ingress"
        self._reached = 0
        self._parent = parent
        # From where the SDK draws its own: ids name, they guard nothing. An id of zero is invalid.
        self._trace_id = parent.trace_id if parent is not None else random.getrandbits(128) or 1
        self._span_id = random.getrandbits(64) or 1
        self._scope = None if scope is None else asgi_attributes(scope)
        self._fields = fields
        self._attributes: dict[str, AnyValue] | None = None
        self._events: list[Event] | None = None
        self._context: SpanContext | None = None
        self._error: str | None = None
        self._end_ns = 0
        values = get_current().copy()
        values[SPAN_KEY] = values[DECISION_KEY] = self
        self._token: Token[Context] = attach(Context(values))

    @property
    def id(self) -> str:
        """Return `decision.id`, by which an outcome finds it: the trace id where none was given."""
        return self._fields.get("id") or f"{self._trace_id:032x}"

    def stage(self, name: str) -> None:
        """Begin a stage: stamp it, and let child spans carry it as `decision.stage`.

        A stage that is entered again, or that was passed already, names the children and stamps
        nothing: the stamps of a decision are in order by construction.
        """
        index = _STAGE_INDEX.get(name)
        if index is None:
            raise ValueError(f"stage {name!r} is none; the stages are {', '.join(STAGES)}")
        self.stage_name = name
        if index > self._reached:
            # A stage that was left out begins and ends where the next one begins: no stamp.
            self._stamps.extend([0] * (index - self._reached - 1))
            self._stamps.append(self._now_ns())
            self._reached = index

    def set(self, **fields: Unpack[DecisionFields]) -> None:
        """Say what became known; the last value of a field counts."""
        self._fields.update(fields)

    def end(self, end_time: int | None = None, *, error: bool = False) -> None:
        """End the decision; the first call counts."""
        if self._end_ns:
            return
        self._end_ns = self._now_ns() if end_time is None else end_time
        if error and self._error is None:
            self._error = ""
        detach(self._token)
        self._take(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if error is not None:
            self.record_exception(error)
        self.end(error=error is not None)

    def get_span_context(self) -> SpanContext:
        """Return the ids by which children and other services name this decision."""
        if self._context is None:
            parent = self._parent
            self._context = SpanContext(
                self._trace_id,
                self._span_id,
                is_remote=False,
                trace_flags=_SAMPLED_RANDOM if parent is None else parent.trace_flags,
                trace_state=None if parent is None else parent.trace_state,
            )
        return self._context

    def is_recording(self) -> bool:
        """Return whether what is set now still counts."""
        return not self._end_ns

    def is_sampled(self) -> bool:
        """Return whether the trace is kept: the caller decides, where there is one."""
        return self._parent is None or self._parent.trace_flags.sampled

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set any other attribute of the root span."""
        if self._attributes is None:
            self._attributes = {}
        self._attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self, name: str, attributes: Attributes = None, timestamp: int | None = None
    ) -> None:
        """Note something that happened at an instant."""
        event = Event(name, attributes, self._now_ns() if timestamp is None else timestamp)
        self._events = [*(self._events or ()), event]

    def update_name(self, name: str) -> None:
        """Rename the action."""
        self.action = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Mark the decision as failed, where the status says so."""
        code = status.status_code if isinstance(status, Status) else status
        said = status.description if isinstance(status, Status) else description
        self._error = (said or "") if code is StatusCode.ERROR else None

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Note an exception as OpenTelemetry has it, without the stack."""
        said = {
            "exception.type": type(exception).__qualname__,
            "exception.message": str(exception),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**said, **(attributes or {})}, timestamp)

    def readable(self, seal: Seal | None = None) -> ReadableSpan:
        """Return the finished root span, sealed where there is a seal; in the exporting thread."""
        attributes: dict[str, Any] = {
            "decision.schema": SCHEMA,
            "decision.id": self.id,
            "decision.action": self.action,
            **(self._scope or {}),
            **(self._attributes or {}),
        }
        for name, value in self._fields.items():
            if value is not None:
                key = "outcome.key" if name == "outcome_key" else f"decision.{name}"
                attributes[key] = format(value, "f") if isinstance(value, Decimal) else value
        if "decision.value_usd" in attributes:
            attributes["decision.value_usd"] = str(attributes["decision.value_usd"])
        for name, stamp_ns in zip(STAGES, self._stamps, strict=False):
            if stamp_ns:
                attributes[f"decision.ts.{name}"] = stamp_ns
        context = self.get_span_context()
        status = Status() if self._error is None else Status(StatusCode.ERROR, self._error)
        if seal is not None:
            seal(attributes, context, self._stamps[0], self._end_ns, status.status_code)
        return ReadableSpan(
            name=f"decide {self.action}",
            context=context,
            parent=self._parent,
            resource=self._base.resource,
            attributes=attributes,
            events=self._events or (),
            kind=SpanKind.SERVER,
            status=status,
            start_time=self._stamps[0],
            end_time=self._end_ns,
            instrumentation_scope=_SCOPE,
        )
