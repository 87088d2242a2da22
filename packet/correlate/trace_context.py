"""Pure: the trace context that a request carries, found in the bytes it begins with.

HTTP/1.1 spells the header `traceparent` out. HTTP/2 and gRPC pack headers with HPACK, whose tables
are known only to who heard a connection from its start. But the value of traceparent differs from
request to request, so that it is always spelled out as a literal, most often in HPACK's Huffman
code: its length and `00-` are three bytes to look for, and what follows has to decode to the one
form that W3C allows. A value that is said by a reference to a table is not found.

Frames of HTTP/2 that are of no request and no response are found as well: a segment of nothing else
belongs to no exchange (`messages`).

Source: W3C Trace Context; RFC 7541 (HPACK) section 5.2 and appendix B; RFC 9113 section 4.1.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from packet.correlate.http2 import (
    FRAME_TYPE_MAX,
    HEADER_FRAMES,
    PREFACE_WORD,
    bare_segments,
    frame_kind,
)
from packet.decode.columns import I64, U8, Mask, PacketColumns
from packet.decode.decode import decode
from packet.decode.frames import Frames
from packet.decode.sampler import Selection

HEADER: Final = "header"  # spelled out in HTTP/1.1
HPACK: Final = "hpack"  # in HTTP/2, which gRPC is
# A segment of HTTP/2 that says nothing of a request or a response, but of their connection; and one
# that ends a stream without finishing it. They name no trace.
CONNECTION: Final = "connection"
RESET: Final = "reset"
_METHODS: Final = (HEADER, HPACK, CONNECTION, RESET)

# What a segment begins with that may be a request; the kernel's filter asks the same.
REQUEST_WORDS: Final = (
    b"GET ", b"POST", b"PUT ", b"HEAD", b"PATC", b"DELE", b"OPTI", b"TRAC", b"CONN", b"QUER",
)  # fmt: skip

# One context: which request carried it, and what it says.
CONTEXT: Final = np.dtype(
    [
        ("ts_ns", "<u8"),
        ("flow_hash", "<u8"),
        ("client_port", "<u2"),
        ("server_port", "<u2"),
        ("tcp_seq", "<u4"),
        ("method", "u1"),  # place in `_METHODS`
        ("trace_id", "u1", (16,)),
        ("span_id", "u1", (8,)),  # of who asks: the parent of the span that answers
    ]
)
ContextRows = NDArray[np.void]  # of CONTEXT

# Of a later version than 00 the first four fields read the same.
_VALUE: Final = rb"((?!ff)[0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?![0-9a-f])"
_NAME: Final = b"".join(f"[{c}{c.upper()}]".encode() for c in "traceparent")
_SPELLED: Final = re.compile(rb"\n" + _NAME + rb":[ \t]*" + _VALUE)
_TRACE_ID: Final = re.compile("[0-9a-f]{32}")
_END_OF_HEADERS: Final = b"\r\n\r\n"
_VALUE_BYTES: Final = 55
_PLAIN: Final = re.compile(bytes([_VALUE_BYTES]) + _VALUE)  # a literal that is not Huffman's
_PACKED: Final = re.compile(rb"\x00\x16")  # "00-" in Huffman's code, up to its last bit

_HUFFMAN: Final = 0x80
# 55 symbols of five or six bits, of which the three dashes and the first two have theirs given.
_PACKED_MIN, _PACKED_MAX = 35, 42
# RFC 7541 appendix B, for what a traceparent is made of: the code, and how many bits it has.
_CODES: Final = {
    "0": (0x00, 5), "1": (0x01, 5), "2": (0x02, 5), "a": (0x03, 5), "c": (0x04, 5), "e": (0x05, 5),
    "-": (0x16, 6), "3": (0x19, 6), "4": (0x1A, 6), "5": (0x1B, 6), "6": (0x1C, 6), "7": (0x1D, 6),
    "8": (0x1E, 6), "9": (0x1F, 6), "b": (0x23, 6), "d": (0x24, 6), "f": (0x25, 6),
}  # fmt: skip
_BITS: Final = 6
_DASHES: Final = (2, 35, 52)


def _tables() -> tuple[U8, U8]:
    """Return, for six bits to come, the symbol they begin with (0 for none) and its bits."""
    symbols, widths = np.zeros(1 << _BITS, np.uint8), np.zeros(1 << _BITS, np.uint8)
    for symbol, (code, width) in _CODES.items():
        first = code << (_BITS - width)
        symbols[first : first + (1 << (_BITS - width))] = ord(symbol)
        widths[first : first + (1 << (_BITS - width))] = width
    return symbols, widths


_SYMBOLS, _WIDTHS = _tables()


@dataclass(frozen=True, slots=True)
class Context:
    """One row of `wire_contexts`: a request that said which span sent it.

    Of a segment that is the connection's own `trace_id` and `span_id` are empty, and the client is
    who sent it.
    """

    ts_ns: int
    flow_hash: int
    client_port: int
    server_port: int
    trace_id: str
    span_id: str
    method: str


def no_contexts() -> ContextRows:
    """Return none."""
    return np.zeros(0, CONTEXT)


def find_contexts(frames: Frames) -> ContextRows:
    """Return the contexts in the payload that was captured, in the order of the packets.

    Only a segment that begins like a request is searched: text in a body is no header.
    """
    decoded = decode(frames, deep=False)
    packets = decoded.columns
    begins = frames.offsets[decoded.rows]
    ends = begins + frames.lengths[decoded.rows]
    payload = begins + packets.wire_bytes.astype(np.int64) - packets.payload_bytes
    is_whole = (packets.payload_bytes > 0) & (payload + packets.payload_bytes <= ends)
    plain_contexts = _bare(packets, frames.data, payload, np.flatnonzero(is_whole))
    long = np.flatnonzero((packets.tcp_flags != 0) & (payload + _VALUE_BYTES // 2 < ends))
    if not len(long):
        return np.concatenate([*plain_contexts, no_contexts()])
    words = np.stack([frames.data[payload[long] + index] for index in range(4)], axis=1)
    is_text, is_framed = _kinds(words)
    data = frames.data.tobytes()
    for kind, hits in ((is_text, _spelled(data)), (is_framed, _packed(data, frames.data))):
        rows = long[kind]
        owners = _owners(hits.at, hits.ends, payload[rows], ends[rows])
        inside = owners >= 0
        within = _in_headers if hits.method == HEADER else _in_header_frames
        inside &= within(data, hits.at, payload[rows], owners)
        plain_contexts.append(_rows(packets, rows[owners[inside]], hits, inside))
    contexts = np.concatenate(plain_contexts)
    return contexts[np.argsort(contexts["ts_ns"], kind="stable")]


def naming(rows: ContextRows) -> ContextRows:
    """Return the rows that say which span sent a request."""
    return rows[rows["method"] < _METHODS.index(CONNECTION)]


def as_contexts(rows: ContextRows) -> list[Context]:
    """Return rows one by one, ids in hex."""
    traces, spans = rows["trace_id"].tobytes().hex(), rows["span_id"].tobytes().hex()
    named = (rows["method"] < _METHODS.index(CONNECTION)).tolist()
    return [
        Context(
            ts_ns=int(row["ts_ns"]),
            flow_hash=int(row["flow_hash"]),
            client_port=int(row["client_port"]),
            server_port=int(row["server_port"]),
            trace_id=traces[place * 32 : place * 32 + 32] if named[place] else "",
            span_id=spans[place * 16 : place * 16 + 16] if named[place] else "",
            method=_METHODS[int(row["method"])],
        )
        for place, row in enumerate(rows)
    ]


def carried_by(packets: PacketColumns, contexts: Sequence[ContextRows]) -> list[Context]:
    """Return the contexts that these packets carried, each once, with the stamps of the packets.

    The recorder's two sockets may stamp a packet each by itself, so it is known by its connection,
    its side and its number; of a segment sent again each copy is another.
    """
    rows = np.concatenate([*contexts, no_contexts()])
    rows = rows[np.isin(rows["flow_hash"], packets.flow_hash)]
    of_segment: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    requests = packets.take(
        (packets.payload_bytes > 0) & np.isin(packets.flow_hash, rows["flow_hash"])
    )
    for flow_hash, port, seq, ts_ns in zip(
        requests.flow_hash.tolist(),
        requests.src_port.tolist(),
        requests.tcp_seq.tolist(),
        requests.ts_ns.tolist(),
        strict=True,
    ):
        of_segment[flow_hash, port, seq].append(ts_ns)
    carried = dict[tuple[int, int, str, str], Context]()
    for context, seq in zip(as_contexts(rows), rows["tcp_seq"].tolist(), strict=True):
        stamps = of_segment[context.flow_hash, context.client_port, seq]
        if stamps:
            nearest = min((abs(ts_ns - context.ts_ns), ts_ns) for ts_ns in stamps)[1]
            key = nearest, context.flow_hash, context.trace_id, context.span_id
            carried[key] = replace(context, ts_ns=nearest)
    return list(carried.values())


def chosen(
    rows: ContextRows, selection: Selection, trace_ids: Collection[str] | None
) -> ContextRows:
    """Return the contexts of the selected packets; of the given traces only, None for any."""
    mask = selection.among(
        rows["ts_ns"], rows["flow_hash"], rows["client_port"], rows["server_port"]
    )
    if trace_ids is not None:
        mask &= of_traces(rows, trace_ids)
    return rows[mask]


def of_traces(rows: ContextRows, trace_ids: Collection[str]) -> Mask:
    """Return which contexts are of the given traces."""
    # An imported trace may have an id of another form: no request can have carried it.
    carried = [trace_id for trace_id in trace_ids if _TRACE_ID.fullmatch(trace_id)]
    ids = np.frombuffer(bytes.fromhex("".join(carried)), "V16")
    mask: Mask = np.isin(np.ascontiguousarray(rows["trace_id"]).view("V16").ravel(), ids)
    return mask


def _bare(packets: PacketColumns, data: U8, payload: I64, rows: I64) -> list[ContextRows]:
    """Return the segments that hold nothing but frames of HTTP/2 without a part of a message."""
    rows = rows[packets.tcp_flags[rows] != 0]
    begins = payload[rows]
    is_bare, is_reset = bare_segments(data, begins, begins + packets.payload_bytes[rows])
    return [
        _row_heads(packets, rows[kind], method)
        for kind, method in ((is_bare & ~is_reset, CONNECTION), (is_bare & is_reset, RESET))
    ]


def _kinds(words: U8) -> tuple[Mask, Mask]:
    """Return of the first four bytes of each payload, which begin a text, which a frame."""
    word = np.ascontiguousarray(words).view(">u4").ravel()
    text = np.array([int.from_bytes(each, "big") for each in REQUEST_WORDS])
    framed = (words[:, 0] == 0) & (words[:, 3] <= FRAME_TYPE_MAX) & (word != 0)
    return np.isin(word, text), framed | (word == int.from_bytes(PREFACE_WORD, "big"))


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """Values found in a buffer: where each begins and ends, and its ids."""

    at: I64
    ends: I64
    trace_id: U8  # (N, 16)
    span_id: U8  # (N, 8)
    method: str


def _spelled(data: bytes) -> _Hits:
    return _of_matches(list(_SPELLED.finditer(data)), HEADER)


def _packed(data: bytes, buffer: U8) -> _Hits:
    """Return the literals of HPACK, in Huffman's code and plain."""
    plain = _of_matches(list(_PLAIN.finditer(data)), HPACK)
    offsets = np.array([match.start() - 1 for match in _PACKED.finditer(data)], np.int64)
    offsets = offsets[offsets >= 0]
    heads = buffer[offsets]
    length = (heads & 0x7F).astype(np.int64)
    may = (heads & _HUFFMAN != 0) & (length >= _PACKED_MIN) & (length <= _PACKED_MAX)
    may &= offsets + 1 + length <= len(buffer)
    offsets, length = offsets[may], length[may]
    text, is_value = _unpacked(buffer, offsets + 1, length)
    offsets, length, text = offsets[is_value], length[is_value], text[is_value]
    trace_id, span_id = _nibbles(text[:, 3:35]), _nibbles(text[:, 36:52])
    return _Hits(
        np.concatenate([plain.at, offsets]),
        np.concatenate([plain.ends, offsets + 1 + length]),
        np.concatenate([plain.trace_id, trace_id]),
        np.concatenate([plain.span_id, span_id]),
        HPACK,
    )


