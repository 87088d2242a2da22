from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import OperationalError

from collector.core.config import (
    AttributesConfig,
    DecisionsConfig,
    OutcomesConfig,
)
from collector.core.disk import Disk
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.store.schema.migrate import load_views
from collector.wal.frames import encode_frame, scan
from collector.write.insert_target import BLOCK_SETTINGS, TABLES, insert_settings
from collector.write.last_reader import LastReader
from collector.write.reading import read_logs, read_spans
from collector.write.writer import StoreWriter
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    decision_span,
    logs_request,
    outcome,
    span,
    trace_request,
)
from tests.support.collector.writer import WANTED, Segments, frame_of, names, twice_frame

UNREADABLE = b"\x0a\xff\xff"  # a message that is longer than its frame


class FlakyStore(Connections):
    """A store that does not answer the first few times."""

    def __init__(self, store: Connections, failures: int) -> None:
        super().__init__(store.config)
        self.failures = failures

    def client(self) -> Client:
        """Fail, or return the connection."""
        if self.failures:
            self.failures -= 1
            raise OperationalError("Code: 210. DB::NetException: Connection refused")
        return super().client()


class AwayStore(Connections):
    """A store to which no connection is made the first few times."""

    def __init__(self, store: Connections, failures: int) -> None:
        super().__init__(store.config)
        self.failures = failures

    def client(self) -> Client:
        """Fail as `connect` does, or return the connection."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailableError("the store did not open")
        return super().client()


class WatchedStore(Connections):
    """A store that counts how often its connection is asked for: once an insert."""

    def __init__(self, store: Connections) -> None:
        super().__init__(store.config)
        self.asked = 0

    def client(self) -> Client:
        """Return the connection, and count."""
        self.asked += 1
        return super().client()


class FlakyDisk(Disk):
    """A disk that does not sync its directories the first few times."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def sync_directory(self, directory: Path) -> None:
        """Fail, or sync."""
        if self.failures:
            self.failures -= 1
            raise OSError(5, "Input/output error")
        super().sync_directory(directory)


@pytest.fixture(params=[True, False], ids=["native", "protobuf"])
def segments(
    tmp_path: Path, clock: ManualClock, request: pytest.FixtureRequest
) -> Iterator[Segments]:
    """Yield segments in the test's directory, by both readers; none may be left at the end."""
    made = Segments(tmp_path, clock, is_native=request.param)
    yield made
    assert made.budget.used_bytes == 0
    assert not list(tmp_path.iterdir())


def test_segment_is_stored_and_then_deleted(store: Connections, segments: Segments) -> None:
    """Only what the store has may leave the disk."""
    path = segments.write("s", frame_of("a"), frame_of("b"))

    writer = segments.store(store, path)

    assert names(store) == ["a", "b"]
    assert (writer.figures().stored, writer.figures().quarantined) == (2, 0)


def test_replay_changes_nothing_down_to_the_last_table(
    store: Connections, segments: Segments
) -> None:
    """A crash between the insert and the deletion: the same bytes come again under their name."""
    frame = encode_frame(trace_request(decision_span()).SerializeToString(), NOW_NS, 1)
    for _ in range(2):
        segments.store(store, segments.write("same", frame))

    for table in ("otel_traces", "otel_traces_trace_id_ts", "decisions"):
        assert store.client().query(f"SELECT count() FROM {table}").result_rows == [(1,)], table


def test_equal_bytes_of_another_segment_are_other_spans(
    store: Connections, segments: Segments
) -> None:
    """Without a token the store takes equal blocks for one, and a sender's bytes may repeat."""
    frame = frame_of("a")
    segments.store(store, segments.write("one", frame), segments.write("two", frame))

    assert names(store) == ["a", "a"]


def insert(
    store: Connections,
    token: str,
    frame: bytes,
    signal: Signal = Signal.TRACES,
    *,
    is_native: bool,
) -> None:
    """Insert what one of the readers inserts of a frame, and no decision."""
    if is_native:
        frames = scan(frame).frames
        is_spans = signal is Signal.TRACES
        read = read_spans(frame, frames, WANTED) if is_spans else read_logs(frame, frames)
        parts = [(each.table, each.block) for each in read.inserts]
        parts = [each for each in parts if each[0] != "otel_decision_spans"]
        form, settings = "Native", BLOCK_SETTINGS
    else:
        parts, form = [(TABLES[signal], frame)], "Protobuf"
        settings = insert_settings(signal)
    for table, block in parts:
        store.client().raw_insert(
            table,
            insert_block=block,
            fmt=form,
            settings={**settings, "insert_deduplication_token": token},
        )


