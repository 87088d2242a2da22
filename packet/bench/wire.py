"""I/O: `millworth bench wire`: wire times and clock offsets, held against a path that kept a log.

A forwarder delays every packet between two hosts and writes down for how long. Two recorders see
the packets come and go; what they make of it is compared packet by packet. Then the stamps of one
end are shifted by 5 ms and run off by 25 ppm, and the shift has to be found within its own bound.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from collector.bench.harness import Progress, medians
from collector.core.clock import Clock, SystemClock
from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from packet.capture.recorder import RecorderProcess
from packet.config import PacketConfig
from packet.correlate.clock_offset import Samples, estimate, two_ways
from packet.decode.columns import PacketColumns
from packet.decode.decode import decode
from packet.decode.frames import frames_of
from packet.decode.sampler import Selection
from packet.lab.network import Host, Impairment, LogRows, forwarded, slow_path

OFFSET_NS = 5 * NS_PER_MS
DRIFT = 25e-6
_SECONDS = 10.0  # in which 25 ppm become 250 us, more than half of the round trip hides
_GAP_S = 0.01
_REQUEST_BYTES = 100
_PATH = Impairment(delay_ns=200_000, jitter_ns=20_000, polls=True)
_CLOCK = SystemClock()


def run_wire(runs: int, progress: Progress, seconds: float = _SECONDS) -> dict[str, float]:
    """Return medians over the runs.

    Keys: `error_p50_us`, `error_p99_us` over so many `packets`; `offset_error_us`,
    `offset_bound_us`, `drift_error_ppm`, `drift_bound_ppm`; and how many runs were
    `outside_bound`, which breaks the promise.
    """
    results = []
    for number in range(runs):
        results.append(run := _run(replace(_PATH, seed=number + 1), seconds))
        progress(
            f"run {number + 1}: {run['packets']} packets, error p50 {run['error_p50_us']:.1f} us, "
            f"p99 {run['error_p99_us']:.1f} us; offset off by {run['offset_error_us']:.1f} of "
            f"{run['offset_bound_us']:.0f} us, drift by {run['drift_error_ppm']:.1f} of "
            f"{run['drift_bound_ppm']:.0f} ppm"
        )
    outside = sum(
        run["offset_error_us"] > run["offset_bound_us"]
        or run["drift_error_ppm"] > run["drift_bound_ppm"]
        for run in results
    )
    return {**medians(results), "outside_bound": outside}


def _run(impairment: Impairment, seconds: float) -> dict[str, float]:
    with slow_path(impairment) as path, _recorder(path.a) as at_a, _recorder(path.b) as at_b:
        from_ns = _CLOCK.now_ns()
        _exchange(path.a, path.b, seconds, _CLOCK)
        a, b = _packets(at_a, from_ns), _packets(at_b, from_ns)
        rows = forwarded(path.log())
    errors = np.concatenate(
        [
            _errors(observed, captured)
            for observed, captured in zip(
                two_ways(a, b), two_ways(*_as_captures(rows)), strict=True
            )
        ]
    )
    true_ns = b.ts_ns.astype(np.int64)
    shift = np.rint(OFFSET_NS + DRIFT * (true_ns - from_ns)).astype(np.int64)
    estimated = estimate(*two_ways(a, replace(b, ts_ns=(true_ns + shift).astype(np.uint64))))
    if estimated is None or estimated.drift_ppm is None or estimated.drift_bound_ppm is None:
        raise CaptureError("the lab carried too little to compare the clocks of its ends")
    truth_ns = OFFSET_NS + DRIFT * (estimated.at_ns - from_ns)
    return {
        "error_p50_us": float(np.percentile(errors, 50)) / 1e3,
        "error_p99_us": float(np.percentile(errors, 99)) / 1e3,
        "packets": len(errors),
        "offset_error_us": abs(estimated.offset_ns - truth_ns) / 1e3,
        "offset_bound_us": estimated.bound_ns / 1e3,
        "drift_error_ppm": abs(estimated.drift_ppm - DRIFT * 1e6),
        "drift_bound_ppm": estimated.drift_bound_ppm,
    }


def _errors(observed: Samples, captured: Samples) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return by how much the time between two captures differs from what the path took."""
    # The last packets of all may be on their way still when the second recorder is asked.
    count = min(len(observed), len(captured))
    by_time_seen = np.argsort(observed.sent_ns, kind="stable")[:count]
    by_time_held = np.argsort(captured.sent_ns, kind="stable")[:count]
    wire = (observed.seen_ns - observed.sent_ns)[by_time_seen]
    truth = (captured.seen_ns - captured.sent_ns)[by_time_held]
    return np.abs(wire - truth)


def _as_captures(rows: LogRows) -> tuple[PacketColumns, PacketColumns]:
    """Return a log as two captures would have it: at the first end and at the second."""
    records = [
        (int(row["arrived_ns"]), int(row["length"]), row["head"].tobytes()[: int(row["length"])])
        for row in rows
    ]
    decoded = decode(frames_of(records))
    rows = rows[decoded.rows]
    forward = rows["way"] == 0
    first = np.where(forward, rows["arrived_ns"], rows["released_ns"])
    second = np.where(forward, rows["released_ns"], rows["arrived_ns"])
    return replace(decoded.columns, ts_ns=first), replace(decoded.columns, ts_ns=second)


@contextmanager
def _recorder(host: Host) -> Iterator[RecorderProcess]:
    config = PacketConfig(interface=host.interface, memory_mib=16, analysis=False)
    with host.entered():
        process = RecorderProcess.start(config)
    try:
        yield process
    finally:
        process.stop()


def _packets(process: RecorderProcess, from_ns: int) -> PacketColumns:
    return decode(process.pull(Selection(from_ns, _CLOCK.now_ns()))).columns


def _exchange(client: Host, server: Host, seconds: float, clock: Clock) -> None:
    """Send a request every 10 ms over one connection, each answered by as many bytes."""
    with server.entered():
        listener = socket.create_server((server.address, 0))
    thread = threading.Thread(target=_answer, args=(listener,))
    thread.start()
    pause = threading.Event()
    with listener:
        with client.entered():
            connection = socket.create_connection(listener.getsockname())
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            until_ns = clock.monotonic_ns() + round(seconds * NS_PER_S)
            while clock.monotonic_ns() < until_ns:
                connection.sendall(b"s" * _REQUEST_BYTES)
                left = _REQUEST_BYTES
                while left:
                    left -= len(connection.recv(left))
                pause.wait(_GAP_S)
        thread.join()


def _answer(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while received := connection.recv(65_536):
            connection.sendall(received)