def _unpacked(buffer: U8, starts: I64, length: I64) -> tuple[U8, Mask]:
    """Return the text of each literal, (N, 55), and whether it has the form of a traceparent."""
    text = np.zeros((len(starts), _VALUE_BYTES), np.uint8)
    valid = np.ones(len(starts), np.bool_)
    if not len(starts):
        return text, valid
    reach = np.arange(_PACKED_MAX + 2)
    last = (starts + length)[:, None] - 1
    codes = buffer[np.minimum(starts[:, None] + reach, last)].astype(np.uint16)
    rows, bit = np.arange(len(starts)), np.zeros(len(starts), np.int64)
    for place in range(_VALUE_BYTES):
        byte = bit >> 3
        window = codes[rows, byte] << np.uint16(8) | codes[rows, byte + 1]
        ahead = (window >> (np.uint16(16 - _BITS) - (bit & 7).astype(np.uint16))) & np.uint16(0x3F)
        text[:, place] = _SYMBOLS[ahead]
        bit += _WIDTHS[ahead]
        valid &= (text[:, place] == ord("-")) == (place in _DASHES)
        valid &= text[:, place] != 0
    # What is left of the last byte is ones, and no whole byte is left.
    left = length * 8 - bit
    valid &= (left >= 0) & (left < 8)
    rest = (np.uint16(1) << np.clip(left, 0, 8).astype(np.uint16)) - np.uint16(1)
    valid &= (codes[rows, np.minimum(length, _PACKED_MAX + 2) - 1] & rest) == rest
    return text, valid


