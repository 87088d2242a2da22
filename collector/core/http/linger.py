"""I/O: a connection that is closed in the middle of a request, so that its answer is read.

A socket that is closed while bytes still come resets its peer, which then loses the answer: a proxy
that hands on a body says 502 in place of the 413 that it was sent, and senders retry a 502.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any


class LingeringTransport(asyncio.Transport):
    """A transport that goes on reading for a while after its close. Source: RFC 9112, section 9.6.

    Its protocol hands what comes then to `discard` and to nobody else.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        is_owed: Callable[[], bool],
        seconds_max: float,
        bytes_max: int,
    ) -> None:
        """Wrap a transport.

        Args:
            transport: the connection.
            is_owed: whether the peer is in the middle of a request.
            seconds_max: that the peer has for the rest.
            bytes_max: that the rest may have.
        """
        super().__init__()
        self._transport = transport
        self._is_owed = is_owed
        self._seconds_max = seconds_max
        self._bytes_left = bytes_max
        self._cut: asyncio.TimerHandle | None = None
        self._is_lost = False

    def hasten(self, seconds: float) -> None:
        """Give each rest, also one that comes later, no more than this."""
        self._seconds_max = min(self._seconds_max, seconds)
        if self._cut is not None:
            self._linger()

    def close(self) -> None:
        """Send what is written and the end; then wait for the peer's where it still sends."""
        if self._is_lost or self.is_closing():
            return
        if not self._is_owed():
            self._transport.close()
            return
        self._linger()
        if self._transport.can_write_eof():  # not over TLS: there the answer says that it closes
            with contextlib.suppress(OSError):  # the peer is gone, which reading tells
                self._transport.write_eof()
        self._transport.resume_reading()

    def end(self) -> None:
        """Send what is written and the end, and wait for nothing."""
        self._transport.close()

    def discard(self, size: int) -> None:
        """Count bytes that nobody reads; too many end the connection."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            self._transport.abort()

    def is_lingering(self) -> bool:
        """Return whether it was closed and still reads."""
        return self._cut is not None

    def is_closing(self) -> bool:
        """Return whether nothing more is to be written."""
        return self._cut is not None or self._transport.is_closing()

    def lost(self) -> None:
        """Wait for nothing more: the connection is no longer there."""
        self._is_lost = True
        if self._cut is not None:
            self._cut.cancel()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def write(self, data: Any) -> None:  # noqa: ANN401  any buffer
        """Write; nothing once it was closed."""
        if self._cut is None:
            self._transport.write(data)

    def pause_reading(self) -> None:
        """Read nothing for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # noqa: ANN401  as asyncio has it
        """Return what the transport says about itself."""
        return self._transport.get_extra_info(name, default)

    def _linger(self) -> None:
        if self._cut is not None:
            self._cut.cancel()
        loop = asyncio.get_running_loop()
        self._cut = loop.call_later(self._seconds_max, self._transport.abort)
