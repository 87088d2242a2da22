"""What a span waited for, over a path that is known to lose packets, and a peer without room."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import numpy as np
import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_MS
from packet.correlate.claims import SpanEndpoints
from packet.correlate.spans import link
from packet.correlate.wait_times import Stretch, WireTime, wire_times
from packet.decode.columns import PacketColumns
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.decode.sampler import Selection
from packet.lab.forwarder import LOST
from packet.lab.network import Host, Impairment, LogRows, slow_path
from tests.integration.lab.traffic import recording

pytestmark = [pytest.mark.integration, pytest.mark.alone]

_CLOCK = SystemClock()
_RESPONSE = 20_000
_CLOSED_S = 0.4


def _listen(host: Host, room: int = 0) -> socket.socket:
    with host.entered():
        listener = socket.socket()
        if room:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        listener.bind((host.address, 0))
        listener.listen()
    return listener


def _spans(
    client: Host, listener: socket.socket, ask: Callable[[socket.socket], None], rounds: int
) -> list[SpanEndpoints]:
    """Ask over one connection; return the span of each time."""
    address, port = listener.getsockname()
    with client.entered():
        connection = socket.create_connection((address, port))
    spans = []
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        local = int(connection.getsockname()[1])
        for place in range(rounds):
            begin_ns = _CLOCK.now_ns()
            ask(connection)
            spans.append(
                SpanEndpoints("t", f"s{place}", "d", False, begin_ns, _CLOCK.now_ns(), local, port,
                              address)
            )  # fmt: skip
    return spans


def _waits(
    spans: list[SpanEndpoints], captured: PacketColumns, what: Stretch
) -> tuple[list[int], list[WireTime]]:
    times = wire_times(spans, link(spans, captured), captured)
    return [
        sum(to_ns - from_ns for kind, from_ns, to_ns in time.pieces if kind is what)
        for time in times
    ], times


def _lost(rows: LogRows, span: SpanEndpoints) -> int:
    """Return how many segments of a span's messages the path lost and somebody could miss.

    Whether the end of a response was lost or its sender slow is not seen where it comes in: of that
    way only what others overtook counts.
    """
    own = rows[(rows["arrived_ns"] >= span.start_ns) & (rows["arrived_ns"] <= span.end_ns)]
    heads = [
        (int(row["arrived_ns"]), int(row["length"]), row["head"].tobytes()[: int(row["length"])])
        for row in own
    ]
    decoded = decode(frames_of(heads))
    packets, fates = decoded.columns, own["fate"][decoded.rows]
    carries, asked = packets.payload_bytes > 0, packets.dst_port == span.peer_port
    count = int((carries & asked & (fates == LOST)).sum())
    for row in np.flatnonzero(carries & ~asked & (fates == LOST)).tolist():
        later = carries & ~asked & (packets.ts_ns > packets.ts_ns[row])
        same = np.flatnonzero(later & (packets.tcp_seq == packets.tcp_seq[row]))
        until_ns = packets.ts_ns[same[0]] if len(same) else packets.ts_ns.max()
        overtook = later & (packets.ts_ns < until_ns) & (packets.tcp_seq > packets.tcp_seq[row])
        count += bool((overtook & (fates != LOST)).any())
    return count


def test_time_lost_to_loss_is_told_as_retransmission_on_either_way() -> None:
    """Every exchange of which the path lost a segment has it, seen from the caller alone."""

    def ask(connection: socket.socket) -> None:
        connection.sendall(b"q" * 100)
        left = _RESPONSE
        while left:
            left -= len(connection.recv(left))

    with slow_path(Impairment(delay_ns=2 * NS_PER_MS)) as path:
        listener = _listen(path.b)
        thread = threading.Thread(target=_answer, args=(listener,))
        thread.start()
        with recording(path.a) as at_a:
            from_ns = _CLOCK.now_ns()
            sound = _spans(path.a, listener, ask, 3)
            thread.join()
            path.impair(Impairment(delay_ns=2 * NS_PER_MS, loss_ratio=0.03, seed=7))
            thread = threading.Thread(target=_answer, args=(listener,))
            thread.start()
            spans = _spans(path.a, listener, ask, 40)
            thread.join()
            captured = decode(at_a.pull(Selection(from_ns, _CLOCK.now_ns()))).columns
        rows = path.log()
    listener.close()
    assert len(_waits(sound, captured, Stretch.RETRANSMISSION)[1]) == 3
    lost = np.array([_lost(rows, span) for span in spans])
    waited, times = _waits(spans, captured, Stretch.RETRANSMISSION)
    assert len(times) == len(spans)
    assert (lost > 0).sum() >= 10
    # A segment that came again took a round trip at least, which is 4 ms here.
    assert (np.array(waited)[lost > 0] >= 4 * NS_PER_MS).all()


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(100):
            connection.sendall(b"a" * _RESPONSE)


def test_time_before_a_closed_window_is_told() -> None:
    """A peer that does not read for a while: its host has no room, and says so."""
    size = 300_000
    reading = threading.Event()

    def slow(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            reading.wait(_CLOSED_S)
            left = size
            while left:
                left -= len(connection.recv(min(left, 65_536)))
            connection.sendall(b"done")

    def ask(connection: socket.socket) -> None:
        connection.sendall(b"q" * size)
        assert connection.recv(4) == b"done"

    with slow_path(Impairment(delay_ns=NS_PER_MS)) as path:
        listener = _listen(path.b, room=8_192)
        thread = threading.Thread(target=slow, args=(listener,))
        thread.start()
        with recording(path.a) as at_a:
            from_ns = _CLOCK.now_ns()
            spans = _spans(path.a, listener, ask, 1)
            thread.join()
            captured = decode(at_a.pull(Selection(from_ns, _CLOCK.now_ns()))).columns
    listener.close()
    ((waited_ns,), (time,)) = _waits(spans, captured, Stretch.ZERO_WINDOW)
    assert waited_ns >= _CLOSED_S * 1e9 / 2
    assert sum(to_ns - from_ns for _, from_ns, to_ns in time.pieces) == (
        spans[0].end_ns - spans[0].start_ns
    )
