"""What several tests of writer share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from collector.bench.hostile.mutations import MUTATIONS
from collector.core.config import AttributesConfig, DecisionsConfig
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import DecodeError
from collector.otlp.check import Signal, check, count_items, limits_at
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.wal.frames import encode_frame
from collector.wal.groups import recover_group
from collector.wal.log import Budget
from collector.write.blocks import block_readers
from collector.write.decision_spans import wanted_spans
from collector.write.declared import WantedSpans
from collector.write.delays import Delays
from collector.write.last_reader import LastReader
from collector.write.writer import StoreWriter
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    any_value,
    span,
    trace_request,
)

WAIT_S = 30
TABLES = {
    Signal.TRACES: (
        "otel_traces", "otel_traces_trace_id_ts", "otel_span_skeletons", "decisions", "rejected",
    ),
    Signal.LOGS: ("otel_logs", "outcomes", "rejected"),
}  # fmt: skip
Rows = dict[str, list[str]]  # of each table, as text
WANTED = wanted_spans(AttributesConfig(), DecisionsConfig())


class Segments:
    """Writes segments by hand and runs a writer over them."""

    def __init__(self, directory: Path, clock: ManualClock, *, is_native: bool = True) -> None:
        self.directory = directory
        self.is_native = is_native
        self.clock = clock
        self.counters = Counters()
        self.budget = Budget(2**30, self.counters.wal_bytes, clock)

    def write(self, name: str, *frames: bytes) -> Path:
        """Write one segment as the log would have left it."""
        path = self.directory / f"{name}.segment"
        path.write_bytes(b"".join(frames))
        self.budget.adopt(path.stat().st_size)
        return path

    def store(
        self,
        store: Connections,
        *paths: Path,
        signal: Signal = Signal.TRACES,
        disk: Disk | None = None,
        last_reader: LastReader | None = None,
        delays: Delays | None = None,
    ) -> StoreWriter:
        """Bring segments into the store, as a start does; return the writer, stopped."""
        blocks = block_readers(WantedSpans(AttributesConfig(), DecisionsConfig()))
        writer = StoreWriter(
            signal,
            store,
            self.budget,
            self.counters,
            self.clock,
            Protection(),
            disk,
            blocks=blocks.get(signal) if self.is_native else None,
            last_reader=last_reader,
            delays=delays,
        )
        writer.recover(paths, recover_group(self.directory, str(signal), Disk()))
        writer.start()
        assert writer.drain(WAIT_S)
        writer.stop()
        return writer


def names(store: Connections) -> list[str]:
    """Return the names of all stored spans."""
    return [
        row[0]
        for row in store.client().query("SELECT SpanName FROM otel_traces ORDER BY 1").result_rows
    ]


def frame_of(name: str, start_ns: int = NOW_NS) -> bytes:
    """Return the frame of a request of one span."""
    request = trace_request(span(name=name, start_ns=start_ns))
    return encode_frame(request.SerializeToString(), NOW_NS, 1)


def twice_frame(name: str) -> bytes:
    """Return the frame of a span one of whose values is set twice, which Protobuf allows."""
    message = trace_request(span(name=name))
    twice = b"\x0a\x01a" + any_value(7).SerializeToString()
    pair = b"\x0a\x01k\x12" + bytes([len(twice)]) + twice
    resource = b"\x0a" + bytes([len(pair)]) + pair
    group = b"\x0a" + bytes([len(resource)]) + resource
    return encode_frame(
        message.SerializeToString() + b"\x0a" + bytes([len(group)]) + group, NOW_NS, 1
    )


def accepted_mutants(signal: Signal, sources: Sequence[bytes], draw: Random) -> list[bytes]:
    """Return those of two thousand requests, changed on the wire, that the receiver takes."""
    limits = limits_at(NOW_NS, 30, AttributesConfig())
    taken = []
    for number in range(2_000):
        _, mutation = MUTATIONS[number % len(MUTATIONS)]
        with suppress(DecodeError):
            checked = check(signal, mutation(draw, draw.choice(sources)), limits)
            if checked.accepted:
                taken.append(checked.payload)
    return taken


def stored_both_ways(
    store: Connections,
    directory: Path,
    requests: Iterable[bytes],
    signal: Signal = Signal.TRACES,
) -> tuple[Rows, Rows]:
    """Store requests by each reader into empty tables; return the rows of each, as text.

    What is rejected has its bytes in `rejected`, under a name that both give it.
    """
    frames = [
        encode_frame(body, NOW_NS + number, count_items(signal, body))
        for number, body in enumerate(requests)
    ]
    native, protobuf = (
        _stored(store, Segments(directory, ManualClock(), is_native=is_native), frames, signal)
        for is_native in (True, False)
    )
    return native, protobuf


def _stored(store: Connections, segments: Segments, frames: list[bytes], signal: Signal) -> Rows:
    client = store.client()
    for table in TABLES[signal]:
        client.command(f"TRUNCATE TABLE {table}")
    segments.store(store, segments.write(f"{signal}-same", *frames), signal=signal)
    rows = {}
    for table in TABLES[signal]:
        result = client.query(
            f"SELECT toString(tuple(* EXCEPT detail)) FROM {table}"
            if table == "rejected"
            else f"SELECT toString(tuple(*)) FROM {table}"
        )
        rows[table] = sorted(str(row[0]) for row in result.result_rows)
    return rows
