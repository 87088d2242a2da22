"""Whoever reads by arrival elsewhere is told what was stored long after it was received."""

from __future__ import annotations

from pathlib import Path

from collector.core.times import NS_PER_S
from collector.otlp.check import Signal
from collector.store.connect import Connections
from collector.wal.frames import encode_frame
from collector.write.delays import Delays
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import span, trace_request
from tests.support.collector.writer import Segments


def told(store: Connections) -> list[tuple[int, str, int, int]]:
    """Return all rows, instants in seconds from the base."""
    rows = store.client().query("SELECT * FROM delayed_inserts ORDER BY stored_ns, first_ns")
    return [
        (
            (stored_ns - NOW_NS) // NS_PER_S,
            signal,
            (first_ns - NOW_NS) // NS_PER_S,
            (last_ns - NOW_NS) // NS_PER_S,
        )
        for stored_ns, signal, first_ns, last_ns in rows.result_rows
    ]


def received_at(*seconds: int) -> list[bytes]:
    """Return the frame of a request of one span for each instant."""
    body = trace_request(span()).SerializeToString()
    return [encode_frame(body, NOW_NS + second * NS_PER_S, 1) for second in seconds]


def test_what_waited_long_is_told_with_its_arrival(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """What was in time is not: each row is an insert of its own."""
    segments = Segments(tmp_path, clock)
    delays = Delays(clock, 15 * NS_PER_S)
    clock.ns += 100 * NS_PER_S
    late = segments.write("late", *received_at(7, 9, 98))
    segments.store(store, late, delays=delays)
    in_time = segments.write("in-time", *received_at(86, 99))
    segments.store(store, in_time, delays=delays)
    segments.store(store, segments.write("empty"), delays=delays)

    assert told(store) == [(100, "traces", 7, 98)]
    assert store.client().command("SELECT count() FROM otel_traces") == 5


def test_segment_that_is_stored_twice_is_told_once(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """A crash before the log forgets it, and the same bytes go in under the same token."""
    segments = Segments(tmp_path, clock)
    delays = Delays(clock, 15 * NS_PER_S)
    clock.ns += 100 * NS_PER_S
    for _ in range(2):
        segments.store(store, segments.write("late", *received_at(7)), delays=delays)
        clock.ns += NS_PER_S

    assert told(store) == [(100, "traces", 7, 7)]
    assert store.client().command("SELECT count() FROM otel_traces") == 1


def test_where_nobody_reads_elsewhere_nothing_is_told(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """Jobs of the same process wait for what is not stored."""
    segments = Segments(tmp_path, clock)
    clock.ns += 100 * NS_PER_S
    segments.store(store, segments.write("late", *received_at(7)), signal=Signal.TRACES)

    assert told(store) == []
