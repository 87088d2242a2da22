"""Pure: seal events into one chain a producer; needs the standard library alone.

A seal is an HMAC-SHA256, cut to 16 bytes, over the canonical form of an event: a domain, the
event's place (key, producer, epoch, number, tag of its predecessor) and the signed fields in the
order of SIGNED, each as a netstring, so that no two events have one form. What is wrong with a
chain is found by `collector.provenance.verify`.

A customer's service imports this through `collector.instrument.instrument`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from collector.core.event_schema import (
    EPOCH,
    KID,
    OUTCOME,
    OUTCOME_SIGNED,
    PREV,
    PRODUCER,
    SEQ,
    SIGNED,
    TAG,
)

DOMAIN: Final = "millworth.provenance.v1"
SUBJECT_DOMAIN: Final = "millworth.provenance.subject.v1"
SEQ_DIGITS: Final = 18
INSTANT_DIGITS: Final = 19  # of Unix nanoseconds in 64 bits; those of now have as many
NO_TAG: Final = "0" * 32  # `prev` of the first event of an epoch
TAG_HEX: Final = 32
SECRET_BYTES_MIN: Final = 16

END_NS_INDEX: Final = SIGNED.index("end_ns")
TRACE_ID_INDEX: Final = SIGNED.index("trace_id")

# Nearly every field is shorter; to look its prefix up takes a fraction of the time to format it.
_PREFIXES: Final = tuple(f",{length}:" for length in range(512))
# From the status to the mode: words, of which a producer has few combinations. Their part of the
# form is looked up.
_WORDS: Final = slice(SIGNED.index("status"), SIGNED.index("decision.value_usd"))
_SAID_MAX: Final = 4_096
_SAID_LENGTH_MAX: Final = 1_024
_said: dict[tuple[str, ...], str] = {}
_BLOCK_BYTES: Final = 64  # of SHA-256


@dataclass(frozen=True, slots=True)
class MacKey:
    """One key of one or more producers, by its id."""

    kid: str
    secret: bytes = field(repr=False)
    revoked: bool = False  # whoever held it may have sealed anything: nothing under it counts
    retired_ns: int | None = None  # rotated away: events that end later do not count


class Event(NamedTuple):
    """One event with its seal; a tuple, because a million are made a few at a time.

    `fields` are the values of SIGNED as text, "" where absent. Without a seal all of it is "".
    """

    kid: str
    producer: str
    epoch: str
    seq: int  # -1 where it is absent or no number
    prev: str
    tag: str
    fields: tuple[str, ...]
    received_ns: int = 0  # when it arrived, 0 where that is not known


class ChainMac:
    """The MAC of one key for one producer's epoch, with what all its events share hashed once."""

    __slots__ = ("_inner", "_leaf", "_outer")

    def __init__(self, secret: bytes, kid: str, producer: str, epoch: str) -> None:
        # HMAC as RFC 2104 has it; copying two states costs half of a call of hmac.digest.
        padded = (secret if len(secret) <= _BLOCK_BYTES else hashlib.sha256(secret).digest()).ljust(
            _BLOCK_BYTES, b"\0"
        )
        shared = netstrings((DOMAIN, kid, producer, epoch))[1:-1]
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + shared)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
        self._leaf = hashlib.sha256(b"\0" + shared)

    def tag(self, rest: bytes) -> str:
        """Return the tag, in hex, of an event whose canonical form ends with `rest`."""
        inner = self._inner.copy()
        inner.update(rest)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()[:TAG_HEX]

    def leaf(self, rest: bytes, tag: str) -> bytes:
        """Return the event's leaf in a checkpoint: of its form and its tag, so no key is needed."""
        leaf = self._leaf.copy()
        leaf.update(rest)
        leaf.update(tag.encode())
        return leaf.digest()


class Sealer:
    """One producer's chain. Not safe between threads: the chain has one order.

    A forked process begins an epoch of its own with `restart`, since two processes would else use
    the same numbers.
    """

    __slots__ = ("_key", "_mac", "_prev", "_seq", "epoch", "leaf", "producer")

    def __init__(self, key: MacKey, producer: str) -> None:
        if len(key.secret) < SECRET_BYTES_MIN:
            raise ValueError(
                f"key {key.kid!r} has {len(key.secret)} bytes, at least {SECRET_BYTES_MIN} are "
                "needed; make one of 32 with secrets.token_bytes"
            )
        if not (key.kid and producer):
            raise ValueError("a seal needs the id of its key and the name of its producer")
        self.producer = producer
        self._key = key
        self.restart()

    def restart(self) -> None:
        """Begin a new epoch at number 0."""
        self.epoch = secrets.token_hex(8)
        self._seq = 0
        self._prev = NO_TAG
        self.rotate(self._key)

    def rotate(self, key: MacKey) -> None:
        """Seal with another key from now on; the chain goes on."""
        self._key = key
        self._mac = ChainMac(key.secret, key.kid, self.producer, self.epoch)

    def seal(self, fields: Sequence[str]) -> Event:
        """Return the event that comes next in the chain; `leaf` is then its leaf.

        Args:
            fields: the values of SIGNED as text, "" where absent.
        """
        values = tuple(fields)
        assert len(values) == len(SIGNED)
        return self._next(canonical_rest(self._seq, self._prev, values), values)

    def seal_outcome(self, values: Sequence[str]) -> Event:
        """Return the event of an outcome that comes next in the chain.

        Args:
            values: those of OUTCOME_SIGNED as text, "" where absent.
        """
        rest = outcome_rest(self._seq, self._prev, values)
        return self._next(rest, outcome_fields(values))

    def _next(self, rest: bytes, values: tuple[str, ...]) -> Event:
        tag = self._mac.tag(rest)
        self.leaf = self._mac.leaf(rest, tag)
        event = Event(self._key.kid, self.producer, self.epoch, self._seq, self._prev, tag, values)
        self._seq += 1
        self._prev = tag
        return event


