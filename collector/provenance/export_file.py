"""Pure: an export of sealed events and checkpoints, one JSON object a line.

A line is `{"event": {name: text, ...}}` with the names of the seal and of SIGNED, "" left out,
beside which `"received_ns"` says when it arrived where that is known; `{"outcome": {...}}`
likewise, with the ids that it is bound to; or `{"checkpoint": {...}}`.
Times are decimal texts, so that no reader rounds them. A line that is neither is refused, never
skipped: who can make a reader skip lines can hide events.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from collector.core.errors import InputError
from collector.core.event_schema import EPOCH, KID, OUTCOME_SIGNED, PREV, PRODUCER, SEQ, SIGNED, TAG
from collector.privacy.pseudonyms import is_token
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import (
    INSTANT_DIGITS,
    Event,
    MacKey,
    decimal_of,
    event_of,
    outcome_fields,
    outcome_rest,
    subject_of,
)
from collector.provenance.records import (
    checkpoint_attributes,
    checkpoint_of,
    seal_attributes,
)


def write_line(item: Event | Checkpoint | Outcome) -> str:
    """Return one line of an export, with its newline."""
    if isinstance(item, Outcome):
        ids = (item.outcome_id, item.decision_id, item.outcome_key)
        texts = {
            **seal_attributes(item.event),
            **dict(zip(OUTCOME_SIGNED, item.values, strict=True)),
            **dict(zip(_IDS, ids, strict=True)),
        }
        return _line("outcome", texts, item.event.received_ns)
    if isinstance(item, Checkpoint):
        return json.dumps({"checkpoint": checkpoint_attributes(item)}) + "\n"
    seal = seal_attributes(item) if item.tag or item.seq >= 0 else {}
    values = {**seal, **dict(zip(SIGNED, item.fields, strict=True))}
    return _line("event", values, item.received_ns)


def _line(kind: str, values: Mapping[str, str], received_ns: int) -> str:
    line: dict[str, object] = {kind: {name: text for name, text in values.items() if text}}
    if received_ns:
        line["received_ns"] = str(received_ns)
    return json.dumps(line) + "\n"


def is_bound(macs: Mapping[str, MacKey], kid: str, subject: str, ids: Sequence[str]) -> bool:
    """Return whether an outcome's subject is of the ids that it has: its own, decision, key."""
    key = macs.get(kid)
    if key is None or any(map(is_token, ids)):
        return True  # nobody can say
    outcome_id, decision_id, outcome_key = ids
    bound = subject_of(key.secret, outcome_id, decision_id, outcome_key)
    return hmac.compare_digest(subject.encode(errors="surrogatepass"), bound.encode())


class Outcome(NamedTuple):
    """A sealed outcome: its event, the values of OUTCOME_SIGNED, and what they are bound to."""

    event: Event
    values: tuple[str, ...]
    outcome_id: str
    decision_id: str
    outcome_key: str

    def form(self, macs: Mapping[str, MacKey]) -> bytes:
        """Return the end of its canonical form; nothing where it is bound to other ids.

        An id that a rule has replaced is a token, and is not compared.
        """
        ids = self.outcome_id, self.decision_id, self.outcome_key
        rest = outcome_rest(self.event.seq, self.event.prev, self.values)
        return rest if is_bound(macs, self.event.kid, self.values[-1], ids) else b""


_IDS: Final = ("outcome.id", "decision.id", "outcome.key")


def outcome_of(fields_by_name: Mapping[str, str]) -> Outcome:
    """Return the outcome of its wire names; one that is not as a sealer writes it cannot verify."""
    values = tuple(fields_by_name.get(name, "") for name in OUTCOME_SIGNED)
    event = event_of(fields_by_name)._replace(fields=outcome_fields(values))
    return Outcome(event, values, *(fields_by_name.get(name, "") for name in _IDS))


def read_lines(lines: Iterable[str | bytes], name: str) -> Iterator[Event | Checkpoint | Outcome]:
    """Yield what an export holds; empty lines are nothing.

    Raises:
        InputError: a line is neither an event nor a checkpoint.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _item(json.loads(line, object_pairs_hook=_object))
        except (ValueError, RecursionError, InputError) as error:
            reason = error if isinstance(error, InputError) else "not a JSON object of its own"
            raise InputError(
                f"{name}: line {number}: {reason}; expected is an event or a checkpoint of texts, "
                "as `millworth verify provenance --export` writes them"
            ) from error


def _item(value: object) -> Event | Checkpoint | Outcome:
    if not isinstance(value, dict):
        raise InputError("neither an event nor a checkpoint")
    received_ns = _instant(value.pop(_RECEIVED, "0")) if {"event", "outcome"} & value.keys() else 0
    if len(value) != 1:
        raise InputError("neither an event nor a checkpoint")
    ((kind, values),) = value.items()
    if kind not in _KINDS or not isinstance(values, dict):
        raise InputError("neither an event nor a checkpoint")
    if not all(isinstance(text, str) for text in values.values()):
        raise InputError("a value is not a text")
    if kind == "checkpoint":
        return checkpoint_of(values)
    if unknown := values.keys() - _KINDS[kind]:
        raise InputError(f"{sorted(unknown)[0][:80]!r} is not signed, so it proves nothing")
    if kind == "outcome":
        outcome = outcome_of(values)
        return outcome._replace(event=outcome.event._replace(received_ns=received_ns))
    return event_of(values)._replace(received_ns=received_ns)


def _instant(text: object) -> int:
    if not isinstance(text, str) or (instant := decimal_of(text, INSTANT_DIGITS)) < 0:
        raise InputError(f"{_RECEIVED!r} is not a text of Unix nanoseconds")
    return instant


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Of a name that stands twice one reader sees the first value and another the last.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InputError("a name stands twice in it")
    return members


_RECEIVED: Final = "received_ns"
_SEAL = {KID, PRODUCER, EPOCH, SEQ, PREV, TAG}
_KINDS: Final = {
    "event": _SEAL | {*SIGNED},
    "outcome": _SEAL | {*OUTCOME_SIGNED, *_IDS},
    "checkpoint": set[str](),
}
