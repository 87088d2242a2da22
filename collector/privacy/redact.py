"""Pure: personal data out of a request, before it is logged.

Nearly no request holds any, so its bytes are asked first: which attribute names there are, and
whether a pattern may be in it. Only what has something is walked, rewritten and serialised anew.
The same bytes give the same bytes for as long as the key is the same, so a sender's retry is
still one; ids of traces and spans are never touched, so it is one over a rotation too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, Protocol

from google.protobuf import message
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.event_schema import HEX_DIGITS
from collector.otlp.check import Signal
from collector.otlp.values import has_deep_values, value_text
from collector.privacy.names_scan import is_attributes, names_by_place, places_in
from collector.privacy.patterns import URL_PARTS, Patterns, Replace, has_any
from collector.privacy.pseudonyms import Tokeniser
from collector.privacy.rules import Action, IdentifiersConfig, Rules

_HEX: Final = re.compile("[0-9a-f]+")

# On a span: the names of its own attributes whose values are no more what was sent.
REPLACED: Final = "identifiers.replaced"
_MARK: Final = REPLACED.encode()
_REPLACED_CHARS_MAX: Final = 256
OTHER: Final = "other"  # what is changed where no attribute's name can be told

Ruled = Mapping[str, frozenset[str]]  # by place, the names that have a rule
Changes = Counter[tuple[str, str]]  # values by the name of their attribute, and by rule or pattern


class Pairs(Protocol):
    """A list of attributes: Protobuf's, or Python's own."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[KeyValue]: ...
    def __getitem__(self, index: int, /) -> KeyValue: ...
    def __delitem__(self, index: slice, /) -> None: ...
    def extend(self, pairs: Iterable[KeyValue], /) -> None:
        """Add attributes at the end."""


