"""`millworth up` under a service manager: ready, watched, and stopped while senders send."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from tests.support.builders import span, trace_request
from tests.support.collector.clients import PROTOBUF, TRACES, WAIT_S
from tests.support.notified import listening, waiting
from tests.support.service import RunningService, ended_within, millworth

pytestmark = pytest.mark.integration

SPANS = 20
BEFORE_STOP = 30
INSTANTS = 20
AT_ONCE = 4
END_S = 120


class Sender:
    """Sends one request after the other until nobody answers; keeps what was acknowledged."""

    def __init__(self, name: str, send: Callable[[bytes], bool], enough: threading.Barrier) -> None:
        self.acknowledged: list[str] = []
        self._name = name
        self._send = send
        self._enough = enough
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        clock = SystemClock()
        for number in range(1_000_000):
            request = f"{self._name}-{number}"
            now_ns = clock.now_ns()
            spans = [
                span(name=request, start_ns=now_ns - 1000, end_ns=now_ns) for _ in range(SPANS)
            ]
            if not self._send(trace_request(*spans).SerializeToString()):
                return
            self.acknowledged.append(request)
            if number == BEFORE_STOP:
                self._enough.wait(WAIT_S)


def test_stop_under_load_stores_all_that_was_acknowledged(tmp_path: Path) -> None:
    """systemctl restart in the middle of the day: no sender was told yes for nothing."""
    address = str(tmp_path / "notify")
    with listening(address) as manager:
        watch = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"}
        with RunningService(tmp_path, **watch) as service:
            ports = service.ready
            assert manager.recv(4096).startswith(b"READY=1\nSTATUS=OTLP on 127.0.0.1:")
            assert manager.recv(4096) == b"WATCHDOG=1"
            enough = threading.Barrier(3)
            with (
                grpc.insecure_channel(f"127.0.0.1:{ports['grpc_port']}") as channel,
                httpx.Client(trust_env=False, timeout=WAIT_S) as client,
            ):
                senders = [
                    Sender("grpc", by_grpc(channel), enough),
                    Sender("http", by_http(client, ports["http_port"]), enough),
                ]
                for sender in senders:
                    sender.thread.start()
                enough.wait(WAIT_S)
                service.process.terminate()
                for sender in senders:
                    sender.thread.join()
            assert service.process.wait(WAIT_S) == 0
        said = [message.splitlines()[0] for message in waiting(manager)]
    assert said[-1] == b"STOPPING=1"
    assert set(said[:-1]) <= {b"WATCHDOG=1"}
    sql = "SELECT SpanName, count() FROM otel_traces GROUP BY SpanName"
    answer = millworth("query", sql, **service.environment)
    stored = dict(json.loads(line).values() for line in answer.stdout.splitlines())
    acknowledged = [name for sender in senders for name in sender.acknowledged]
    assert len(acknowledged) > 2 * BEFORE_STOP
    assert {name: stored.get(name) for name in acknowledged} == dict.fromkeys(acknowledged, SPANS)


def test_what_the_service_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    """Decisions, packets and keys lie there; a common umask of 022 lets every user read them."""
    before = os.umask(0o022)
    try:
        with RunningService(tmp_path) as service, httpx.Client(trust_env=False) as client:
            body = trace_request(span()).SerializeToString()
            assert by_http(client, service.ready["http_port"])(body)
            service.process.terminate()
            assert service.process.wait(WAIT_S) == 0
    finally:
        os.umask(before)
    data = Path(service.environment["MILLWORTH__STORE__URL"].removeprefix("chdb://")).parent
    ours = {tmp_path / "service.log"}
    written = [path for path in data.rglob("*") if not path.is_symlink() and path not in ours]
    assert {"store", "wal", "alerts.sqlite"} <= {path.name for path in written}
    opened = [path for path in written if path.stat().st_mode & 0o077]
    assert opened == []


@pytest.mark.timeout(900)  # 20 starts
def test_sigterm_at_any_instant_of_the_start_ends_the_process(tmp_path: Path) -> None:
    """A service that does not hear it is killed by its manager, in the middle of what it does."""
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    with RunningService(tmp_path):
        start_s = (clock.monotonic_ns() - began_ns) / NS_PER_S
    draw = random.Random(13)
    # Twice as long as a start takes alone, since several begin at once here; one of each part.
    instants = [(n + draw.random()) / INSTANTS * 2 * start_s for n in range(INSTANTS)]
    directories = [tmp_path / str(number) for number in range(AT_ONCE)]
    lanes = [(path, instants[n::AT_ONCE]) for n, path in enumerate(directories)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = [
            code for lane in pool.map(lambda lane: told_to_stop(*lane), lanes) for code in lane
        ]

    assert len(codes) == INSTANTS
    assert set(codes) <= {0, -signal.SIGTERM}, codes
    assert {0, -signal.SIGTERM} <= set(codes), "before and after it listens to signals"


def told_to_stop(directory: Path, instants: Sequence[float]) -> list[int]:
    """Start a service anew for each instant, and return how each ended that was told then."""
    directory.mkdir()
    codes = []
    for instant in instants:
        with RunningService(directory).begin() as process:
            pidfd = os.pidfd_open(process.pid)
            try:
                assert not ended_within(pidfd, instant)
                process.terminate()
                assert ended_within(pidfd, END_S), f"told to stop {instant:.3f} s after its begin"
            finally:
                process.kill()  # nothing, where it has ended
                os.close(pidfd)
        codes.append(process.returncode)
    return codes


def by_grpc(channel: grpc.Channel) -> Callable[[bytes], bool]:
    """Return a call that says whether it was acknowledged."""
    export = channel.unary_unary(TRACES, None, None)

    def send(body: bytes) -> bool:
        try:
            export(body, timeout=WAIT_S)
        except grpc.RpcError:
            return False
        return True

    return send


def by_http(client: httpx.Client, port: int) -> Callable[[bytes], bool]:
    """Return a request that says whether it was acknowledged."""

    def send(body: bytes) -> bool:
        try:
            url = f"http://127.0.0.1:{port}/v1/traces"
            return client.post(url, content=body, headers={"content-type": PROTOBUF}).is_success
        except httpx.HTTPError:
            return False

    return send
