"""I/O: what the kernel says of a connection, on the span of the call that used it.

Linux keeps round trips and retransmissions of every TCP connection, and shows them to whoever holds
its socket: without privilege, in under a microsecond. It is weaker than packets: the kernel does
not say when something happened, and not what the peer had to send again.

Source: linux/tcp.h, struct tcp_info.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from opentelemetry.trace import Span, get_current_span

from collector.core.times import NS_PER_US

# From rto to delivery_rate; what lies between is passed over. Linux 4.9 is the first with all.
_LAYOUT: Final = struct.Struct("<8xI12xI40xII24xI44xIIIQ")
_ASKED_BYTES: Final = 192
_TCP_INFO: Final = getattr(socket, "TCP_INFO", None)
_UNKNOWN: Final = 2**32 - 1  # the least round trip before there was one


class TcpInfo(NamedTuple):
    """The state of a connection at one instant; times in microseconds, as the kernel has them."""

    rto_us: int  # how long it waits for an acknowledgement before it sends again
    unacked: int  # segments
    rtt_us: int  # smoothed; holds the peer's delays of its acknowledgements as well
    rttvar_us: int
    retransmits: int  # since it was opened, those of the handshake included
    min_rtt_us: int  # of the last five minutes
    data_segments_in: int
    data_segments_out: int  # those that were sent again included
    delivery_rate: int  # bytes a second


def tcp_info(connection: Any) -> TcpInfo | None:  # noqa: ANN401  a socket, or what stands for one
    """Return the state of a connection; None where it is not TCP, closed, or not on Linux.

    Args:
        connection: a socket, a TLS socket, or what asyncio gives as `get_extra_info("socket")`.
    """
    if _TCP_INFO is None or connection is None:
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _ASKED_BYTES)
        return TcpInfo._make(_LAYOUT.unpack_from(info))
    except (OSError, ValueError, AttributeError, struct.error):
        return None


def set_tcp(
    span: Span, before: TcpInfo | None, after: TcpInfo | None, *, is_shared: bool = False
) -> None:
    """Put the state of a connection on the span of a call.

    Args:
        span: of the call.
        before: as it was when the call began; None where nothing of it was seen before, which is a
            connection that was opened for this call.
        after: as it was when the response was there; None sets nothing.
        is_shared: other calls used it at the same time, so that what was sent again is nobody's.
    """
    if after is None or not span.is_recording():
        return
    span.set_attribute("network.tcp.rtt_ns", after.rtt_us * NS_PER_US)
    span.set_attribute("network.tcp.rttvar_ns", after.rttvar_us * NS_PER_US)
    if 0 < after.min_rtt_us < _UNKNOWN:
        span.set_attribute("network.tcp.min_rtt_ns", after.min_rtt_us * NS_PER_US)
    span.set_attribute("network.tcp.unacked", after.unacked)
    span.set_attribute("network.tcp.delivery_bytes_per_s", after.delivery_rate)
    sent, again = after.data_segments_out, after.retransmits
    if before is not None:
        sent, again = sent - before.data_segments_out, again - before.retransmits
        span.set_attribute("network.tcp.rto_ns", before.rto_us * NS_PER_US)
    if sent >= 0 and again >= 0:
        span.set_attribute("network.tcp.retransmits", again)
        span.set_attribute("network.tcp.segments_out", sent)
    if is_shared:
        span.set_attribute("network.tcp.shared", True)


@contextmanager
def tcp_call(connection: Any, *, shared: bool = False) -> Iterator[None]:  # noqa: ANN401  a socket, or what stands for one
    """Put the state of a connection on the current span, around a call over it.

    Args:
        connection: a socket, or an asyncio `StreamWriter` or transport.
        shared: other calls use it at the same time, as HTTP/2 does.
    """
    over = connection
    if hasattr(connection, "get_extra_info"):
        over = connection.get_extra_info("socket")
    before = tcp_info(over)
    try:
        yield
    finally:
        set_tcp(get_current_span(), before, tcp_info(over), is_shared=shared)
