"""Pure: IP datagrams put together again from their fragments."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

_DATAGRAM_BYTES_MAX = 0xFFFF
# What is held of unfinished datagrams; the oldest are let go first.
_HELD_BYTES_MAX = 32 * 1024 * 1024


@dataclass(slots=True)
class _Datagram:
    parts: dict[int, bytes] = field(default_factory=dict)  # by offset
    held_bytes: int = 0
    size: int | None = None  # known from its last fragment


class Fragments:
    """What is known of datagrams of which not all has been seen."""

    def __init__(self) -> None:
        self._open: dict[Hashable, _Datagram] = {}
        self._held_bytes = 0

    def add(self, key: Hashable, offset: int, more: bool, part: bytes) -> bytes | None:
        """Return the datagram that this fragment completes, else None.

        Where two overlap, the bytes of the one with the lower offset count.
        """
        if offset + len(part) > _DATAGRAM_BYTES_MAX:
            return None
        datagram = self._open.setdefault(key, _Datagram())
        if offset not in datagram.parts:
            datagram.parts[offset] = part
            datagram.held_bytes += len(part)
            self._held_bytes += len(part)
        if not more and datagram.size is None:
            datagram.size = offset + len(part)
        whole = _joined(datagram)
        if whole is not None:
            self._drop(key)
            return whole
        while self._held_bytes > _HELD_BYTES_MAX:
            self._drop(next(iter(self._open)))
        return None

    def _drop(self, key: Hashable) -> None:
        self._held_bytes -= self._open.pop(key).held_bytes


def _joined(datagram: _Datagram) -> bytes | None:
    if datagram.size is None or datagram.held_bytes < datagram.size:
        return None
    whole = bytearray()
    for offset in sorted(datagram.parts):
        if offset > len(whole):
            return None
        whole += datagram.parts[offset][len(whole) - offset :]
    return bytes(whole[: datagram.size]) if len(whole) >= datagram.size else None
