"""Pure: one span as a trace file holds it, and how values of such files are read.

A value that is no number is never guessed: the span is refused with its reason, and the rest read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from attribution.path.spans import KINDS, NONE, UNSPECIFIED
from collector.core.errors import DecodeError

# What json.loads gives: an object, with Decimal for a fraction.
Json: TypeAlias = dict[str, object]

# Up to the year 2116: what the cores add and subtract of such times stays within 64 bits.
TIME_LIMIT_NS = 2**62
NS_PER_US = 1_000

# The machine whose clock stamped a span, first match wins; as the store's query takes it.
_HOST_NAMES = ("host.id", "host.ip", "host.name", "service.instance.id")


@dataclass(frozen=True, slots=True)
class FileSpan:
    """One finished span of a file. Ids are as the file spells them; times are Unix ns."""

    trace_id: str
    span_id: str
    parent_id: str  # the key of its parent, empty for none
    name: str
    kind: str  # one of spans.KINDS
    service: str
    host: str
    start_ns: int
    end_ns: int
    attributes: dict[str, str] = field(default_factory=dict)
    status: str = ""
    links: tuple[tuple[str, str], ...] = ()  # trace and key
    clock_error_ns: int = NONE  # clock.error_ns of the resource, NONE where it does not say
    key: str = ""  # what parents are found by: the span id, but for the server's half of an RPC

    @property
    def content(self) -> tuple[object, ...]:
        """Return everything that tells a repetition from another span of the same id."""
        return (
            *(self.parent_id, self.name, self.kind, self.service, self.start_ns, self.end_ns),
            *(self.status, frozenset(self.attributes.items()), self.links),
            *(self.host, self.clock_error_ns),
        )


# Reads one span; DecodeError refuses that span alone.
ReadSpan: TypeAlias = Callable[[], FileSpan]


def members(node: Json, name: str) -> Iterator[Json]:
    """Yield the objects of a list in a document; a list that is absent or null is empty.

    Raises:
        DecodeError: it is no list of objects.
    """
    found = node.get(name)
    if found is None:
        return
    if not isinstance(found, list):
        raise DecodeError(f"{name} is {as_text(found)[:60]!r}, not a list")
    for each in found:
        if not isinstance(each, dict):
            raise DecodeError(f"{name} holds {as_text(each)[:60]!r}, not an object")
        yield each


def as_text(value: object) -> str:
    """Return a scalar as attributes are stored: text, whole numbers, true and false."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value)
    # Half of a surrogate pair, which an escape in JSON may hold, is no text that can be written.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def as_parent(value: object) -> str:
    """Return the id of a parent, empty where it is absent or all zeros."""
    text = as_text(value)
    return text if text.strip("0") else ""


def as_ns(value: object, unit_ns: int, what: str) -> int:
    """Return a time of a file in nanoseconds, exactly.

    Raises:
        DecodeError: it is no number, has parts of a nanosecond, or is out of range.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 40:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise DecodeError(f"{what} is {as_text(value)[:60]!r}, not a number")
    # Compared before it is multiplied: 1e999999 is short to write and long to expand.
    if not 0 <= value < TIME_LIMIT_NS:
        raise DecodeError(f"{what} {str(value)[:60]} is out of range")
    ns = value * unit_ns
    if ns != int(ns):
        raise DecodeError(f"{what} {str(value)[:60]} has parts of a nanosecond")
    return int(ns)


def checked(span: FileSpan) -> FileSpan:
    """Return a span that can be used.

    Raises:
        DecodeError: an id is missing, or its times are impossible.
    """
    if not span.trace_id or not span.span_id:
        raise DecodeError("it has no trace id or no span id")
    if span.end_ns < span.start_ns:
        raise DecodeError(f"it ends {span.start_ns - span.end_ns} ns before it starts")
    if not 0 <= span.start_ns <= span.end_ns < TIME_LIMIT_NS:
        raise DecodeError(f"its times {span.start_ns} to {span.end_ns} are out of range")
    return span


def host_of(resource: dict[str, str]) -> str:
    """Return the machine that the attributes of a resource or process name, empty for none."""
    return next((resource[name] for name in _HOST_NAMES if resource.get(name)), "")


def clock_error_of(resource: dict[str, str]) -> int:
    """Return the bound of the clock's error that a resource states, NONE where it states none."""
    text = resource.get("clock.error_ns", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else NONE


def kind_of(name: str) -> str:
    """Return a kind as spans.KINDS spells it, whatever the case; unspecified where it is none."""
    kind = name.strip().capitalize()
    return kind if kind in KINDS else KINDS[UNSPECIFIED]
