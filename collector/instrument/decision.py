"""I/O: one decision in flight, which is the current span while it runs; needs OpenTelemetry alone.

In the request there are only readings of a clock, assignments and one change of OpenTelemetry's
context; `readable` does the rest later, in the thread that exports.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from contextvars import Token
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, Unpack

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
)
from opentelemetry.trace.status import Status, StatusCode

from collector.core.clock import AnchoredClock
from collector.core.event_schema import CURRENT, STAGES, DecisionFields
from collector.instrument.clock_error import KernelClock
from collector.instrument.current import (
    DECISION_KEY,
    SPAN_KEY,
    get_context,
    reset_context,
    set_context,
)
from collector.instrument.hooks import Headers, asgi_attributes, parent_of

if TYPE_CHECKING:
    from opentelemetry.util.types import AnyValue, Attributes, AttributeValue

SCHEMA: Final = CURRENT.spellings[0]

# Takes attributes, ids, start, end and status of a finished root span, and adds its seal.
Seal = Callable[[dict[str, Any], SpanContext, int, int, StatusCode], None]

_SAMPLED_RANDOM: Final = TraceFlags(TraceFlags.SAMPLED | TraceFlags.RANDOM_TRACE_ID)
_SCOPE: Final = InstrumentationScope("millworth.instrument", SCHEMA)
# From where the SDK draws its own: ids name, they guard nothing.
_draw_bits: Final = random.getrandbits
_ID_BITS: Final = 128 + 64
_SPAN_ID_MAX: Final = 2**64 - 1
_SCOPE_KEYS: Final = ("method", "path", "client", "server")


class Anchor(Protocol):
    """A clock that does not step while a decision runs; `AnchoredClock` is one."""

    anchor_id: str
    bracket_ns: int

    def now_ns(self) -> int:
        """Return Unix epoch nanoseconds on this anchor."""


class Base:
    """One anchor and the resource that names it.

    A stamp is a reading of `read_ns`; `offset_ns` makes it Unix epoch nanoseconds.
    """

    __slots__ = ("offset_ns", "read_ns", "resource")

    def __init__(self, anchor: Anchor, kernel: KernelClock | None, resource: Resource) -> None:
        named: dict[str, AttributeValue] = {"clock.anchor_id": anchor.anchor_id}
        if kernel is not None:
            named["clock.source"] = "adjtimex"
            named["clock.error_ns"] = kernel.error_ns + anchor.bracket_ns
            named["clock.synced"] = kernel.synced
        self.read_ns: Callable[[], int] = anchor.now_ns
        self.offset_ns = 0
        if isinstance(anchor, AnchoredClock):
            self.read_ns, self.offset_ns = anchor.read_ns, anchor.offset_ns
        self.resource = resource.merge(Resource(named))


class Decision(Span):
    """One decision in flight: the current span of whoever began it, until `end`."""

    # A default on the class would be slower to read than a slot is to fill. What few decisions have
    # is not filled at all: whoever reads it gives the default.
    __slots__ = (
        "_attributes", "_base", "_context", "_decision", "_egress", "_end", "_error", "_events",
        "_fields", "_home", "_ingress", "_parent", "_reached", "_read_ns", "_scope",
        "_token", "_transform", "action", "stage_name",
    )  # fmt: skip
    action: str
    stage_name: str
    _base: Base
    _home: DecisionPool
    _read_ns: Callable[[], int]
    _ingress: int  # readings of the clock, as the next three and the end
    _transform: int
    _decision: int
    _egress: int
    _end: int  # 0 while it runs
    _reached: int  # the number of the last stage that was stamped
    _fields: DecisionFields
    _parent: SpanContext | None
    _context: SpanContext | None
    _token: Token[Context]
    _attributes: dict[str, AnyValue]
    _events: list[Event]
    _error: str | None
    _scope: tuple[Any, ...]

    @property
    def id(self) -> str:
        """Return `decision.id`, by which an outcome finds it: the trace id where none was given."""
        return str(self._fields.get("id") or f"{self.get_span_context().trace_id:032x}")

    @property
    def fields(self) -> DecisionFields:
        """Return what it says of itself so far; `set` is how to say more."""
        return self._fields

    @property
    def ingress_ns(self) -> int:
        """Return when it began, Unix ns, as `decision.ts.ingress` has it."""
        return self._base.offset_ns + self._ingress

    def stage(self, name: str) -> None:
        """Begin a stage: stamp it, and let child spans carry it as `decision.stage`.

        A stage that is entered again, or that was passed already, names the children and stamps
        nothing: the stamps of a decision are in order by construction.
        """
        # Spelt out, because a list of stamps and an index into it take a third longer. What a slot
        # holds is fetched first: called in one expression it is looked up as a method, slowly.
        reached, read_ns = self._reached, self._read_ns
        if name == "transform":
            if reached < 1:
                self._reached = 1
                self._transform = read_ns()
        elif name == "decision":
            if reached < 2:
                self._reached = 2
                self._decision = read_ns()
        elif name == "egress":
            if reached < 3:
                self._reached = 3
                self._egress = read_ns()
        elif name != "ingress":
            raise ValueError(f"stage {name!r} is none; the stages are {', '.join(STAGES)}")
        self.stage_name = name

    def set(self, **fields: Unpack[DecisionFields]) -> None:
        """Add what is known by now; the last value of a field counts."""
        self._fields.update(fields)

    def end(self, end_time: int | None = None, *, error: bool = False) -> None:
        """End the decision; the first call counts."""
        if self._end:
            return
        read_ns = self._read_ns
        self._end = read_ns() if end_time is None else end_time - self._base.offset_ns
        if error and self._failure() is None:
            self._error = ""
        try:  # noqa: SIM105  three calls more in the request
            reset_context(self._token)
        except ValueError:
            pass  # ended in another context than it was begun in, as what streams its answer is
        home = self._home
        queue = home.queue
        if len(queue) < home.room:
            queue.append(self)
        else:
            home.drop()

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
            # Two threads may draw at once; what is first in the dictionary counts for both.
            self._context = self.__dict__.setdefault("ids", self._draw())
        return self._context

    def _draw(self) -> SpanContext:
        parent = self._parent
        # One draw for both ids; an id of zero is invalid.
        bits = _draw_bits(_ID_BITS)
        return SpanContext(
            bits >> 64 or 1 if parent is None else parent.trace_id,
            bits & _SPAN_ID_MAX or 1,
            is_remote=False,
            trace_flags=_SAMPLED_RANDOM if parent is None else parent.trace_flags,
            trace_state=None if parent is None else parent.trace_state,
        )

    def is_recording(self) -> bool:
        """Return whether what is set now still counts."""
        return not self._end

    def is_sampled(self) -> bool:
        """Return whether the trace is kept: the caller decides, where there is one."""
        return self._parent is None or self._parent.trace_flags.sampled

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Set any other attribute of the root span."""
        try:
            self._attributes[key] = value
        except AttributeError:
            self._attributes = {key: value}

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Set several."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self, name: str, attributes: Attributes = None, timestamp: int | None = None
    ) -> None:
        """Note something that happened at an instant."""
        if timestamp is None:
            timestamp = self._base.offset_ns + self._read_ns()
        event = Event(name, attributes, timestamp)
        self._events = [*getattr(self, "_events", ()), event]

    def update_name(self, name: str) -> None:
        """Rename the action."""
        self.action = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Mark the decision as failed, where the status says so."""
        code = status.status_code if isinstance(status, Status) else status
        text = status.description if isinstance(status, Status) else description
        self._error = (text or "") if code is StatusCode.ERROR else None

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Note an exception as OpenTelemetry has it, without the stack."""
        attributes_of_exception = {
            "exception.type": type(exception).__qualname__,
            "exception.message": str(exception),
            "exception.escaped": str(escaped),
        }
        self.add_event("exception", {**attributes_of_exception, **(attributes or {})}, timestamp)

    def readable(self, seal: Seal | None = None) -> ReadableSpan:
        """Return the finished root span, sealed where there is a seal; in the exporting thread."""
        attributes: dict[str, Any] = {
            "decision.schema": SCHEMA,
            "decision.id": self.id,
            "decision.action": self.action,
            **self._scope_attributes(),
            **getattr(self, "_attributes", {}),
        }
        for name, value in self._fields.copy().items():  # one may be set just now, after the end
            if value is not None and name != "id":
                key = "outcome.key" if name == "outcome_key" else f"decision.{name}"
                # A UUID is an id too, and no attribute of OpenTelemetry.
                form = "f" if isinstance(value, Decimal) else ""
                is_plain = isinstance(value, str | int | float) and name != "value_usd"
                attributes[key] = value if is_plain else format(value, form)
        offset_ns = self._base.offset_ns
        readings = [self._ingress, *(getattr(self, f"_{name}", 0) for name in STAGES[1:])]
        for name, reading_ns in zip(STAGES, readings, strict=True):
            if reading_ns:
                attributes[f"decision.ts.{name}"] = offset_ns + reading_ns
        start_ns, end_ns = offset_ns + self._ingress, offset_ns + self._end
        context = self.get_span_context()
        error = self._failure()
        status = Status() if error is None else Status(StatusCode.ERROR, error)
        if seal is not None:
            seal(attributes, context, start_ns, end_ns, status.status_code)
        return ReadableSpan(
            name=f"decide {self.action}",
            context=context,
            parent=self._parent,
            resource=self._base.resource,
            attributes=attributes,
            events=getattr(self, "_events", ()),
            kind=SpanKind.SERVER,
            status=status,
            start_time=start_ns,
            end_time=end_ns,
            instrumentation_scope=_SCOPE,
        )

    def _scope_attributes(self) -> dict[str, AttributeValue]:
        scope = getattr(self, "_scope", None)
        return {} if scope is None else asgi_attributes(dict(zip(_SCOPE_KEYS, scope, strict=True)))

    def _failure(self) -> str | None:
        """Return what went wrong, None for nothing."""
        return getattr(self, "_error", None)


