"""What a sender repeats, and a store or a disk that is away, change no figure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import grpc
import httpx
import pytest
from clickhouse_connect.driver.client import Client

from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.core.disk import Disk
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.builders import decision_span, logs_request, outcome, span, trace_request
from tests.support.collector.clients import LOGS, TRACES, WAIT_S, post
from tests.support.collector.retries import FullDisk

pytestmark = pytest.mark.integration

TIMES = 5
LOG_BYTES = 4_000


class HeldStore(Connections):
    """A store that is away, or takes its time, until a test says otherwise."""

    def __init__(self, store: Connections) -> None:
        super().__init__(store.config)
        self.asked = threading.Event()
        self.is_away = False
        self.may_answer = threading.Event()

    def client(self) -> Client:
        """Fail as `connect` does while it is away, else wait and return the connection."""
        self.asked.set()
        if self.is_away:
            raise StoreUnavailableError("the store did not open")
        assert self.may_answer.wait(WAIT_S)
        return super().client()


@contextmanager
def collecting(
    store: Connections, clock: ManualClock, directory: Path, disk: Disk | None = None
) -> Iterator[tuple[CollectorService, httpx.Client]]:
    """Yield a collector whose every request is a segment, and a client of it."""
    config = CollectorConfig(grpc_port=0, http_port=0, segment_bytes_max=1, wal_bytes_max=LOG_BYTES)
    service = CollectorService(config, store, directory / "wal", Counters(), clock, disk=disk)
    service.start()
    url = f"http://127.0.0.1:{service.http_port}"
    try:
        with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as client:
            yield service, client
    finally:
        service.stop(WAIT_S)


def names(store: Connections) -> list[str]:
    """Return the names of all stored spans."""
    rows = store.client().query("SELECT SpanName FROM otel_traces ORDER BY 1").result_rows
    return [name for (name,) in rows]


def test_batch_sent_five_times_counts_once(
    service: CollectorService, store: Connections, clock: ManualClock
) -> None:
    """An SDK that hears no answer sends again; decisions and dollars must not notice."""
    spans = [decision_span() for _ in range(3)]
    traces = trace_request(*spans).SerializeToString()
    logs = logs_request(outcome(outcome_id="o1"), outcome(outcome_id="o2")).SerializeToString()
    read: list[object] = []
    with grpc.insecure_channel(f"127.0.0.1:{service.grpc_port}") as channel:
        for time in range(TIMES):
            clock.ns += 25 * NS_PER_MINUTE  # a retry that is known by its bytes is not stored
            for path, body in ((TRACES, traces), (LOGS, logs)):
                call = channel.unary_unary(
                    path, request_serializer=None, response_deserializer=None
                )
                call(body, timeout=WAIT_S)
            if time in (0, TIMES - 1):
                assert service.flush(WAIT_S)
                read.append(figures(store))

    assert store.client().query("SELECT count() FROM otel_traces").result_rows == [(3 * TIMES,)]
    assert read[0] == read[1]
    assert read[0] == {"decisions": (3, 3), "outcomes": (2, Decimal(10))}


@pytest.mark.parametrize("is_away", [pytest.param(True, id="away"), pytest.param(False, id="slow")])
def test_store_that_is_behind_costs_nothing_that_was_acknowledged(
    store: Connections, clock: ManualClock, tmp_path: Path, is_away: bool
) -> None:
    """Senders hear yes until the log is full, then when to come back; the store gets every yes."""
    held = HeldStore(store)
    held.is_away = is_away
    acknowledged: list[str] = []
    with collecting(held, clock, tmp_path) as (service, client):
        while True:
            name = f"{len(acknowledged):04}"
            answer = post(client, trace_request(span(name=name)))
            if answer.status_code != 200:
                break
            acknowledged.append(name)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        clock.ns += 7 * NS_PER_S
        answer = post(client, trace_request(span(name="refused")))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
        assert held.asked.wait(WAIT_S)
        held.is_away = False
        held.may_answer.set()
        assert service.flush(WAIT_S)
        assert post(client, trace_request(span(name="later"))).status_code == 200
        assert service.flush(WAIT_S)

    assert len(acknowledged) > 3
    assert names(store) == [*acknowledged, "later"]


def test_full_disk_acknowledges_nothing_and_is_used_again(
    store: Connections, clock: ManualClock, tmp_path: Path
) -> None:
    """A sender keeps what the disk cannot; once there is room nothing has to be started anew."""
    disk = FullDisk()
    with collecting(store, clock, tmp_path, disk) as (service, client):
        refused = post(client, trace_request(span(name="full")))
        assert service.status().spans_acked == 0
        disk.is_full = False
        taken = post(client, trace_request(span(name="room")))
        assert service.flush(WAIT_S)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert taken.status_code == 200
    assert names(store) == ["room"]


def figures(store: Connections) -> dict[str, tuple[object, ...]]:
    """Return what a reader makes its figures from."""
    client = store.client()
    queries = {
        "decisions": "SELECT count(), uniqExact(decision_id) FROM decisions FINAL",
        "outcomes": "SELECT count(), sum(margin) FROM outcomes FINAL",
    }
    return {name: tuple(client.query(query).result_rows[0]) for name, query in queries.items()}
