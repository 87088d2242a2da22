"""I/O: names and values of what was sent that are nearly ours, and that nobody reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from clickhouse_connect.driver.client import Client

from attribution.core.segments import CLASSES, UNTRACED
from collector.core.config import AttributesConfig
from collector.core.event_schema import CURRENT, MAPPED, OUTCOME, STAGES, Kind, names_of
from collector.core.sql import sql
from collector.otlp.outcomes import NUMBER
from dashboard.health.items import HealthItem, health_item

_NAMES: Final = sql("sent_names", __file__)
_EVENTS: Final = sql("sent_events", __file__)
_VALUES: Final = sql("odd_values", __file__)
_ON_RESOURCE: Final = sql("on_resource", __file__)
# Of so many spans, or records, attributes are read at most.
_READ_MAX: Final = 20_000
# Names that differ by a letter or two are alike.
_ALIKE: Final = 0.9
_PREFIXES: Final = ("decision.", "outcome.", "latency.")
_INTEGER: Final = "^[0-9]{1,19}$"
# What a value has to be, and how a person is told; texts may be anything.
_KINDS: Final = {
    Kind.DECIMAL: (NUMBER, "a number such as 4.20"),
    Kind.NS: (_INTEGER, "a whole number of nanoseconds"),
    Kind.UNIX_NS: (_INTEGER, "Unix nanoseconds, a whole number"),
}
_WORDS: Final = {
    "decision.stage": STAGES,
    "latency.class": CLASSES[:UNTRACED],
    "latency.blocking": ("true", "false"),
}


@dataclass(frozen=True, slots=True)
class Misspelt:
    """A name that is nearly one that is read, and is read by nobody."""

    service: str
    name: str
    meant: str  # an attribute, or the event `decision.outcome`
    items: int  # spans or log records that carry it, of those that were looked at
    example: str  # id of a trace, "" where a record has none


@dataclass(frozen=True, slots=True)
class OddValue:
    """A value that cannot be read as what its attribute is."""

    service: str
    name: str
    value: str  # of one of them
    expected: str  # in words
    spans: int  # that carry such a value, of those that were looked at
    example: str  # id of a trace


@dataclass(frozen=True, slots=True)
class OnResource:
    """A customer's own name that a service says of itself, where those of spans are read."""

    service: str
    name: str
    spans: int  # of the service, of those that were looked at
    example: str  # id of a trace


class SentAttributes:
    """Finds what was meant to be ours.

    Args:
        attributes: a customer's own names.
    """

    def __init__(self, attributes: AttributesConfig) -> None:
        self._own = {*attributes.map.values()}
        self._read = MAPPED | self._own
        self._ours = {name for name in MAPPED if name.startswith(_PREFIXES)}
        prefixes = {f"{name.split('.')[0].lower()}." for name in self._own if "." in name}
        self._prefixes = sorted({*_PREFIXES, *prefixes})
        patterns = {each.name: _KINDS[each.kind] for each in CURRENT.fields if each.kind in _KINDS}
        for name, words in _WORDS.items():
            patterns[name] = (f"^({'|'.join(words)})$", _one_of(words))
        patterns["decision.action"] = (r"\S", "a name")
        self._checked = [
            (sent, pattern, expected)
            for name, (pattern, expected) in patterns.items()
            for sent in names_of(name, attributes.name(name))
        ]

    def misspelt(self, client: Client, after_ns: int) -> list[Misspelt]:
        """Return names that came since and are nearly ours, or nearly the customer's own."""
        looked = {"after_ns": after_ns, "items_max": _READ_MAX}
        words = [prefix.removesuffix(".") for prefix in _PREFIXES]
        asked = looked | {"prefixes": self._prefixes, "words": words}
        rows = client.query(_NAMES, parameters=asked).result_rows
        sent = {(str(service), str(name)) for service, name, _, _ in rows}
        found = []
        for service, name, spans, example in rows:
            # What a service sends beside the customer's own name is another name of theirs.
            own = {each for each in self._own if (service, each) not in sent}
            if name not in self._read and (meant := _nearest(name, sorted(self._ours | own))):
                found.append(Misspelt(service, name, meant, int(spans), example))
        events = client.query(_EVENTS, parameters=looked).result_rows
        for service, event, records, example in events:
            if meant := _nearest(event, [OUTCOME]):
                found.append(Misspelt(service, event, meant, int(records), example))
        return found

    def on_resource(self, client: Client, after_ns: int) -> list[OnResource]:
        """Return the customer's own names that came since on resources, and on no span."""
        if not self._own:
            return []
        looked = {"after_ns": after_ns, "items_max": _READ_MAX, "names": sorted(self._own)}
        rows = client.query(_ON_RESOURCE, parameters=looked).result_rows
        return [OnResource(str(s), str(name), int(n), str(e)) for s, name, n, e in rows]

    def odd(self, client: Client, after_ns: int) -> list[OddValue]:
        """Return values that came since and are none of what their attribute is."""
        names, patterns, expected = zip(*self._checked, strict=True)
        parameters = {
            "after_ns": after_ns,
            "items_max": _READ_MAX,
            "names": list(names),
            "patterns": list(patterns),
        }
        words = dict(zip(names, expected, strict=True))
        return [
            OddValue(str(service), str(name), str(value), words[name], int(spans), str(example))
            for service, name, value, spans, example in client.query(
                _VALUES, parameters=parameters
            ).result_rows
        ]


def attribute_items(
    misspelt: list[Misspelt], odd: list[OddValue], on_resource: list[OnResource]
) -> Iterator[HealthItem]:
    """Yield each name that is misspelt or elsewhere, and each value that cannot be read."""
    for own in on_resource:
        detail = (
            f"{own.service} says {own.name} of its resource, and [attributes.map] reads what is "
            "said of spans: set it on the span of the decision, or let a collector copy it (its "
            f"transform processor). {_where(own.example)}"
        )
        yield health_item(
            f"senders.resource.{own.service}.{own.name}", own.spans, "spans", warn=detail
        )
    for each in misspelt:
        is_event = each.meant == OUTCOME
        what = "log records" if is_event else "spans"
        detail = (
            f"{what} of {each.service} {'are events named' if is_event else 'carry'} {each.name}, "
            f"which nobody reads: did you mean {each.meant}? {_where(each.example)}"
        )
        kind = "event" if is_event else "attribute"
        name = f"senders.{kind}.{each.service}.{each.name}"
        yield health_item(name, each.items, "records" if is_event else "spans", warn=detail)
    for value in odd:
        detail = (
            f"spans of {value.service} carry {value.name} = {value.value!r}, which is read as "
            f"absent: it is not {value.expected}. {_where(value.example)}"
        )
        name = f"senders.value.{value.service}.{value.name}"
        yield health_item(name, value.spans, "spans", warn=detail)


def _nearest(name: str, targets: list[str]) -> str:
    """Return which of these a name nearly is, "" for none of them."""
    near = difflib.get_close_matches(name.lower(), targets, n=1, cutoff=_ALIKE)
    return near[0] if near else ""


def _where(trace_id: str) -> str:
    example = f"As trace {trace_id}; " if trace_id else ""
    return f"{example}docs/use/attributes.md lists what is read"


def _one_of(words: Sequence[str]) -> str:
    *others, last = words
    return f"one of {', '.join(others)} and {last}"