class Identifiers:
    """The rules with the keys of their tokens.

    Args:
        config: the rules.
        tokeniser: makes the tokens.
        joined: names by which rows find each other, and a customer's own for each.
        keep: names that no shipped rule shall touch.
        names: a customer's own names of ours, which are left as ours are.
    """

    def __init__(
        self,
        config: IdentifiersConfig,
        tokeniser: Tokeniser,
        joined: Mapping[str, str],
        keep: Iterable[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> None:
        self._rules = Rules(config, joined, keep, names or {})
        self._patterns = Patterns(config.patterns if config.enabled else ())
        self._tokeniser = tokeniser
        self._is_off = not config.enabled

    def rewrite(
        self,
        signal: Signal,
        body: bytes,
        now_ns: int,
        changes: Changes | None = None,
    ) -> bytes:
        """Return a request without personal data; the same object where it has none.

        Args:
            signal: what it is a request of; a body that is none is returned, for the check to
                refuse.
            body: the request.
            now_ns: when it came.
            changes: to which the values that are changed are added.
        """
        if self._is_off:
            return body
        try:
            ruled = self._ruled_names(signal, body)
            may_hold_pattern = self._patterns.may_be_in(body)
            is_deep = has_deep_values(signal, body)
            if not (ruled or may_hold_pattern or is_deep):
                return body
            request = signal.request_class.FromString(body)
        except (message.DecodeError, UnicodeDecodeError):
            return body
        pass_ = _Pass(self._rules, self._patterns, self._tokeniser, now_ns)
        pass_.looks_at_texts = may_hold_pattern
        pass_.has_marks = _MARK in body
        if may_hold_pattern or is_deep:
            pass_.walk(request, ruled, is_deep=is_deep)
        else:
            pass_.apply(request, ruled)
        if not pass_.has_changed:
            return body
        if changes is not None:
            changes.update(pass_.changed)
        # No column has a field that is not known, and what is in one cannot be judged.
        request.DiscardUnknownFields()
        return request.SerializeToString()

    def has_rule(self, name: str) -> bool:
        """Return whether anything becomes of an attribute by its name."""
        return self._rules.action(name) is not None

    def may_hold_pattern(self, body: bytes) -> bool:
        """Return whether a pattern may be in a request; false only where none is."""
        return self._patterns.may_be_in(body)

    def holds_pattern(self, texts: Iterable[tuple[str, bool]]) -> bool:
        """Return whether a pattern is in a text; with each, whether it is of URL_PARTS alone."""
        return any(
            self._patterns.replace(text, lambda hit: f"{hit}*", is_query=is_query) != text
            for text, is_query in texts
        )

    def replace(self, name: str, value: str, now_ns: int) -> str:
        """Return what stands for one text that is not of a request; "" where it is dropped."""
        pair = KeyValue(key=name, value=AnyValue(string_value=value))
        pairs = [pair]
        pass_ = _Pass(self._rules, self._patterns, self._tokeniser, now_ns)
        if not self._is_off and value:
            pass_.walk_pairs(pairs)
        return pairs[0].value.string_value if pairs else ""

    def tokens(self, value: str, from_ns: int, now_ns: int) -> list[str]:
        """Return every token that a value may have had between two instants."""
        return self._tokeniser.all_since(value, from_ns, now_ns)

    def _ruled_names(self, signal: Signal, body: bytes) -> Ruled:
        action = self._rules.action
        return {
            place: ruled
            for place, names in names_by_place(signal, body)
            if (ruled := frozenset(name for name in names if action(name) is not None))
        }


class _Pass:
    """One request, rewritten in place."""

    def __init__(self, rules: Rules, patterns: Patterns, tokeniser: Tokeniser, now_ns: int) -> None:
        self.changed: list[tuple[str, str]] = []  # as `Changes` counts them
        self.has_marks = False  # a span of it may be marked already
        self.looks_at_texts = True  # false: there is no pattern in it, only names are looked at
        self._rules = rules
        self._patterns = patterns
        self._tokeniser = tokeniser
        self._now_ns = now_ns

    @property
    def has_changed(self) -> bool:
        """Return whether anything is another than it was sent."""
        return bool(self.changed)

    def apply(self, item: message.Message, ruled: Ruled) -> None:
        """Rewrite attributes by their names alone, at the places that have such names."""
        if ruled:
            self._apply(item, ruled, frozenset(ruled))

    def _apply(self, item: message.Message, ruled: Ruled, places: frozenset[str]) -> None:
        for name, kind in _ways(item.DESCRIPTOR, places):
            if kind == "pairs":
                pairs, noted = getattr(item, name), len(self.changed)
                self._apply_pairs(pairs, ruled[item.DESCRIPTOR.name])
                self._mark(item, noted)
            elif kind == "items":
                for child in getattr(item, name):
                    self._apply(child, ruled, places)
            elif item.HasField(name):
                self._apply(getattr(item, name), ruled, places)

    def _apply_pairs(self, pairs: Pairs, names: frozenset[str]) -> None:
        dropped = [
            pair.key in names and self._act(pair, self._rules.action(pair.key)) for pair in pairs
        ]
        self._drop(pairs, dropped)

    def walk_pairs(self, pairs: Pairs) -> None:
        """Rewrite attributes by their names, those inside values too, and by patterns."""
        dropped = []
        for pair in pairs:
            action = self._rules.action(pair.key)
            if action is not None:
                dropped.append(self._act(pair, action))
            else:
                dropped.append(False)
                self._walk_value(pair.value, pair.key)
            if self.looks_at_texts:
                self._walk_name(pair)
        self._drop(pairs, dropped)

    def _walk_name(self, pair: KeyValue) -> None:
        name = self._patterns.replace_name(pair.key, self._rotate)
        if name != pair.key:
            pair.key = name
            self._note("", "pattern")

    def walk(self, item: message.Message, ruled: Ruled, *, is_deep: bool) -> None:
        """Rewrite every text of a message, attributes by their names too.

        Of an item in which no pattern may be, only attributes are looked at, unless values nest.
        """
        for name, kind in _fields(item.DESCRIPTOR):
            if kind == "text":
                if self.looks_at_texts:
                    self._walk_text(item, name)
            elif kind == "pairs":
                pairs, noted = getattr(item, name), len(self.changed)
                self.walk_pairs(pairs)
                self._mark(item, noted)
            elif kind == "items":
                for child in getattr(item, name):
                    if is_deep or self._patterns.may_be_in(child.SerializeToString()):
                        self.walk(child, ruled, is_deep=is_deep)
                    else:
                        self.apply(child, ruled)
            elif item.HasField(name):
                if kind == "value":
                    self._walk_value(getattr(item, name), "")
                else:
                    self.walk(getattr(item, name), ruled, is_deep=is_deep)

    def _act(self, pair: KeyValue, action: Action | None) -> bool:
        """Do what a rule says with a value; return whether the attribute is to be dropped."""
        if action is Action.DROP:
            self._note(pair.key, "rule")
            return True
        if self._tokenise(pair.value, self._last if action is Action.HASH else self._rotate):
            self._note(pair.key, "rule")
        return False

    def _note(self, name: str, by: str) -> None:
        """Note a value that was changed; a name that holds personal data itself is not told."""
        is_told = name and self._patterns.replace_name(name, self._rotate) == name
        self.changed.append((name if is_told else OTHER, by))

    def _mark(self, item: message.Message, noted: int) -> None:
        """Say on a span which of its attributes are no more what was sent."""
        if len(self.changed) == noted or not isinstance(item, Span):
            return
        names = {name for name, _ in self.changed[noted:]}
        pairs = item.attributes
        # To look at every name costs as much as all the rest, and hardly any request has a mark.
        mark = (
            next((pair for pair in pairs if pair.key == REPLACED), None) if self.has_marks else None
        )
        if mark is None:
            mark = pairs.add(key=REPLACED)
        else:
            names.update(filter(None, mark.value.string_value.split(",")))
        mark.value.string_value = ",".join(sorted(names))[:_REPLACED_CHARS_MAX]

    def _drop(self, pairs: Pairs, dropped: Sequence[bool]) -> None:
        """Leave out what is dropped, all at once: one by one takes the square of their number."""
        if any(dropped):
            kept = [pair for pair, is_dropped in zip(pairs, dropped, strict=True) if not is_dropped]
            del pairs[:]
            pairs.extend(kept)

    def _tokenise(self, value: AnyValue, token: Replace) -> bool:
        """Put tokens in the place of a value, of each value inside it; return whether it did."""
        text = value.string_value  # "" of any other kind
        kind = "" if text else value.WhichOneof("value")
        if kind == "array_value":
            return sum(self._tokenise(item, token) for item in value.array_value.values) > 0
        if kind == "kvlist_value":
            inner = value.kvlist_value.values
            return sum(self._tokenise(pair.value, token) for pair in inner) > 0
        if kind == "bool_value" or not (text := text or value_text(value)):  # yes: nobody's name
            return False
        pseudonym = token(text)
        if pseudonym != text:
            value.string_value = pseudonym
        return pseudonym != text

    def _walk_value(self, value: AnyValue, name: str) -> None:
        text = value.string_value  # "" of any other kind
        kind = "" if text else value.WhichOneof("value")
        if text:
            replaced = self._replaced(text, name) if self.looks_at_texts else None
            if replaced is not None:
                value.string_value = replaced
        elif kind == "array_value":
            for item in value.array_value.values:
                self._walk_value(item, name)
        elif kind == "kvlist_value":
            self.walk_pairs(value.kvlist_value.values)
        elif kind == "bytes_value" and self.looks_at_texts:
            replaced = self._replaced(value.bytes_value.decode("latin-1"), name)
            if replaced is not None:
                value.bytes_value = replaced.encode("latin-1")

    def _walk_text(self, item: message.Message, name: str) -> None:
        replaced = self._replaced(getattr(item, name), "")
        if replaced is not None:
            setattr(item, name, replaced)

    def _replaced(self, text: str, name: str) -> str | None:
        """Return a text without what the patterns find, None where they find nothing."""
        if name in self._rules.exact or (name not in URL_PARTS and has_any(text) is None):
            return None
        if len(text) == HEX_DIGITS.get(name) and _HEX.fullmatch(text):
            return None
        replaced = self._patterns.replace(
            text, self._token_of(name), name, is_query=name in URL_PARTS
        )
        if replaced == text:
            return None
        self._note(name, "pattern")
        return replaced

    def _token_of(self, name: str) -> Replace:
        return self._last if name in self._rules.joined else self._rotate

    def _rotate(self, value: str) -> str:
        return self._tokeniser.rotating(value, self._now_ns)

    def _last(self, value: str) -> str:
        return self._tokeniser.lasting(value)


@cache
def _fields(descriptor: Descriptor) -> tuple[tuple[str, str], ...]:
    """Return the fields of a message that hold text or lead to it, and how each does."""
    kinds = ((field.name, _kind(field)) for field in descriptor.fields)
    return tuple((name, kind) for name, kind in kinds if kind)


@cache
def _ways(descriptor: Descriptor, places: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return the fields of a message that are attributes of one of the places or lead to some."""
    return tuple(
        (field.name, kind)
        for field in descriptor.fields
        if (kind := _kind(field)) in ("pairs", "items", "item")
        and (
            descriptor.name in places
            if is_attributes(field)
            else not places_in(field.message_type).isdisjoint(places)
        )
    )


def _kind(field: FieldDescriptor) -> str:
    if field.type == FieldDescriptor.TYPE_STRING:
        return "" if field.is_repeated else "text"
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return ""
    if is_attributes(field):
        return "pairs"
    if field.message_type is AnyValue.DESCRIPTOR:
        return "value"
    return "items" if field.is_repeated else "item"
