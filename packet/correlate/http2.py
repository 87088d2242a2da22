"""Pure: segments of HTTP/2 that carry no part of a request or a response.

Settings, pings, windows, priorities and a farewell are of their connection, and the end of a stream
by RST_STREAM finishes no message. Such a segment is told from all others by itself: its frames have
to be of these types, each of the one length that its type may have, and to end where it ends. So
nobody has to have heard the connection from its start.

Source: RFC 9113 sections 3.4, 4.1 and 6.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from packet.decode.columns import I64, U8, Mask

PREFACE_WORD: Final = b"PRI "  # how a connection begins
# A frame: three bytes of length, of which the first is 0 up to 64 KiB, and its type.
FRAME_TYPE_MAX: Final = 9

HEADER_FRAMES: Final = (1, 9)  # HEADERS and CONTINUATION

_PREFACE_BYTES: Final = 24
_HEADER_BYTES: Final = 9
_PRIORITY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 2, 3, 4, 6, 7, 8
# Of each type: the least and the greatest length, and what a length is a multiple of; where the
# greatest is 0 a frame carries a part of a message.
_LENGTHS: Final = np.full((256, 3), (1, 0, 1), np.int64)
_LENGTHS[_PRIORITY] = 5, 5, 5
_LENGTHS[_SETTINGS] = 0, 1 << 14, 6
_LENGTHS[_PING] = 8, 8, 8
_LENGTHS[_GOAWAY] = 8, 1 << 14, 1
_LENGTHS[[_RST_STREAM, _WINDOW_UPDATE]] = 4, 4, 4
_OF_CONNECTION: Final = np.isin(np.arange(256), (_SETTINGS, _PING, _GOAWAY))
_OF_STREAM: Final = np.isin(np.arange(256), (_PRIORITY, _RST_STREAM))
_FRAMES_MAX: Final = 64  # as many as fit into what is searched of a segment


def bare_segments(data: U8, begins: I64, ends: I64) -> tuple[Mask, Mask]:
    """Return which segments carry no part of a message, and which have an RST_STREAM in them.

    Args:
        data: the captured bytes.
        begins: where the payload of each segment begins in them.
        ends: where it ends; all of it is there.
    """
    is_bare, is_reset = np.zeros(len(begins), np.bool_), np.zeros(len(begins), np.bool_)
    rows, offsets = np.arange(len(begins)), begins.copy()
    long = np.flatnonzero(ends - begins >= _PREFACE_BYTES)
    if len(long):
        words = np.stack([data[begins[long] + place] for place in range(4)], axis=1)
        offsets[long[(words == np.frombuffer(PREFACE_WORD, np.uint8)).all(axis=1)]] += (
            _PREFACE_BYTES
        )
    for _ in range(_FRAMES_MAX):
        fits = ends[rows] - offsets[rows] >= _HEADER_BYTES
        rows = rows[fits]
        if not len(rows):
            break
        head = np.stack([data[offsets[rows] + place] for place in range(_HEADER_BYTES)], axis=1)
        head = head.astype(np.int64)
        length, kind = head[:, 0] << 16 | head[:, 1] << 8 | head[:, 2], head[:, 3]
        stream = head[:, 5] << 24 | head[:, 6] << 16 | head[:, 7] << 8 | head[:, 8]
        least, greatest, multiple = _LENGTHS[kind].T
        valid = (length >= least) & (length <= greatest) & (length % multiple == 0)
        valid &= stream < 1 << 31
        valid &= ~(_OF_CONNECTION[kind] & (stream != 0)) & ~(_OF_STREAM[kind] & (stream == 0))
        frame_end = offsets[rows] + _HEADER_BYTES + length
        valid &= frame_end <= ends[rows]
        is_reset[rows] |= valid & (kind == _RST_STREAM)
        offsets[rows] = frame_end
        is_bare[rows[valid & (frame_end == ends[rows])]] = True
        rows = rows[valid & (frame_end < ends[rows])]
    return is_bare, is_bare & is_reset


def frame_kind(data: bytes, begin: int, offset: int) -> int | None:
    """Return the type of the frame that a byte of a segment lies in, None for the head of one.

    Args:
        data: the captured bytes.
        begin: where the segment begins in them, with a frame.
        offset: the byte.
    """
    if data.startswith(PREFACE_WORD, begin):
        begin += _PREFACE_BYTES
    while begin + _HEADER_BYTES <= offset:
        end = begin + _HEADER_BYTES + int.from_bytes(data[begin : begin + 3], "big")
        if offset < end:
            return data[begin + 3]
        begin = end
    return None
