"""I/O: `millworth bench reconstruction`: incidents that the service has to notice, and rebuild.

The whole service runs: spans go in over OTLP, decisions are attributed, alerts judge them, what
fires asks the recorder, and packets are kept. Whether an incident is rebuilt is not the service's
word but the traffic's own record: of every request that the incident touched, each byte of the
request and of the response has to be among the packets that were kept.
"""

from __future__ import annotations

import json
import random
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.bench.harness import Progress
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from dashboard.demo.own_service import add_span, own_service, put, rows, scope_of, send
from dashboard.service.process import Service
from packet.bench.incidents import (
    GO,
    HOLD,
    REQUEST_BYTES,
    RESPONSE_BYTES,
    FinishedRequest,
    incident_sizes,
)
from packet.lab.network import Cable, cable

INCIDENTS = 200
SMALLEST, LARGEST = 50, 2_000
SEED = 20261125
# Plain consistent sampling as the article has it: one flow or trace in a thousand, for ever.
PLAIN_RATIO = 0.001
_HOUR_S = 3_600
_STILL_NS = NS_PER_MINUTE
_CHECK_S = 0.5
# The traffic waits while the service is further behind than this: incidents come once an hour and
# not one a second, so how much of them a busy machine can do at once is not what is measured.
_BEHIND_NS = 8 * NS_PER_S
# No request for so long, of 500 a second: it waits. That time is none of the measured rate.
_WAITING_NS = NS_PER_S
_ATTRIBUTED = "SELECT max(ingress_ns) FROM attributions"
_SLACK_NS = NS_PER_MS  # the record's stamps are taken around the calls that send and receive
_ENDS = "packet.bench.incidents"

# An alert on the ordinary requests, which a stalled machine makes late, is of no incident.
_CLOSED = (
    "SELECT uniqExact(trigger_id), uniqExactIf(trigger_id, trigger_id IN "
    "(SELECT trigger_id FROM reconstructions WHERE cause = 'alert')) "
    "FROM capture_requests FINAL WHERE region != 'base'"
)
_ALERTS = (
    "SELECT uniqExact(region), uniqExactIf(region, region = 'base') FROM capture_requests FINAL"
)
_SPENT = (
    "SELECT sum(seen_bytes), sum(sampled_bytes), sum(pulled_bytes), sum(dumped_bytes), "
    "sum(refused_bytes) FROM packet_budget FINAL"
)


_SETTINGS: Final[dict[str, dict[str, object]]] = {
    # Half of the answer's delay: ordinary answers of a busy machine are below it.
    "attribution": {"settle_s": 2.0, "reference_latency_ms": 30.0},
    "alerts": {
        "interval_s": 1.0,
        "lateness_s": 4.0,
        "rules": [
            {
                "name": "burn",
                "live": True,
                "budget_usd": 1000.0,
                # Windows that are longer than a busy machine falls behind.
                "tiers": [{"budget_share": 0.0005, "long_window_s": 120, "short_window_s": 60}],
                "keep_firing_s": 5.0,
            }
        ],
    },
}


@dataclass(frozen=True, slots=True)
class _Truth:
    """What the traffic says of one finished request."""

    done: FinishedRequest
    trace_id: str


def run_reconstruction(
    runs: int, progress: Progress, incidents: int = INCIDENTS, largest: int = LARGEST
) -> dict[str, float]:
    """Return how many incidents were rebuilt completely, and what was kept for it.

    `runs` changes nothing: the incidents are the sample, and 200 of them are one run.
    """
    sizes = incident_sizes(incidents, SEED, SMALLEST, largest)
    progress(f"{incidents} incidents of {min(sizes)} to {max(sizes)} requests, {sum(sizes)} in all")
    with cable() as wire:
        packet = {"interface": wire.a.interface, "memory_mib": 512}
        with own_service(packet=packet, **_SETTINGS) as service:
            with wire.b.serving(_ENDS) as port:
                with wire.a.entered():
                    service.start_packets()
                truths = _traffic(service, wire, port, incidents, largest, progress)
            _drain(service, incidents, progress)
            return _figures(service, truths, sizes, port)


