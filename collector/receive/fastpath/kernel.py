"""Pure: one pass over the bytes of a request of spans, compiled by numba, for the extra `accel`.

It says yes only where there is nothing to be done: every field known, canonical and in order, every
text UTF-8, ids and times and stamps good, every value a scalar, and every attribute name one that
was judged before. Of anything else it says no, and what parses with the official schema looks
(`collector.receive.fastpath.scanner`). A wrong no costs time; that there is no wrong yes is tested
against that.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from collector.receive.fastpath import tables as otlp
from collector.receive.fastpath.cards import CARD_DIGITS_MIN, compiled, may_hold_card
from collector.receive.fastpath.tables import Bytes, Ints

_HAS_TRACE, _HAS_SPAN, _START, _END, _IS_SPANS, _KEY = 4, 5, 6, 7, 8, 9
_STAMP: Final = 9  # a stage's is _STAMP + it
_NO_KEY: Final = -1
_NO_NAME: Final = -2
_DIGITS_MAX: Final = 19


def _varint_plain(body: Bytes, at: int, end: int) -> tuple[Any, int]:
    """Return a number and where it ends; -1 where it is cut off or longer than it needs."""
    value, shift = np.uint64(0), np.uint64(0)
    for read in range(10):
        if at + read >= end:
            return 0, -1
        byte = body[at + read]
        value |= np.uint64(byte & 0x7F) << shift
        if byte < 0x80:
            is_long = (byte == 0 and read > 0) or (read == 9 and byte > 1)
            return np.int64(value), -1 if is_long else at + read + 1
        shift += np.uint64(7)
    return 0, -1


_varint = compiled(_varint_plain)


def _character_plain(body: Bytes, at: int, end: int) -> int:
    """Return where a character of several bytes ends, -1 where it is no UTF-8."""
    first = body[at]
    more = 1 if first < 0xE0 else 2 if first < 0xF0 else 3
    if first < 0xC2 or first > 0xF4 or at + more >= end:
        return -1
    for each in range(at + 1, at + more + 1):
        if body[each] & 0xC0 != 0x80:
            return -1
    second = body[at + 1]
    is_bad = (
        (first == 0xE0 and second < 0xA0)  # longer than it needs
        or (first == 0xED and second > 0x9F)  # half of a surrogate pair
        or (first == 0xF0 and second < 0x90)
        or (first == 0xF4 and second > 0x8F)  # beyond Unicode
    )
    return -1 if is_bad else at + more + 1


_character = compiled(_character_plain)


def _is_utf8_plain(body: Bytes, at: int, end: int) -> bool:
    """Return whether bytes are UTF-8."""
    while at < end:
        at = at + 1 if body[at] < 0x80 else _character(body, at, end)
        if at < 0:
            return False
    return True


_is_utf8 = compiled(_is_utf8_plain)


def _text_plain(body: Bytes, at: int, end: int, is_text: bool) -> int:
    """Return 0 for a text in which no pattern may be, 1 where one may, -1 for what is no UTF-8."""
    sign, hash_sign, equals, high = 0, 0, 0, 0
    for each in range(at, end):
        byte = body[each]
        sign |= (byte == 0x3F) | (byte == 0x40) | (byte == 0x25)  # ?, @, or % as of %40
        hash_sign |= byte == 0x23
        equals |= byte == 0x3D
        high |= byte >= 0x80
    if high and is_text and not _is_utf8(body, at, end):
        return -1
    # Of Bearer, Authorization, a JWT and a telephone number; as `identifiers_bytes` has them.
    for each in range(at, end - 3):
        first, second, third, fourth = body[each], body[each + 1], body[each + 2], body[each + 3]
        sign |= (first == 0x61) & (second == 0x72) & (third == 0x65) & (fourth == 0x72)  # arer
        sign |= (first == 0x68) & (second == 0x6F) & (third == 0x72) & (fourth == 0x69)  # hori
        sign |= (first == 0x65) & (second == 0x79) & (third == 0x4A)  # eyJ
        sign |= (first == 0x2B) & (second >= 0x31) & (second <= 0x39)  # +49
    sign |= hash_sign & equals  # in a fragment a secret has a name; names of code have a hash too
    if sign or end - at < CARD_DIGITS_MIN:
        return int(sign)
    return int(may_hold_card(body, at, end))


_text = compiled(_text_plain)


def _name_plain(body: Bytes, at: int, end: int, slots: Ints, names: Bytes) -> np.int64:
    """Return what was judged of an attribute's name, _NO_NAME of one that nobody has seen.

    A slot is a row of: where the name begins in `names`, its length, and what it is.
    """
    size = end - at
    mixed = np.int64(size)
    for quarter in range(otlp.HASH_QUARTERS):
        mixed = mixed * otlp.HASH_STEP + np.int64(body[at + size * quarter // otlp.HASH_QUARTERS])
    for back in range(1, min(size, otlp.HASH_TAIL) + 1):
        mixed = mixed * otlp.HASH_STEP + np.int64(body[end - back])
    mask = len(slots) - 1
    for probe in range(otlp.PROBES):
        slot = (mixed + probe) & mask
        if slots[slot, 1] < 0:
            return np.int64(_NO_NAME)
        if slots[slot, 1] == size:
            begin, differs = slots[slot, 0], np.uint8(0)
            for each in range(size):
                differs |= names[begin + each] ^ body[at + each]
            if differs == 0:
                return np.int64(slots[slot, 2])
    return np.int64(_NO_NAME)


_name = compiled(_name_plain)


def _decimal_plain(body: Bytes, at: int, end: int) -> np.int64:
    """Return the number that a text is, 0 where it is none, -1 where it is too long to say."""
    value = np.int64(0)
    for each in range(at, end):
        if not 0x30 <= body[each] <= 0x39:
            return np.int64(0)
        if each - at >= _DIGITS_MAX:
            return np.int64(-1)
        value = value * 10 + np.int64(body[each] - 0x30)
    return value if value >= 0 else np.int64(-1)


_decimal = compiled(_decimal_plain)


def _id_plain(body: Bytes, at: int, end: int, role: int, state: Ints) -> bool:
    """Note an id of a span; return whether it is good."""
    is_zero = True
    for each in range(at, end):
        if body[each]:
            is_zero = False
            break
    size = end - at
    if role == otlp.TRACE_ID:
        state[_HAS_TRACE] = 1
        if state[otlp.FIRST_TRACE] < 0:
            state[otlp.FIRST_TRACE] = at
        return size == 16 and not is_zero
    if role == otlp.SPAN_ID:
        state[_HAS_SPAN] = 1
        return size == 8 and not is_zero
    return size == 8


_id = compiled(_id_plain)


def _note_plain(body: Bytes, at: int, end: int, state: Ints, unknown: Ints) -> bool:
    """Note a name that nobody has seen, once; return whether there is room for it."""
    for each in range(state[otlp.UNKNOWN]):
        begin = unknown[each, 0]
        if unknown[each, 1] - begin == end - at:
            same = True
            for byte in range(end - at):
                if body[begin + byte] != body[at + byte]:
                    same = False
                    break
            if same:
                return True
    if state[otlp.UNKNOWN] >= otlp.UNKNOWN_MAX:
        return False
    unknown[state[otlp.UNKNOWN], 0], unknown[state[otlp.UNKNOWN], 1] = at, end
    state[otlp.UNKNOWN] += 1
    return True


_note = compiled(_note_plain)


def _key_plain(
    body: Bytes, at: int, end: int, slots: Ints, names: Bytes, state: Ints, unknown: Ints
) -> bool:
    """Note the name of an attribute; return whether nothing becomes of it."""
    found = _name(body, at, end, slots, names)
    if found == _NO_NAME:
        found = otlp.NAME_PLAIN if _note(body, at, end, state, unknown) else otlp.NAME_STOP
    # An event may call something a stamp too, and that is none of its span's.
    is_stamp = 1 <= found <= 4
    if is_stamp and state[_IS_SPANS] == 0:
        found, is_stamp = otlp.NAME_PLAIN, False
    state[_KEY] = found
    # Of a stamp that is there twice the first counts, which is gone by then.
    is_again = is_stamp and state[_STAMP + found] != 0
    return bool(found != otlp.NAME_STOP and not is_again)


_key = compiled(_key_plain)


def _bytes_plain(
    body: Bytes,
    at: int,
    end: int,
    kind: int,
    role: int,
    slots: Ints,
    names: Bytes,
    state: Ints,
    unknown: Ints,
) -> bool:
    """Look at a text or at bytes; return whether nothing has to be done about them."""
    if role != otlp.VALUE and end == at:
        return False  # what is empty is not sent in canonical form
    if role == otlp.KEY:
        return bool(_key(body, at, end, slots, names, state, unknown))
    if role in (otlp.TRACE_ID, otlp.SPAN_ID, otlp.PARENT_ID):
        return bool(_id(body, at, end, role, state))
    if kind == otlp.BYTES:
        return True
    may = _text(body, at, end, kind == otlp.TEXT)
    is_query = role == otlp.VALUE and state[_KEY] == otlp.NAME_QUERY
    if may > 0 or is_query:
        row = otlp.UNKNOWN_MAX + min(state[otlp.FLAG], otlp.DOUBTFUL_MAX - 1)
        unknown[row, 0], unknown[row, 1] = at, end
        unknown[row, 2] = otlp.OF_BYTES if kind != otlp.TEXT else np.int64(is_query)
        state[otlp.FLAG] += 1
    if role == otlp.VALUE and kind == otlp.TEXT and 1 <= state[_KEY] <= 4:
        stamp = _decimal(body, at, end)
        state[_STAMP + state[_KEY]] = stamp
        return bool(may >= 0 and stamp >= 0)
    return bool(may >= 0)


_bytes = compiled(_bytes_plain)


def _number_plain(body: Bytes, at: int, end: int, kind: int, role: int, state: Ints) -> int:
    """Look at a number; return where it ends, -1 where it is not canonical."""
    if kind in (otlp.FIXED64, otlp.FIXED32):
        size = 8 if kind == otlp.FIXED64 else 4
        if at + size > end:
            return -1
        value = np.int64(0)
        for each in range(size):
            value |= np.int64(body[at + each]) << (8 * each)
        at += size
    else:
        value, at = _varint(body, at, end)
        if at < 0:
            return -1
        most = 1 if kind == otlp.BOOL else 0x7FFFFFFF if kind == otlp.INT32 else 0xFFFFFFFF
        if kind != otlp.INT64 and not 0 <= value <= most:
            return -1
    if role == otlp.VALUE:
        if kind == otlp.INT64 and 1 <= state[_KEY] <= 4:
            state[_STAMP + state[_KEY]] = value
        return at
    if role == otlp.START:
        state[_START] = value
    elif role == otlp.END:
        state[_END] = value
    return at if value != 0 else -1


_number = compiled(_number_plain)


def _is_good_plain(message: int, state: Ints, earliest_ns: int, latest_ns: int) -> bool:
    """Return whether what ends here may be stored; of a span, make ready for the next."""
    if message != otlp.SPAN:
        return bool(state[_KEY] != _NO_KEY)  # no pair without a name
    start_ns, end_ns = state[_START], state[_END]
    is_good = (
        state[_HAS_TRACE] == 1
        and state[_HAS_SPAN] == 1
        and earliest_ns <= start_ns <= end_ns <= latest_ns
    )
    latest_stamp = np.int64(0)
    for stage in range(1, 5):
        stamp = state[_STAMP + stage]
        if stamp > 0:
            is_good = is_good and latest_stamp <= stamp <= latest_ns and earliest_ns <= stamp
            latest_stamp = stamp
    state[_HAS_TRACE:] = 0
    state[otlp.SPANS] += 1
    return bool(is_good)


_is_good = compiled(_is_good_plain)


def _head_plain(body: Bytes, at: int, end: int, schema: Bytes, message: int) -> tuple[int, int]:
    """Return the field that begins here, 0 where it is none to take, and where its head ends."""
    tag, at = _varint(body, at, end)
    field = tag >> 3
    if at < 0 or field <= 0 or field >= otlp.FIELDS:
        return 0, at
    kind = schema[message * otlp.FIELDS + field, otlp.KIND]
    return (field if kind != otlp.NONE and kind & 7 == tag & 7 else 0), at


_head = compiled(_head_plain)


def _scan_plain(
    body: Bytes,
    schema: Bytes,
    slots: Ints,
    names: Bytes,
    earliest_ns: int,
    latest_ns: int,
    state: Ints,
    unknown: Ints,
    stack: Ints,
) -> bool:
    """Walk a request; return whether it is plain but for names that are in `unknown` then."""
    ends, messages, last = stack[0], stack[1], stack[2]
    ends[0] = len(body)
    at, depth = 0, 0
    while True:
        while at == ends[depth]:
            if depth == 0:
                return bool(state[otlp.SPANS] > 0)
            if not _is_good(messages[depth], state, earliest_ns, latest_ns):
                return False
            depth -= 1
        message = messages[depth]
        field, at = _head(body, at, ends[depth], schema, message)
        row = message * otlp.FIELDS + field
        is_again = field == last[depth] and schema[row, otlp.IS_REPEATED]
        if field == 0 or not (field > last[depth] or is_again):
            return False
        # Of a value one kind alone is there in canonical form.
        last[depth] = field if message != otlp.ANY else otlp.FIELDS
        kind, role = schema[row, otlp.KIND], schema[row, otlp.ROLE]
        if kind & 7 != otlp.TEXT:
            at = _number(body, at, ends[depth], kind, role, state)
            if at < 0:
                return False
            continue
        size, at = _varint(body, at, ends[depth])
        if at < 0 or size < 0 or size > ends[depth] - at:
            return False
        if kind == otlp.MESSAGE:
            depth += 1
            ends[depth], messages[depth], last[depth] = at + size, schema[row, otlp.CHILD], 0
            if role == otlp.KEY:
                state[_KEY], state[_IS_SPANS] = _NO_KEY, message == otlp.SPAN
        elif _bytes(body, at, at + size, kind, role, slots, names, state, unknown):
            at += size
        else:
            return False


scan: Any = compiled(_scan_plain)
