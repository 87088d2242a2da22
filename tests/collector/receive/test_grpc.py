"""The gRPC receiver over an intake that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import grpc
import pytest

from collector.auth.gate import Gate
from collector.core.config import AttributesConfig, CollectorConfig
from collector.core.counters import Counters
from collector.core.log import configure
from collector.receive.grpc import GrpcReceiver
from collector.receive.pipeline import Intake
from collector.wal.log import Budget
from tests.conftest import ManualClock
from tests.support.builders import span, trace_request
from tests.support.collector.clients import TRACES, WAIT_S

pytestmark = pytest.mark.integration


@pytest.fixture
def counters() -> Counters:
    """Return what the receiver counts."""
    return Counters()


@pytest.fixture
def receiver(clock: ManualClock, counters: Counters) -> Iterator[GrpcReceiver]:
    """Yield one whose intake has no log, so that it fails at whatever has to be logged."""
    budget = Budget(1, counters.wal_bytes, clock)
    intake = Intake({}, budget, 30, AttributesConfig(), counters, clock)
    gate = Gate((), counters, clock)
    running = GrpcReceiver(intake, CollectorConfig(grpc_port=0), gate, counters, clock)
    running.bind()
    running.start()
    yield running
    assert running.stop(WAIT_S).wait(WAIT_S)


def test_request_that_nobody_foresaw_is_counted_logged_and_answered(
    receiver: GrpcReceiver, counters: Counters, capsys: pytest.CaptureFixture[str]
) -> None:
    """UNKNOWN and a traceback told neither the sender nor the operator what to do."""
    configure(json=True)

    with grpc.insecure_channel(f"127.0.0.1:{receiver.port}") as channel:
        call = channel.unary_unary(TRACES, request_serializer=None, response_deserializer=None)
        with pytest.raises(grpc.RpcError) as raised:
            call(trace_request(span()).SerializeToString(), timeout=WAIT_S)

    assert raised.value.code() is grpc.StatusCode.INTERNAL
    assert "failed at this request (KeyError)" in str(raised.value.details())
    labels = {"signal": "traces", "reason": "failed"}
    assert counters.registry.get_sample_value("millworth_refused_total", labels) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "request_failed"