def _traffic(
    service: Service, wire: Cable, port: int, incidents: int, largest: int, progress: Progress
) -> list[_Truth]:
    """Run the client to its end; what it reports is sent on as spans, and returned."""
    drawn = random.Random(SEED)  # noqa: S311  seeded trace ids, not secrets
    truths: list[_Truth] = []
    numbers = map(str, (port, incidents, SEED, SMALLEST, largest))
    client = wire.a.started(_ENDS, "client", wire.b.address, *numbers)
    assert client.stdin is not None
    assert client.stdout is not None
    newest, is_held, looked_ns = -1, False, service.clock.monotonic_ns()
    for line in client.stdout:
        batch = [
            _Truth(FinishedRequest(*fields), f"{drawn.getrandbits(128):032x}")
            for fields in json.loads(line)
        ]
        truths += batch
        if batch:
            send(service, _spans(batch, port, wire.b.address))
        if service.clock.monotonic_ns() - looked_ns > NS_PER_S:
            looked_ns = service.clock.monotonic_ns()
            if is_held != (_behind_ns(service, truths) > _BEHIND_NS):
                is_held = not is_held
                client.stdin.write(HOLD if is_held else GO)
                client.stdin.flush()
        reached = max((truth.done.incident for truth in batch), default=-1)
        if reached // 20 > newest // 20:
            progress(f"incident {reached + 1} of {incidents}, {len(truths)} requests")
        newest = max(newest, reached)
    client.stdin.close()
    client.stdout.close()
    assert client.wait() == 0
    return truths


def _behind_ns(service: Service, truths: Sequence[_Truth]) -> int:
    """Return how far whatever is furthest behind the traffic is: attribution, alerts, packets."""
    if not truths:
        return 0
    (row,) = rows(service, _ATTRIBUTED)
    attributed_ns = int(row[0]) or truths[0].done.start_ns
    behind = [truths[-1].done.end_ns - attributed_ns]
    for job in ("alerts", "packets"):
        done_ns = service.done_ns(job)
        if done_ns is not None:
            behind.append(service.clock.now_ns() - done_ns)
    return max(behind)


def _spans(batch: Sequence[_Truth], port: int, address: str) -> ExportTraceServiceRequest:
    """Return a decision and its call for each request, as an SDK would send them."""
    message = ExportTraceServiceRequest()
    scope = scope_of(message, "shop")
    for truth in batch:
        done, trace_id = truth.done, bytes.fromhex(truth.trace_id)
        region = "base" if done.incident < 0 else f"incident-{done.incident}"
        root = add_span(scope, trace_id, trace_id[:8], b"", Span.SPAN_KIND_SERVER, "decide")
        root.start_time_unix_nano = done.start_ns - 50_000
        root.end_time_unix_nano = done.end_ns + 50_000
        put(root.attributes, "decision.action", "price")
        put(root.attributes, "decision.region", region)
        put(root.attributes, "decision.value_usd", "100")
        parent = trace_id[:8]
        call = add_span(scope, trace_id, trace_id[8:], parent, Span.SPAN_KIND_CLIENT, "call")
        call.start_time_unix_nano, call.end_time_unix_nano = done.start_ns, done.end_ns
        put(call.attributes, "network.peer.address", address)
        put(call.attributes, "network.peer.port", port)
        put(call.attributes, "network.local.port", done.port)
    return message


def _drain(service: Service, incidents: int, progress: Progress) -> None:
    """Wait until every incident's request is closed, or none has moved for a minute.

    A machine that is shared falls behind; how far is not what is measured here.
    """
    waiting = threading.Event()
    seen, moved_ns = (-1, -1), service.clock.monotonic_ns()
    while seen[1] < incidents and service.clock.monotonic_ns() - moved_ns < _STILL_NS:
        waiting.wait(_CHECK_S)
        (row,) = rows(service, _CLOSED)
        found = int(row[0]), int(row[1])
        if found != seen:
            seen, moved_ns = found, service.clock.monotonic_ns()
    progress(f"{seen[0]} requests to the recorder, {seen[1]} are closed")