def test_replay_completes_a_chain_that_broke_in_the_middle(
    store: Connections, segments: Segments
) -> None:
    """A crash after the spans and before the decisions: the replay adds what is missing only."""
    client = store.client()
    frame = encode_frame(trace_request(decision_span()).SerializeToString(), NOW_NS, 1)
    path = segments.write("broken", frame)
    client.command("DROP VIEW decisions_mv")
    insert(store, path.name, frame, is_native=segments.is_native)
    views = load_views(AttributesConfig(), DecisionsConfig(), OutcomesConfig())
    (view,) = (view.statement for view in views if view.name == "view decisions_mv")
    client.command(view)

    segments.store(store, path)

    assert client.query("SELECT count() FROM otel_traces").result_rows == [(1,)]
    assert client.query("SELECT count() FROM otel_traces_trace_id_ts").result_rows == [(1,)]
    assert client.query("SELECT count() FROM decisions").result_rows == [(1,)]


def after_the_other(segments: Segments, signal: Signal) -> LastReader:
    """Return what a start knows that comes after one with the other reader."""
    before, now = (
        LastReader(segments.directory, signal, Disk(), is_native=is_native)
        for is_native in (not segments.is_native, segments.is_native)
    )
    before.note()
    return now


@pytest.mark.parametrize("is_in", [True, False], ids=["was stored", "was not"])
def test_what_the_other_reader_had_in_hand_is_stored_once(
    store: Connections, segments: Segments, is_in: bool
) -> None:
    """The compiled module came or went between two starts, and tokens do not tell."""
    request = trace_request(decision_span(), span(kind="internal"))
    frame = encode_frame(request.SerializeToString(), NOW_NS, 2)
    path = segments.write("in hand", frame)
    now = after_the_other(segments, Signal.TRACES)
    if is_in:
        insert(store, path.name, frame, is_native=not segments.is_native)

    segments.store(store, path, last_reader=now)

    client = store.client()
    assert client.query("SELECT count() FROM otel_traces").result_rows == [(2,)]
    assert now.is_ours()
    (segments.directory / "traces.reader").unlink()
    if segments.is_native or not is_in:  # spans that the module has stored have the rest with them
        assert client.query("SELECT count() FROM decisions FINAL").result_rows == [(1,)]


@pytest.mark.parametrize("is_in", [True, False], ids=["was stored", "was not"])
def test_outcomes_that_the_other_reader_had_in_hand_are_stored_once(
    store: Connections, segments: Segments, is_in: bool
) -> None:
    """Also where it was ended between its records and the outcomes that a view makes of them."""
    client = store.client()
    frame = encode_frame(logs_request(outcome()).SerializeToString(), NOW_NS, 1)
    path = segments.write("in hand", frame)
    now = after_the_other(segments, Signal.LOGS)
    if is_in:
        insert(store, path.name, frame, Signal.LOGS, is_native=not segments.is_native)
        client.command("TRUNCATE TABLE outcomes")

    segments.store(store, path, signal=Signal.LOGS, last_reader=now)

    assert client.query("SELECT count() FROM otel_logs").result_rows == [(1,)]
    (segments.directory / "logs.reader").unlink()
    assert client.query("SELECT outcome_id FROM outcomes FINAL").result_rows == [("order-1",)]


def test_one_unreadable_request_costs_none_of_the_others(
    store: Connections, segments: Segments
) -> None:
    """The store fails a whole insert for one bad request; it is found and kept with its bytes."""
    frames = [frame_of(name) for name in "abcde"]
    frames.insert(3, encode_frame(UNREADABLE, NOW_NS + 5, 7))
    for _ in range(2):  # a replay divides under the same names, so nothing is there twice
        writer = segments.store(store, segments.write("s", *frames))

    assert names(store) == ["a", "b", "c", "d", "e"]
    assert (writer.figures().stored, writer.figures().quarantined) == (5, 7)
    rows = store.client().query(
        "SELECT received_ns, signal, reason_code, item_count, hex(bytes) FROM rejected"
    )
    assert rows.result_rows == [
        (NOW_NS + 5, "traces", "unparsable", 7, UNREADABLE.hex().upper()),
    ]


def test_request_that_only_the_store_finds_wrong_is_normalised(
    store: Connections, segments: Segments
) -> None:
    """A oneof twice is legal, the last counts; the store's reader refuses it."""
    segments.store(store, segments.write("s", frame_of("a"), twice_frame("b"), frame_of("c")))

    assert names(store) == ["a", "b", "c"]
    assert store.client().query("SELECT count() FROM rejected").result_rows == [(0,)]