class DecisionPool(ABC):
    """Begins decisions, and takes them back when they have ended; `DecisionInstrument` is one."""

    base: Base
    queue: deque[Decision]
    room: int

    def begin(
        self,
        action: str,
        *,
        headers: Headers | None = None,
        scope: Mapping[str, Any] | None = None,
        **fields: Unpack[DecisionFields],
    ) -> Decision:
        """Begin a decision at its ingress and make it the current span.

        Args:
            action: the market action, such as `offer` or `price`.
            headers: of the request, a mapping with lower-case names or ASGI's pairs; an incoming
                `traceparent` is continued, else the current span is the parent, if there is one.
            scope: of an ASGI request; stands for `headers` and gives the address attributes.
            fields: what is known already.
        """
        # Filled here: an `__init__` would be one more call, with all of this to hand over.
        decision = Decision()
        decision._base = base = self.base
        decision._read_ns = read_ns = base.read_ns
        decision._ingress = read_ns()
        decision._home = self
        decision.action = action
        decision.stage_name = "ingress"
        decision._fields = fields
        # A stage that is left out begins and ends where the next one begins: no stamp.
        decision._reached = decision._end = 0
        decision._context = parent = None
        if scope is not None:
            # Servers reuse and change a scope; what is read of it is read now.
            decision._scope = (
                scope["method"], scope["path"], scope.get("client"), scope.get("server")
            )  # fmt: skip
            if headers is None:
                headers = scope["headers"]
        if headers is not None:
            parent = parent_of(headers)
        mine: dict[str, object] = {SPAN_KEY: decision, DECISION_KEY: decision}
        if context := get_context():
            if parent is None and SPAN_KEY in context:
                parent = _valid(context[SPAN_KEY])
            mine = {**context, **mine}
        decision._parent = parent
        decision._token = set_context(Context(mine))
        return decision

    @abstractmethod
    def drop(self) -> None:
        """Count a decision for which there is no room."""


def _valid(span: object) -> SpanContext | None:
    """Return the ids of the current span, None where it has none or is a decision that ended.

    One that ended in another context goes on to be current in this one: in a thread of a pool, and
    in all that a task has begun.
    """
    if isinstance(span, Decision) and not span.is_recording():
        return None
    context: SpanContext = span.get_span_context()  # type: ignore[attr-defined]  # only spans are kept under this key
    return context if context.is_valid else None
