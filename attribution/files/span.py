"""Pure: one span as a trace file holds it, and how values of such files are read.

A value that is not a number is never guessed: the span is refused with its reason, and the rest
read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeAlias

from attribution.path.spans import KINDS, NONE, UNSPECIFIED
from collector.core.errors import DecodeError

# What json.loads gives: an object, with Decimal for a fraction.
Json: TypeAlias = dict[str, object]

# Up to the year 2116: what the cores add and subtract of such times stays within 64 bits.
TIME_LIMIT_NS = 2**62
NS_PER_US = 1_000

# The machine whose clock stamped a span, first match wins; as the store's query takes it.
_HOST_NAMES = ("host.id", "host.ip", "host.name", "service.instance.id")
_SHOWN_MAX = 60


@dataclass(slots=True)
class Origin:
    """What sent a span: a resource or a process. A file may state it after its spans."""

    service: str = ""
    host: str = ""
    host_attribute: str = "host.ip"  # that has it
    clock_error_ns: int = NONE  # clock.error_ns, NONE where it does not say
    code: int = NONE  # its number among those of a file, once a span has it
    is_stated: bool = False
    # As the file holds it: a JSON object or a message, None where it does not.
    raw: object = field(default=None, compare=False)

    def state(self, service: str, named: dict[str, str]) -> None:
        """Take what the attributes of a resource or the tags of a process say."""
        if self.is_stated:  # twice in one object; others may have its number by now
            return
        self.is_stated = True
        self.service = service
        self.host_attribute = next(
            (name for name in _HOST_NAMES if named.get(name)), self.host_attribute
        )
        self.host = named.get(self.host_attribute, "")
        text = named.get("clock.error_ns", "")
        if text.isascii() and text.isdigit() and len(text) <= 18:
            self.clock_error_ns = int(text)

    def close(self) -> None:
        """Take it that nothing more is stated: what it belongs to is read."""
        self.is_stated = True


class FileSpan(NamedTuple):
    """One finished span of a file. Ids are as the file spells them; times are Unix ns."""

    trace_id: str
    span_id: str
    parent_id: str  # empty for none
    name: str
    kind: str  # one of spans.KINDS
    origin: Origin
    start_ns: int
    end_ns: int
    attributes: dict[str, str]
    status: str = ""
    links: tuple[tuple[str, str], ...] = ()  # trace and span
    may_be_shared: bool = False  # client and server of one call may have one id, as Zipkin's
    raw: object = None  # as the file holds it: a JSON object or a message
    scope: object = None  # likewise; a JSON object is empty until the file states it


def members(node: Json, name: str) -> Iterator[Json]:
    """Yield the objects of a list in a document; a list that is absent or null is empty.

    Raises:
        DecodeError: it is not a list of objects.
    """
    value = node.get(name)
    if value is None:
        return
    if not isinstance(value, list):
        raise DecodeError(f"{name} is {value_text(value)}, not a list")
    for each in value:
        if not isinstance(each, dict):
            raise DecodeError(f"{name} holds {value_text(each)}, not an object")
        yield each


def value_text(value: object) -> str:
    """Return a value of a file as a message names it."""
    return "null" if value is None else repr(as_text(value)[:_SHOWN_MAX])


def as_text(value: object) -> str:
    """Return a scalar as attributes are stored: text, whole numbers, true and false."""
    if value.__class__ is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value)
    # Half of a surrogate pair, which an escape in JSON may hold, is no text that can be written.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def as_word(value: object, what: str) -> str:
    """Return a scalar as text.

    Raises:
        DecodeError: it is a list or an object.
    """
    if isinstance(value, list | dict):
        raise DecodeError(f"{what} is {value_text(value)}, not a text")
    return as_text(value)


def as_id(value: object, what: str) -> str:
    """Return an id as it is spelled, whatever its length and its digits.

    Jaeger and Zipkin leave leading zeros out, and traces written by hand name spans as they like.

    Raises:
        DecodeError: it is missing, or all zeros.
    """
    text = as_word(value, what)
    if not text.strip("0"):
        raise DecodeError(
            f"{what} is {value_text(value) if text else 'missing'}; an id has a digit"
        )
    return text


def as_parent(value: object, what: str) -> str:
    """Return the id of a parent, empty where it is absent or all zeros.

    Raises:
        DecodeError: it is a list or an object.
    """
    text = as_word(value, what)
    return text if text.strip("0") else ""


def as_ns(value: object, unit_ns: int, what: str) -> int:
    """Return a time of a file in nanoseconds, exactly.

    Raises:
        DecodeError: it is missing or not a number, has parts of a nanosecond, or is out of range.
    """
    if value.__class__ is not int:
        if value is None:
            raise DecodeError(f"{what} is missing")
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 40:
            value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise DecodeError(f"{what} is {value_text(value)}, not a number")
    # Compared before it is multiplied: 1e999999 is short to write and long to expand.
    if not 0 <= value < TIME_LIMIT_NS:
        raise DecodeError(f"{what} {str(value)[:_SHOWN_MAX]} is out of range")
    ns = value * unit_ns
    if ns != int(ns):
        raise DecodeError(f"{what} {str(value)[:_SHOWN_MAX]} has parts of a nanosecond")
    return int(ns)


def check_times(start_ns: int, end_ns: int) -> None:
    """Refuse times that no span can have.

    Raises:
        DecodeError: it ends before it starts, or out of the range of the cores.
    """
    if end_ns < start_ns:
        raise DecodeError(f"it ends {start_ns - end_ns} ns before it starts")
    if end_ns >= TIME_LIMIT_NS:
        raise DecodeError(f"its times {start_ns} to {end_ns} are out of range")


def kind_of(name: str) -> str:
    """Return a kind as spans.KINDS spells it, whatever the case; unspecified where it is none."""
    kind = name.strip().capitalize()
    return kind if kind in KINDS else KINDS[UNSPECIFIED]