def test_torn_tail_is_left_out(store: Connections, segments: Segments) -> None:
    """What was half written when the process was killed was answered to nobody."""
    half = frame_of("half")[:-3]
    torn = segments.write("torn", frame_of("a"), half)

    writer = segments.store(store, torn, segments.write("empty"), segments.write("half", half))

    assert names(store) == ["a"]
    assert (writer.figures().stored, writer.figures().quarantined) == (1, 0)


def test_damaged_frame_is_quarantined_and_the_rest_stored(
    store: Connections, segments: Segments
) -> None:
    """A bit that flipped on disk cannot be answered any more; it is kept and counted."""
    damaged = bytearray(frame_of("b"))
    damaged[-1] ^= 1

    writer = segments.store(
        store, segments.write("s", frame_of("a"), bytes(damaged), frame_of("c"))
    )

    assert names(store) == ["a", "c"]
    assert writer.figures().stored == 2
    rows = store.client().query("SELECT reason_code, item_count, length(bytes) > 0 FROM rejected")
    assert rows.result_rows[0][0] == "frame_damaged"


def test_store_that_does_not_answer_is_asked_again(store: Connections, segments: Segments) -> None:
    """The same bytes under the same token, however often; the sender has its answer already."""
    segments.store(FlakyStore(store, failures=2), segments.write("s", frame_of("a")))

    assert names(store) == ["a"]


def test_store_that_cannot_be_connected_to_is_asked_again(
    store: Connections, segments: Segments
) -> None:
    """What is acknowledged while the store is away waits in the log; the writer must not end."""
    segments.store(AwayStore(store, failures=2), segments.write("s", frame_of("a")))

    assert names(store) == ["a"]


def test_many_bad_requests_cost_their_neighbours_one_insert_more(
    store: Connections, segments: Segments
) -> None:
    """To look for each first took an insert a step, and one sender held up everyone for minutes."""
    watched = WatchedStore(store)
    frames = [twice_frame(f"{n:02}") if n % 2 else frame_of(f"{n:02}") for n in range(16)]

    segments.store(watched, segments.write("s", *frames))

    assert names(store) == [f"{n:02}" for n in range(16)]
    # Whether a decision was declared, the trace index, the skeletons, the roots and the spans; or
    # the requests and they made anew.
    assert watched.asked == (5 if segments.is_native else 2)


def test_segment_that_cannot_be_deleted_is_stored_once(
    store: Connections, segments: Segments
) -> None:
    """It goes in again, under its name, until its deletion is synced."""
    path = segments.write("s", frame_of("a"))

    segments.store(store, path, disk=FlakyDisk(failures=1))

    assert names(store) == ["a"]


def test_segment_that_somebody_deleted_holds_up_no_other(
    store: Connections, segments: Segments
) -> None:
    """It cannot come back by waiting; what it held is counted as lost in the log of the service."""
    gone = segments.write("gone", frame_of("a"))
    path = segments.write("s", frame_of("b"))
    segments.budget.release(gone.stat().st_size)
    gone.unlink()

    segments.store(store, gone, path)

    assert names(store) == ["b"]


def test_stop_leaves_what_is_not_stored(
    store: Connections, tmp_path: Path, clock: ManualClock
) -> None:
    """A store that is away must not keep a stop from ending."""
    made = Segments(tmp_path, clock)
    path = made.write("s", frame_of("a"))
    flaky = FlakyStore(store, failures=10**9)
    writer = StoreWriter(Signal.TRACES, flaky, made.budget, made.counters, clock, Protection())
    writer.submit(path)
    writer.start()

    assert not writer.drain(0.0)
    writer.stop()

    assert path.exists()


def test_many_days_in_one_segment_are_stored(store: Connections, segments: Segments) -> None:
    """A day is a partition, and the store's default refuses more than a hundred in an insert."""
    frames = [frame_of("day", start_ns=NOW_NS + day * NS_PER_DAY) for day in range(110)]

    segments.store(store, segments.write("s", *frames))

    assert len(names(store)) == 110


def test_outcome_reaches_its_table(store: Connections, segments: Segments) -> None:
    """Log records pass the same way, and what is no outcome is named."""
    good, bad = outcome(outcome_id="o1"), outcome(outcome_id="")
    frame = encode_frame(logs_request(good, bad).SerializeToString(), NOW_NS, 2)

    segments.store(store, segments.write("s", frame), signal=Signal.LOGS)

    client = store.client()
    assert client.query("SELECT outcome_id, toString(margin) FROM outcomes").result_rows == [
        ("o1", "5")
    ]
    assert client.query("SELECT reason_code FROM rejected").result_rows == [("outcome_id_missing",)]