def _figures(
    service: Service, truths: Sequence[_Truth], sizes: Sequence[int], port: int
) -> dict[str, float]:
    by_incident: dict[int, list[_Truth]] = defaultdict(list)
    for truth in truths:
        by_incident[truth.done.incident].append(truth)
    payload = _Payload.of(service, port)
    whole = {truth.trace_id for truth in truths if payload.has_all(truth.done)}
    rebuilt = plain = 0
    for incident, size in enumerate(sizes):
        touched = by_incident[incident]
        assert len(touched) == size
        rebuilt += all(truth.trace_id in whole for truth in touched)
        plain += any(_plain_keeps(truth.trace_id) for truth in touched)
    (alerts,) = rows(service, _ALERTS)
    (spent,) = rows(service, _SPENT)
    seen, sampled, pulled, dumped, refused = (int(value) for value in spent)
    config = service.settings.packet
    elapsed_s = _flowing_s(truths)
    an_hour = seen / elapsed_s * _HOUR_S
    assert service.recorder is not None
    stats = service.recorder.stats()
    return {
        "incidents": len(sizes),
        "detected": int(alerts[0]) - int(alerts[1]),
        "false_alarms": int(alerts[1]),
        "rebuilt_ratio": rebuilt / len(sizes),
        "plain_rebuilt_ratio": plain / len(sizes),
        # One incident an hour, beside what is kept all the time. Of the sample that is the share
        # that was set: a few minutes of one pool draw no connection or one, `sampled_ratio`.
        "retained_ratio": config.sample_ratio
        + max(pulled / seen, config.trace_ratio)
        + dumped / len(sizes) / an_hour,
        "sampled_ratio": sampled / seen,
        "pulled_ratio": pulled / seen,
        "raw_retained_ratio": (sampled + pulled + dumped) / seen,
        "dumped_bytes_an_incident": dumped / len(sizes),
        "seen_bytes_per_s": seen / elapsed_s,
        "refused_bytes": refused,
        "requests": sum(sizes),
        "requests_whole": sum(
            truth.trace_id in whole for truth in truths if truth.done.incident >= 0
        ),
        "kernel_drops": stats.kernel_drops,
    }


def _flowing_s(truths: Sequence[_Truth]) -> float:
    """Return for how long requests were sent, without the time in which they were held."""
    gaps_ns = np.diff(np.sort([truth.done.start_ns for truth in truths]))
    return float(gaps_ns[gaps_ns < _WAITING_NS].sum()) / NS_PER_S


def _plain_keeps(trace_id: str) -> bool:
    """Return whether a sample of one in a thousand keeps a trace, by OpenTelemetry's rule."""
    return int(trace_id[18:], 16) >= round((1 - PLAIN_RATIO) * 2**56)


@dataclass(frozen=True, slots=True, eq=False)
class _Payload:
    """The kept packets that carry payload, by the client's port and time."""

    of_port: dict[int, tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]]

    @classmethod
    def of(cls, service: Service, server_port: int) -> _Payload:
        """Read them all."""
        table = service.store.client().query_arrow(
            "SELECT ts_ns, if(src_port = {server:UInt16}, dst_port, src_port) AS client, "
            "src_port, payload_bytes FROM packets FINAL WHERE payload_bytes > 0 "
            "ORDER BY client, ts_ns",
            parameters={"server": server_port},
        )
        ts_ns, client, source, payload = (
            table.column(name).to_numpy()
            for name in ("ts_ns", "client", "src_port", "payload_bytes")
        )
        ports, starts = np.unique(client, return_index=True)
        found = {}
        for port, places in zip(
            ports.tolist(), np.split(np.arange(len(client)), starts[1:]), strict=True
        ):
            sent = np.where(source[places] == port, payload[places], 0).astype(np.int64)
            came = np.where(source[places] == port, 0, payload[places]).astype(np.int64)
            found[port] = (ts_ns[places], np.r_[0, sent.cumsum()], np.r_[0, came.cumsum()])
        return cls(found)

    def has_all(self, done: FinishedRequest) -> bool:
        """Return whether each byte of a request and of its response is among them."""
        if done.port not in self.of_port:
            return False
        ts_ns, sent, came = self.of_port[done.port]
        begin = np.searchsorted(ts_ns, np.uint64(done.start_ns - _SLACK_NS))
        end = np.searchsorted(ts_ns, np.uint64(done.end_ns + _SLACK_NS), side="right")
        return bool(
            sent[end] - sent[begin] >= REQUEST_BYTES and came[end] - came[begin] >= RESPONSE_BYTES
        )