def outcome_rest(seq: int, prev: str, values: Sequence[str]) -> bytes:
    """Return the part of the canonical form of an outcome that differs between events."""
    assert len(values) == len(OUTCOME_SIGNED)
    return netstrings((str(seq), prev, OUTCOME, *values))


def outcome_fields(values: Sequence[str]) -> tuple[str, ...]:
    """Return what a verifier looks at of an outcome's values: it ends when it happened."""
    return ("", f"outcome:{values[-1]}", "", values[0])


def subject_of(secret: bytes, outcome_id: str, decision_id: str, outcome_key: str) -> str:
    """Return what binds an outcome to its id and its decision, to whoever has the key."""
    bound = netstrings((SUBJECT_DOMAIN, outcome_id, decision_id, outcome_key))[1:]
    return hmac.digest(secret, bound, "sha256")[: TAG_HEX // 2].hex()


def canonical(event: Event) -> bytes:
    """Return the form that is sealed."""
    shared = netstrings((DOMAIN, event.kid, event.producer, event.epoch))[1:-1]
    return shared + canonical_rest(event.seq, event.prev, event.fields)


def canonical_rest(seq: int, prev: str, fields: tuple[str, ...]) -> bytes:
    """Return the part of the canonical form that differs between the events of a chain.

    Written out, because a loop over the fields took two thirds of the time of a verification.
    """
    words = fields[_WORDS]
    encoded = _said.get(words) or _remembered(words)
    number, p = str(seq), _PREFIXES
    trace_id, span_id, start_ns, end_ns = fields[: _WORDS.start]
    value, experiment, arm, unit, delay, *stamps = fields[_WORDS.stop :]
    ingress, transform, decision, egress = stamps
    try:
        joined = (
            f"{p[len(number)]}{number}{p[len(prev)]}{prev}{p[len(trace_id)]}{trace_id}"
            f"{p[len(span_id)]}{span_id}{p[len(start_ns)]}{start_ns}{p[len(end_ns)]}{end_ns}{encoded}"
            f"{p[len(value)]}{value}{p[len(experiment)]}{experiment}{p[len(arm)]}{arm}"
            f"{p[len(unit)]}{unit}{p[len(delay)]}{delay}{p[len(ingress)]}{ingress}"
            f"{p[len(transform)]}{transform}{p[len(decision)]}{decision}{p[len(egress)]}{egress},"
        )
    except IndexError:
        return netstrings((number, prev, *fields))
    # A netstring counts bytes, which are as many as the characters only in ASCII.
    return joined.encode() if joined.isascii() else netstrings((number, prev, *fields))


def _remembered(words: tuple[str, ...]) -> str:
    """Return these fields as netstrings, as if each character were a byte, and remember them."""
    if len(_said) >= _SAID_MAX:
        _said.clear()
    text = "".join(f",{len(word)}:{word}" for word in words)
    if len(text) <= _SAID_LENGTH_MAX:
        _said[words] = text
    return text


def netstrings(values: Sequence[str]) -> bytes:
    """Return the values as netstrings, with the comma of what stands before them."""
    # Lone surrogates can stand in JSON; they have a form too, or they could hide an event.
    encoded = [value.encode("utf-8", "surrogatepass") for value in values]
    return b"".join([b",%d:%s" % (len(value), value) for value in encoded]) + b","


def decimal_of(text: str, digits: int) -> int:
    """Return a number that somebody wrote, -1 where it is none or has more digits than that."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else -1


def event_of(fields: Mapping[str, str]) -> Event:
    """Return the event of an export's or a row's names and texts; absent is "", others are left.

    Never raises: what is not as a sealer writes it cannot verify, and is found by that.
    """
    field = fields.get
    return Event(
        field(KID, ""),
        field(PRODUCER, ""),
        field(EPOCH, ""),
        decimal_of(field(SEQ, ""), SEQ_DIGITS),
        field(PREV, ""),
        field(TAG, ""),
        tuple([field(name, "") for name in SIGNED]),
    )


def is_unsigned(event: Event) -> bool:
    """Return whether no part of a seal is there."""
    return event.seq == -1 and not any(
        (event.kid, event.producer, event.epoch, event.prev, event.tag)
    )


def late_for(event: Event, retired_ns: int) -> str:
    """Return what an event did too late for its key, "" where it ended and arrived in time.

    The end is what the producer says; who has a key that was put away can say an earlier one, and
    cannot make the event arrive earlier.
    """
    if not 0 <= decimal_of(event.fields[END_NS_INDEX], INSTANT_DIGITS) <= retired_ns:
        return "ended"
    return "arrived" if event.received_ns > retired_ns else ""