def _nibbles(text: U8) -> U8:
    """Return hex digits as bytes."""
    digits = np.where(text >= ord("a"), text - (ord("a") - 10), text - ord("0")).astype(np.uint8)
    octets: U8 = digits[:, 0::2] << np.uint8(4) | digits[:, 1::2]
    return octets


def _of_matches(matches: list[re.Match[bytes]], method: str) -> _Hits:
    count = len(matches)
    ids = bytes.fromhex(b"".join(match[2] + match[3] for match in matches).decode())
    octets = np.frombuffer(ids, np.uint8).reshape(count, 24)
    return _Hits(
        np.fromiter((match.start() for match in matches), np.int64, count),
        np.fromiter((match.end() for match in matches), np.int64, count),
        octets[:, :16],
        octets[:, 16:],
        method,
    )


def _owners(offsets: I64, hit_ends: I64, begins: I64, ends: I64) -> I64:
    """Return whose payload each hit lies in, as a place in `begins`, -1 for nobody's."""
    if not len(begins):
        return np.full(len(offsets), -1, np.int64)
    owner = np.searchsorted(begins, offsets, side="right") - 1
    owner[(owner >= 0) & (hit_ends > ends[owner])] = -1
    return owner


def _in_headers(data: bytes, offsets: I64, begins: I64, owners: I64) -> Mask:
    """Return which hits lie before the end of the headers of their request."""
    return np.array(
        [
            owner >= 0 and data.find(_END_OF_HEADERS, int(begins[owner]), hit) < 0
            for hit, owner in zip(offsets.tolist(), owners.tolist(), strict=True)
        ],
        np.bool_,
    )


