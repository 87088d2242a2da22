"""Pure: what a broken or hostile sender makes of an OTLP request.

A request is taken apart by the wire format alone, changed, and put together again: so a mutation
can lie about one length and keep all others right, which a random flip almost never does.

Source: protobuf.dev, Encoding; opentelemetry-proto docs/specification.md, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import functools
import gzip
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collector.wal.frames import varint

VARINT, FIXED64, LENGTH, GROUP, GROUP_END, FIXED32 = range(6)
_VARINT_BYTES_MAX = 10
_DEPTHS = (30, 99, 101, 1_000, 20_000)
_LIES = (0, 1, 127, 128, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63, 2**64 - 1)
_BAD_TEXT = (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x90\x80\x80", b"\xe2\x82", b"\x00")


@dataclass(slots=True, eq=False)
class Field:
    """One field on the wire; a length-delimited one that reads as fields is taken apart too."""

    number: int
    wire: int
    value: int | bytes | list[Field]
    length: int | None = None  # what it says of its length, where that is a lie


@dataclass(frozen=True, slots=True)
class Mutant:
    """A request after a mutation, as it is sent."""

    name: str
    body: bytes
    is_json: bool = False
    encoding: str = ""  # content-encoding


Mutation = Callable[[random.Random, bytes], bytes]


def take_apart(body: bytes) -> list[Field] | None:
    """Return the fields of a message, None where the bytes are none."""
    fields = []
    offset = 0
    while offset < len(body):
        tag, offset = _read_varint(body, offset)
        number, wire = tag >> 3, tag & 7
        if offset < 0 or number == 0:
            return None
        value: int | bytes | list[Field]
        if wire == VARINT:
            value, offset = _read_varint(body, offset)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
            value, offset = int.from_bytes(body[offset : offset + size], "little"), offset + size
        elif wire == LENGTH:
            length, offset = _read_varint(body, offset)
            if offset < 0:
                return None
            value, offset = body[offset : offset + length], offset + length
        else:
            return None
        if offset < 0 or offset > len(body):
            return None
        if isinstance(value, bytes) and len(value) > 1:
            value = take_apart(value) or value
        fields.append(Field(number, wire, value))
    return fields


def put_together(fields: Sequence[Field]) -> bytes:
    """Return the bytes of fields, with the lengths that they claim."""
    parts = []
    for field in fields:
        parts.append(varint(field.number << 3 | field.wire))
        if isinstance(field.value, int):
            parts.append(_number(field.wire, field.value))
            continue
        content = field.value if isinstance(field.value, bytes) else put_together(field.value)
        if field.wire == LENGTH:
            parts.append(varint(len(content) if field.length is None else field.length))
        parts.append(content)
    return b"".join(parts)


def mutate(draw: random.Random, request: bytes, document: Mapping[str, Any]) -> Mutant:
    """Return one mutant of a request, which is given in Protobuf and in JSON."""
    if draw.random() < 0.3:
        name, change = draw.choice(JSON_MUTATIONS)
        return Mutant(f"json {name}", change(draw, json.dumps(document).encode()), is_json=True)
    name, mutation = draw.choice(MUTATIONS)
    body = mutation(draw, request)
    if draw.random() < 0.05:
        packed = gzip.compress(body, 1)
        cut = draw.randrange(len(packed)) if draw.random() < 0.5 else len(packed)
        return Mutant(f"{name}, gzip", packed[:cut], encoding="gzip")
    return Mutant(name, body)


def flip_bits(draw: random.Random, body: bytes) -> bytes:
    """Flip one to eight bits."""
    changed = bytearray(body)
    for _ in range(draw.randint(1, 8)):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def truncate(draw: random.Random, body: bytes) -> bytes:
    """Cut the end off."""
    return body[: draw.randrange(len(body))]


def lie_about_length(draw: random.Random, body: bytes) -> bytes:
    """Let one field claim a length that it has not."""
    fields, chosen = _choose(draw, body, lambda field: field.wire == LENGTH)
    near = len(put_together([chosen])) + draw.randint(-3, 3)
    chosen.length = draw.choice((*_LIES, max(0, near)))
    return put_together(fields)


def change_wire_type(draw: random.Random, body: bytes) -> bytes:
    """Let one field be of another wire type, with a value of that type or with its own."""
    fields, chosen = _choose(draw, body)
    was = chosen.wire
    chosen.wire = draw.choice([wire for wire in range(8) if wire != was])
    if draw.random() < 0.5:
        chosen.value = draw.getrandbits(32) if chosen.wire != LENGTH else draw.randbytes(5)
    return put_together(fields)


def change_number(draw: random.Random, body: bytes) -> bytes:
    """Put an extreme where a number was: a time, a kind, a count."""
    fields, chosen = _choose(draw, body, lambda field: isinstance(field.value, int))
    chosen.value = draw.choice((*_LIES, draw.getrandbits(63)))
    return put_together(fields)


def break_text(draw: random.Random, body: bytes) -> bytes:
    """Put bytes that are no UTF-8 into text, or change the length of an id."""
    fields, chosen = _choose(draw, body, lambda field: isinstance(field.value, bytes))
    text = chosen.value if isinstance(chosen.value, bytes) else b""
    index = draw.randint(0, len(text))
    chosen.value = text[:index] + draw.choice(_BAD_TEXT) + text[index:]
    return put_together(fields)


def repeat_field(draw: random.Random, body: bytes) -> bytes:
    """Say a field twice or many times, which for a oneof means two values."""
    fields, chosen = _choose(draw, body)
    siblings = _siblings(fields, chosen)
    other = draw.choice(list(_walk(fields))) if draw.random() < 0.5 else chosen
    # Of bytes, because a field that holds itself would have no end.
    value = put_together(other.value) if isinstance(other.value, list) else other.value
    copy = Field(draw.choice((chosen.number, draw.randint(1, 15))), other.wire, value)
    index = siblings.index(chosen)
    siblings[index:index] = [copy] * draw.choice((1, 1, 1, 50))
    return put_together(fields)


def drop_field(draw: random.Random, body: bytes) -> bytes:
    """Leave a field out."""
    fields, chosen = _choose(draw, body)
    _siblings(fields, chosen).remove(chosen)
    return put_together(fields)


def nest_deep(draw: random.Random, body: bytes) -> bytes:
    """Put an attribute in whose value is a list in a list in a list, deeper than a parser goes."""
    fields = take_apart(body)
    assert fields
    resource = fields[0].value
    assert isinstance(resource, list)
    attributes = resource[0].value
    assert isinstance(attributes, list)
    attributes.insert(0, Field(1, LENGTH, deep_value(draw.choice(_DEPTHS))))
    return put_together(fields)


def flood_groups(draw: random.Random, body: bytes) -> bytes:
    """Open groups, which OTLP never has, and close them or not."""
    count = draw.choice((1, 99, 101, 50_000))
    opened = varint(draw.randint(1, 3) << 3 | GROUP) * count
    closed = b"" if draw.random() < 0.5 else varint(1 << 3 | GROUP_END) * count
    return draw.choice((body + opened + closed, opened + closed + body))


def send_noise(draw: random.Random, body: bytes) -> bytes:
    """Send bytes that mean nothing."""
    return draw.randbytes(draw.randrange(2 * len(body)))


@functools.cache
def deep_value(depth: int) -> bytes:
    """Return a KeyValue whose value is that many lists in each other."""
    size = 0
    parts = []
    for _ in range(depth):
        for tag in (b"\x0a", b"\x2a"):  # ArrayValue.values, AnyValue.array_value
            part = tag + varint(size)
            parts.append(part)
            size += len(part)
    value = b"".join(reversed(parts))
    return b"\x0a\x04deep\x12" + varint(len(value)) + value


def break_json(draw: random.Random, body: bytes) -> bytes:
    """Replace a part of the text by something that JSON, or UTF-8, does not have there."""
    index = draw.randrange(len(body))
    bad = (b"\xff", b"\xed\xa0\x80", b"\\ud800", b"NaN", b"1e999", b"-", b"\x00", b"}", b"[", b'"')
    return body[:index] + draw.choice(bad) + body[index + draw.randint(0, 3) :]


def change_json(draw: random.Random, body: bytes) -> bytes:
    """Put a value of another type somewhere."""
    document = json.loads(body)
    holders = list(_json_holders(document))
    holder, key = draw.choice(holders)
    holder[key] = draw.choice(
        (None, True, -1, 2**63, 2**70, 1.5, "", "x", "-9223372036854775809", [], {}, [[]], {"a": 1})
    )
    return json.dumps(document).encode()


def nest_json(draw: random.Random, body: bytes) -> bytes:
    """Nest lists, objects or values deeper than a parser goes."""
    depth = draw.choice((50, 500, 5_000, 100_000))
    before, after = draw.choice((("[", "]"), ('{"a":', "}"), ('{"arrayValue":{"values":[', "]}}")))
    inner = before * depth + ("" if before == "[" else "{}") + after * depth
    name = draw.choice(("resourceSpans", "unknown"))
    return f'{{"{name}": {inner}, '.encode() + body[1:]


MUTATIONS: Sequence[tuple[str, Mutation]] = (
    ("bits flipped", flip_bits),
    ("truncated", truncate),
    ("length a lie", lie_about_length),
    ("wire type changed", change_wire_type),
    ("number changed", change_number),
    ("text broken", break_text),
    ("field repeated", repeat_field),
    ("field dropped", drop_field),
    ("nested deep", nest_deep),
    ("groups", flood_groups),
    ("noise", send_noise),
)
JSON_MUTATIONS: Sequence[tuple[str, Mutation]] = (
    ("bits flipped", flip_bits),
    ("truncated", truncate),
    ("broken", break_json),
    ("type changed", change_json),
    ("nested deep", nest_json),
    ("noise", send_noise),
)


def _read_varint(body: bytes, offset: int) -> tuple[int, int]:
    """Return a varint and where it ends, which is -1 where there is none."""
    value = 0
    for index in range(_VARINT_BYTES_MAX):
        if offset + index >= len(body):
            break
        byte = body[offset + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, offset + index + 1
    return 0, -1


def _number(wire: int, value: int) -> bytes:
    if wire == FIXED64:
        return (value % 2**64).to_bytes(8, "little")
    if wire == FIXED32:
        return (value % 2**32).to_bytes(4, "little")
    return varint(value % 2**64)


def _walk(fields: Sequence[Field]) -> list[Field]:
    """Return every field at every depth."""
    all_fields = []
    for field in fields:
        all_fields.append(field)
        if isinstance(field.value, list):
            all_fields += _walk(field.value)
    return all_fields


def _siblings(fields: list[Field], chosen: Field) -> list[Field]:
    """Return the list that a field is in."""
    if any(field is chosen for field in fields):
        return fields
    for field in _walk(fields):
        if isinstance(field.value, list) and any(inner is chosen for inner in field.value):
            return field.value
    raise AssertionError("a field of another message")


def _choose(
    draw: random.Random, body: bytes, is_wanted: Callable[[Field], bool] = lambda _: True
) -> tuple[list[Field], Field]:
    """Take a request apart, and draw one of the fields that are wanted."""
    fields = take_apart(body)
    assert fields, "a mutation begins with a good request"
    return fields, draw.choice([field for field in _walk(fields) if is_wanted(field)])


def _json_holders(node: object) -> list[tuple[Any, Any]]:
    """Return every place in a document, as what holds it and its key or index."""
    holders: list[tuple[Any, Any]] = []
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    for key, value in items:
        holders.append((node, key))
        holders += _json_holders(value)
    return holders
