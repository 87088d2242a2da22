"""kill -9 at any moment: what was acknowledged is in the store, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from collector.clock import SystemClock
from tests.builders import decision_span, new_span_id, trace_request

pytestmark = pytest.mark.integration

ROUNDS = 3
ANSWERS_BEFORE_THE_KILL = 40
WAIT_S = 60
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@contextmanager
def started(command: str, directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a collector over `directory`; it is gone at the end, whatever happens."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.collector.crash_child", command, str(directory)],
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def heard(child: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a child says next."""
    assert child.stdout is not None
    message: dict[str, Any] = json.loads(child.stdout.readline())
    return message


def send_until_killed(child: subprocess.Popen[str], port: int) -> tuple[set[str], set[str]]:
    """Send from several threads; kill after some answers; return ids sent and ids answered."""
    sent: set[str] = set()
    answered: set[str] = set()
    enough = threading.Event()
    now_ns = SystemClock().now_ns()

    def send() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)
            while True:
                ids = [new_span_id() for _ in range(5)]
                spans = [decision_span(span_id=span_id, start_ns=now_ns) for span_id in ids]
                sent.update(ids)
                try:
                    call(trace_request(*spans).SerializeToString(), timeout=WAIT_S)
                except grpc.RpcError:
                    return
                answered.update(ids)
                if len(answered) >= ANSWERS_BEFORE_THE_KILL * len(ids):
                    enough.set()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(WAIT_S)
    os.kill(child.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    child.wait()
    return sent, answered


def test_kill_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    """Each round kills a collector under load, and the next one finds its log and its store."""
    sent: set[str] = set()
    answered: set[str] = set()
    for _ in range(ROUNDS):
        with started("serve", tmp_path) as child:
            now_sent, now_answered = send_until_killed(child, heard(child)["port"])
        sent |= now_sent
        answered |= now_answered
    with started("report", tmp_path) as child:
        report = heard(child)

    assert (report["drained"], report["left"]) == (True, 0)
    stored = report["spans"]
    assert len(stored) == len(set(stored)), "a span is stored twice"
    assert answered - set(stored) == set(), "an acknowledged span is lost"
    assert set(stored) <= sent
    assert report["decisions"] == stored
