"""Pure: spans of a file as columns, some 70 bytes each, whatever order they come in.

A trace may be spread over the whole file, so every span is kept until the end; texts are kept
once each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from attribution.core.segments import CLASSES, STAGES, UNTRACED
from attribution.files.span import TIME_LIMIT_NS, FileSpan, Origin, as_text
from attribution.path.spans import KINDS, NONE, Bools, Ids, Ints
from collector.core.config import AttributesConfig, DecisionMatch, DecisionsConfig
from collector.core.errors import DecodeError
from collector.core.event_schema import names_of
from collector.core.times import NS_PER_DAY

_BLOCK = 8_192
_ID_DIGITS = 16
_NO_ID = "0" * _ID_DIGITS
_HEX = frozenset("0123456789abcdef")
_BLOCKING = {"true": 1, "false": 0}
_STORE_NAMES = ("db.system.name", "db.system")
_STORE_SERVICES = ("S3", "DynamoDB")
_RECEIVE_NAMES = ("messaging.operation.type", "messaging.operation")
_OURS = (
    "decision.action",
    "decision.id",
    "decision.schema",
    "decision.ts.ingress",
    *(f"decision.ts.{stage}" for stage in STAGES[1:]),
    "latency.class",
    "decision.stage",
    "latency.blocking",
)
_ANY_SERVICE = ""
_LOW_BITS = 2**63 - 1
_STAMP_DIGITS_MAX = 20
# Of each hexadecimal digit in lower case its value, 255 of all else.
_DIGITS = np.full(256, 255, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


class Trait(NamedTuple):
    """What the attributes and the kind of a span say; few spans of a file differ in it."""

    kind: int
    latency_class: int = NONE
    stage: int = NONE
    blocking: int = NONE
    is_store: bool = False
    is_receive: bool = False
    # Of the services named here it is a root, of "" in any.
    root_of: frozenset[str] = frozenset()


class RootWords(NamedTuple):
    """What a span says that may be the root of a decision, as it was sent."""

    schema: str = ""
    ingress: str = ""
    stamps: tuple[str, ...] = ("", "", "")


@dataclass(frozen=True, slots=True)
class Columns:
    """The spans of a file, one row each in its order."""

    trace: Ints  # index into the traces
    number: Ids  # of 16 digits in lower case: the id. Else its place among the odd ids
    is_odd: Bools
    parent: Ids  # likewise; 0 and not odd for none
    parent_is_odd: Bools
    start_ns: Ints
    end_ns: Ints
    name: Ints  # index into the names
    origin: Ints  # index into the origins
    trait: Ints  # index into the traits
    decision: Ints  # index into the decision ids
    content: Ids  # hash of what has no column here
    may_be_shared: Bools


# As the columns of Columns, but ids as texts, and whether they are odd is not known yet.
_Row: TypeAlias = tuple[int, str, str, int, int, int, int, int, int, int, bool]


class _Codes(dict[str, int]):
    """A number of each text, in the order in which they were met."""

    def __missing__(self, text: str) -> int:
        self[text] = code = len(self)
        return code


class Collected:
    """Takes spans one by one."""

    def __init__(
        self, attributes: AttributesConfig, decisions: DecisionsConfig, retention_days: int = 30
    ) -> None:
        """Read attributes by these names, and find roots by these rules.

        A stamp that is earlier than its span by more than the days is one that no collector takes.
        """
        self._retention_days = retention_days
        self.has_refused_root = False
        self._names: dict[str, Sequence[str]] = {
            name: names_of(name, attributes.name(name)) for name in _OURS
        }
        self._rules = decisions.match
        looked_at = {each for names in self._names.values() for each in names}
        looked_at |= {*_STORE_NAMES, "rpc.service", *_RECEIVE_NAMES}
        self._looked_at = frozenset(looked_at)
        self.traces, self.names, self.decision_ids, self.odd_ids = (
            _Codes(), _Codes(), _Codes(), _Codes()
        )  # fmt: skip
        self.decision_ids[""] = 0
        self.origins: list[Origin] = []
        self.traits: dict[Trait, int] = {Trait(kind): kind for kind in range(len(KINDS))}
        self.root_words: dict[int, RootWords] = {}
        self.links: list[tuple[int, str, str]] = []  # row, trace, span
        self._kinds = {name: index for index, name in enumerate(KINDS)}
        self._origins: dict[tuple[str, str, int], Origin] = {}
        self._rows: list[_Row] = []
        self._blocks: list[Columns] = []
        self._full = 0

    def __len__(self) -> int:
        """Return how many spans it holds."""
        return self._full + len(self._rows)

    def add(self, span: FileSpan) -> None:
        """Take one span.

        Raises:
            DecodeError: its stamps are such as the collector refuses.
        """
        (trace_id, span_id, parent_id, name, kind, origin, start_ns, end_ns, attributes, status,
         links, may_be_shared, _, _) = span  # fmt: skip
        pairs = frozenset(attributes.items())
        if not (links or self._rules) and self._looked_at.isdisjoint(attributes):
            trait, decision = self._kinds[kind], 0
            content = hash((pairs, status)) & _LOW_BITS
        else:
            trait, decision = self._stated(span)
            # What a split may depend on has to give one order in every process.
            text = repr((sorted(pairs), status, links))
            digest = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
            content = int.from_bytes(digest, "big", signed=True) | ~_LOW_BITS
            if links:
                row = len(self)
                self.links += [(row, trace, _filled(to)) for trace, to in links]
        rows = self._rows
        rows.append(
            (
                self.traces[trace_id],
                span_id,
                parent_id or _NO_ID,
                start_ns,
                end_ns,
                self.names[name],
                origin.code if origin.code >= 0 else self._number(origin),
                trait,
                decision,
                content,
                may_be_shared,
            )
        )
        if len(rows) == _BLOCK:
            self._close()

    def columns(self) -> Columns:
        """Return all that was taken."""
        if self._rows or not self._blocks:
            self._close()
        names = Columns.__dataclass_fields__
        return Columns(
            *(np.concatenate([getattr(each, name) for each in self._blocks]) for name in names)
        )

    def _number(self, origin: Origin) -> int:
        """Give an origin its number; that of another which says the same, if it has said so."""
        key = (origin.service, origin.host, origin.clock_error_ns)
        known_origin = self._origins.get(key) if any(key[:2]) else None
        if known_origin is not None:
            origin.code = known_origin.code
            return known_origin.code
        origin.code = len(self.origins)
        self.origins.append(origin)
        if any(key[:2]):
            self._origins[key] = origin
        return origin.code

    def _stated(self, span: FileSpan) -> tuple[int, int]:
        """Return the number of the trait of a span, and that of the decision that it names."""
        get = span.attributes.get
        value = {
            name: next((stated for each in names if (stated := get(each))), "")
            for name, names in self._names.items()
        }
        services = {rule.service for rule in self._rules if _matches(rule, span)}
        if value["decision.action"]:
            services.add(_ANY_SERVICE)
        trait = Trait(
            self._kinds[span.kind],
            _index(CLASSES[:UNTRACED], value["latency.class"]),
            _index(STAGES, value["decision.stage"]),
            _BLOCKING.get(value["latency.blocking"], NONE),
            any(get(each) for each in _STORE_NAMES) or get("rpc.service") in _STORE_SERVICES,
            any(get(each) == "receive" for each in _RECEIVE_NAMES),
            frozenset(services),
        )
        words = RootWords(
            value["decision.schema"],
            value["decision.ts.ingress"],
            tuple(value[f"decision.ts.{stage}"] for stage in STAGES[1:]),
        )
        if words != _NOTHING:
            if why := self._refused_stamps(span):
                self.has_refused_root |= bool(services)
                raise DecodeError(why)
            self.root_words[len(self)] = words
        return self.traits.setdefault(trait, len(self.traits)), self.decision_ids[
            as_text(value["decision.id"])
        ]

    def _refused_stamps(self, span: FileSpan) -> str:
        """Return why the collector refuses the stamps of a span, "" where it takes them."""
        earliest_ns = span.start_ns - (self._retention_days + 1) * NS_PER_DAY
        latest_name, latest_ns = "", 0
        for names in (self._names[f"decision.ts.{stage}"] for stage in STAGES):
            stamps = ((name, stamp(span.attributes.get(name, ""))) for name in names)
            name, at_ns = next((pair for pair in stamps if pair[1]), ("", 0))
            if not name:
                continue
            if not earliest_ns <= at_ns < TIME_LIMIT_NS:
                return f"{name} {at_ns} is far from its span; stamp in Unix nanoseconds"
            if at_ns < latest_ns:
                return (
                    f"{name} {at_ns} is before {latest_name} {latest_ns}; "
                    f"stamp {', '.join(STAGES)} in this order"
                )
            latest_name, latest_ns = name, at_ns
        return ""

    def _close(self) -> None:
        """Make arrays of the rows since the last."""
        columns = tuple(zip(*self._rows, strict=True)) or ((),) * 11
        (
            trace,
            span_id,
            parent_id,
            start_ns,
            end_ns,
            name,
            origin,
            trait,
            decision,
            content,
            shared,
        ) = columns
        number, is_odd = self._ids([_filled(each) for each in span_id])
        parent, parent_is_odd = self._ids([_filled(each) for each in parent_id])
        self._blocks.append(
            Columns(
                np.array(trace, np.int32),
                number,
                is_odd,
                parent,
                parent_is_odd,
                np.array(start_ns, np.int64),
                np.array(end_ns, np.int64),
                np.array(name, np.int32),
                np.array(origin, np.int32),
                np.array(trait, np.int32),
                np.array(decision, np.int32),
                np.array(content, np.int64).view(np.uint64),
                np.array(shared, np.bool_),
            )
        )
        self._full += len(self._rows)
        self._rows = []

    def _ids(self, ids: Sequence[str]) -> tuple[Ids, Bools]:
        """Return ids as numbers, and which of them are places among the odd ids."""
        digits = _digits(ids)
        is_odd = (digits == 255).any(axis=1)
        pairs = digits[:, 0::2] << 4 | digits[:, 1::2]
        number = np.ascontiguousarray(pairs).view(">u8").astype(np.uint64).reshape(-1)
        for row in np.flatnonzero(is_odd).tolist():
            number[row] = self.odd_ids[ids[row]]
        return number, is_odd


_NOTHING = RootWords()


def stamp(text: str) -> int:
    """Return a stamp in Unix ns, 0 where it is none."""
    if not (text.isascii() and text.isdigit()):
        return 0
    digits = text.lstrip("0")  # Python reads at most 4,300
    return int(digits or "0") if len(digits) < _STAMP_DIGITS_MAX else 10**_STAMP_DIGITS_MAX


def _filled(text: str) -> str:
    """Return an id with the zeros that Jaeger and Zipkin leave out; what is not hex as it is."""
    is_short = len(text) < _ID_DIGITS and text and _HEX.issuperset(text)
    return text.rjust(_ID_DIGITS, "0") if is_short else text


def _digits(ids: Sequence[str]) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Return the digits of ids, a row each, with 255 in the rows of those that are not usual."""
    usual = [each if len(each) == _ID_DIGITS and each.isascii() else "x" * 16 for each in ids]
    codes = np.frombuffer("".join(usual).encode("ascii"), np.uint8)
    return _DIGITS[codes].reshape(-1, _ID_DIGITS)


def _index(names: Sequence[str], name: str) -> int:
    return names.index(name) if name in names else NONE


def _matches(rule: DecisionMatch, span: FileSpan) -> bool:
    """Return whether a rule names this span, but for its service, which may be stated later."""
    return (
        rule.span_name in ("", span.name)
        and rule.kind.capitalize() in ("", span.kind)
        and all(span.attributes.get(name, "") == value for name, value in rule.attributes.items())
    )


def texts(codes: Mapping[str, int], chosen: Iterable[int]) -> list[str]:
    """Return the texts of these numbers."""
    words = list(codes)
    return [words[each] for each in chosen]
