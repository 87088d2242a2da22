"""I/O: a rehearsal: a fault is put on a path, and Millworth has to say what it was.

The whole service runs on a store of its own, between two network namespaces that are made for it
and removed. A small decision path calls over a forwarder, first a sound one, then with the fault.
What the forwarder did to each packet is in its own log: that is the truth.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.errors import CaptureError
from collector.core.times import NS_PER_MS, NS_PER_S
from dashboard.demo.drill_report import Drill, SentDecision, StoredDecision, judge
from dashboard.demo.own_service import add_span, own_service, put, rows, scope_of, send
from dashboard.service.process import Service
from packet.lab.drill_ends import ids
from packet.lab.network import Impairment, SlowPath, slow_path

SOUND: Final = Impairment(delay_ns=NS_PER_MS // 5)
_ENDS: Final = "packet.lab.drill_ends"
_STILL_NS: Final = 45 * NS_PER_S
_CHECK_S: Final = 0.5
_EDGE_NS: Final = 20_000  # of the root around its call

_ATTRIBUTED: Final = """
SELECT trace_id, [
    ingress_network_ns, ingress_compute_ns, ingress_store_ns, ingress_untraced_ns,
    transform_network_ns, transform_compute_ns, transform_store_ns, transform_untraced_ns,
    decision_network_ns, decision_compute_ns, decision_store_ns, decision_untraced_ns,
    egress_network_ns, egress_compute_ns, egress_store_ns, egress_untraced_ns]
FROM attributions FINAL
"""
_PARTS: Final = (
    "rtt", "handshake", "transfer", "retransmission", "zero_window", "host_queue", "unexplained",
)  # fmt: skip
_PROVED: Final = """
SELECT decision_id, [
    sum(rtt_ns), sum(handshake_ns), sum(transfer_ns), sum(retransmission_ns), sum(zero_window_ns),
    sum(host_queue_ns), sum(unexplained_ns)]
FROM path_evidence FINAL WHERE class = 'network' AND method = 'packets' GROUP BY decision_id
"""
_LINKED: Final = "SELECT trace_id, toString(method), confidence FROM span_flows FINAL"


def run_drill(fault: Impairment, decisions: int, progress: Callable[[str], None]) -> Drill:
    """Rehearse one fault; as many decisions over the sound path and with it.

    Raises:
        CaptureError: no namespaces, or no recorder, can be had here; the message has the remedy.
    """
    with slow_path(SOUND) as path:
        packet = {
            "interface": path.a.interface,
            "memory_mib": 64,
            "settle_s": 1.0,
            # A drill is short, and every packet of it is looked at.
            "sample_ratio": 1.0,
            "budget_ratio": 1.0,
        }
        with own_service(packet=packet, attribution={"settle_s": 2.0}) as service:
            with path.a.entered():
                service.start_packets()
            if service.recorder is None:
                raise CaptureError("drill: packets cannot be recorded here; see the log above")
            sent, fault_ns = _traffic(service, path, fault, decisions, progress)
            _send(service, sent)
            stored = _stored_decisions(service, sent, progress)
        return judge(sent, stored, path.log(), fault_ns)


def _traffic(
    service: Service,
    path: SlowPath,
    fault: Impairment,
    decisions: int,
    progress: Callable[[str], None],
) -> tuple[list[SentDecision], int]:
    """Make decisions over the sound path, then with the fault; return when that began, too."""
    fault_ns = 0
    asked: list[list[Any]] = []
    server = path.b.started(_ENDS, "server", path.b.address)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        for first, impairment in ((1, SOUND), (1 + decisions, fault)):
            path.impair(impairment)
            fault_ns = service.clock.now_ns()
            progress(f"{decisions} decisions {'with the fault' if first > 1 else 'without it'}")
            numbers = map(str, (port, first, decisions))
            client = path.a.started(_ENDS, "client", path.b.address, *numbers)
            asked += _lines(client)
            if client.wait():
                raise CaptureError(f"drill: the caller gave up after {len(asked)} decisions")
        # What is acknowledged late must not be lost with the path.
        path.impair(SOUND)
    finally:
        assert server.stdin is not None
        server.stdin.close()
        served = {trace_id: times for trace_id, *times in _lines(server)}
        server.wait()
    return [SentDecision(*each, *served[each[0]]) for each in asked], fault_ns


def _lines(process: subprocess.Popen[bytes]) -> list[list[Any]]:
    assert process.stdout is not None
    with process.stdout as lines:
        return [json.loads(line) for line in lines]


def _send(service: Service, sent: Sequence[SentDecision]) -> None:
    """Send three spans a decision, as an SDK does: none of them names a port."""
    message = ExportTraceServiceRequest()
    front, pricer = scope_of(message, "drill-front"), scope_of(message, "drill-pricer")
    for decision in sent:
        number = int(decision.trace_id, 16)
        _, caller_id, callee_id = ids(number)
        trace_id, root_id = bytes.fromhex(decision.trace_id), number.to_bytes(8, "big")
        caller, callee = bytes.fromhex(caller_id), bytes.fromhex(callee_id)
        root = add_span(front, trace_id, root_id, b"", Span.SPAN_KIND_SERVER, "decide")
        call = add_span(front, trace_id, caller, root_id, Span.SPAN_KIND_CLIENT, "GET /price")
        answer = add_span(pricer, trace_id, callee, caller, Span.SPAN_KIND_SERVER, "GET /price")
        put(root.attributes, "decision.action", "drill")
        put(call.attributes, "http.request.method", "GET")
        for span, start_ns, end_ns in (
            (root, decision.start_ns - _EDGE_NS, decision.end_ns + _EDGE_NS),
            (call, decision.start_ns, decision.end_ns),
            (answer, decision.served_start_ns, decision.served_end_ns),
        ):
            span.start_time_unix_nano, span.end_time_unix_nano = start_ns, end_ns
    send(service, message)


def _stored_decisions(
    service: Service, sent: Sequence[SentDecision], progress: Callable[[str], None]
) -> dict[str, StoredDecision]:
    """Wait until every decision is attributed and has its evidence, or nothing moves for long."""
    waiting = threading.Event()
    counts, moved_ns = (-1, -1), service.clock.monotonic_ns()
    while min(counts) < len(sent) and service.clock.monotonic_ns() - moved_ns < _STILL_NS:
        waiting.wait(_CHECK_S)
        attributed, proved = rows(service, _ATTRIBUTED), rows(service, _PROVED)
        if (len(attributed), len(proved)) != counts:
            counts, moved_ns = (len(attributed), len(proved)), service.clock.monotonic_ns()
            progress(f"{counts[0]} of {len(sent)} are attributed, {counts[1]} have evidence")
    parts = {str(name): dict(zip(_PARTS, ns, strict=True)) for name, ns in proved}
    links = defaultdict(list)
    for trace_id, method, confidence in rows(service, _LINKED):
        links[trace_id].append((method, confidence))
    return {
        str(name): StoredDecision(tuple(ns), parts.get(str(name), {}), tuple(links[name]))
        for name, ns in attributed
    }