def _in_header_frames(data: bytes, offsets: I64, begins: I64, owners: I64) -> Mask:
    """Return which hits lie in a frame of headers: a message may say the same of another span."""
    return np.array(
        [
            owner >= 0 and frame_kind(data, int(begins[owner]), hit) in HEADER_FRAMES
            for hit, owner in zip(offsets.tolist(), owners.tolist(), strict=True)
        ],
        np.bool_,
    )


def _rows(packets: PacketColumns, rows: I64, hits: _Hits, inside: Mask) -> ContextRows:
    heads = _row_heads(packets, rows, hits.method)
    heads["trace_id"], heads["span_id"] = hits.trace_id[inside], hits.span_id[inside]
    # Ids of zeros are no ids, W3C says.
    return heads[heads["trace_id"].any(axis=1) & heads["span_id"].any(axis=1)]


def _row_heads(packets: PacketColumns, rows: I64, method: str) -> ContextRows:
    context_rows = np.zeros(len(rows), CONTEXT)
    context_rows["ts_ns"], context_rows["flow_hash"] = packets.ts_ns[rows], packets.flow_hash[rows]
    context_rows["client_port"], context_rows["server_port"] = (
        packets.src_port[rows],
        packets.dst_port[rows],
    )
    context_rows["tcp_seq"] = packets.tcp_seq[rows]
    context_rows["method"] = _METHODS.index(method)
    return context_rows
