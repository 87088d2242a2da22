from __future__ import annotations

from pathlib import Path

import httpx

from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, new_trace_id, outcome, trace_request
from tests.support.builders import logs_request as records
from tests.support.collector.clients import WAIT_S


def test_slow_answer_and_slow_insert_name_a_trace_to_look_at(
    store: Connections, clock: ManualClock, tmp_path: Path
) -> None:
    """From a bucket of latency one click leads to what was in that request; log records have no
    trace of their own, and their buckets no example."""
    counters = Counters()
    config = CollectorConfig(grpc_port=0, http_port=0)
    service = CollectorService(config, store, tmp_path / "wal", counters, clock)
    service.start()
    trace_id = new_trace_id()
    url = f"http://127.0.0.1:{service.http_port}/v1/"
    headers = {"content-type": "application/x-protobuf"}
    with httpx.Client(timeout=WAIT_S, trust_env=False, headers=headers) as client:
        traces = trace_request(decision_span(trace_id=trace_id)).SerializeToString()
        assert client.post(f"{url}traces", content=traces).status_code == 200
        logs = records(outcome()).SerializeToString()
        assert client.post(f"{url}logs", content=logs).status_code == 200
    flow = {str(signal): each for signal, each in service.flow().items()}
    assert flow["traces"].newest_ns == flow["traces"].unstored_ns == NOW_NS
    assert flow["traces"].unlogged_ns is flow["metrics"].newest_ns is None
    assert service.stored_ns() == NOW_NS - 1
    assert service.flush(WAIT_S)
    assert service.stored_ns() == NOW_NS
    service.stop(drain_seconds=WAIT_S)

    examples = {
        (sample.name, sample.labels["signal"]): sample.exemplar.labels
        for metric in (counters.ack_seconds, counters.insert_seconds)
        for family in metric.collect()
        for sample in family.samples
        if sample.exemplar is not None
    }
    assert examples == {
        ("millworth_ack_seconds_bucket", "traces"): {"trace_id": trace_id},
        ("millworth_insert_seconds_bucket", "traces"): {"trace_id": trace_id},
    }
