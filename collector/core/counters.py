"""I/O: our own health in numbers: received, refused, dropped, stored, and how far jobs have come.

One registry a service, passed in, so that two services in one test do not share figures.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from collector.core.log import lines_lost

# The budget of an answer is 15 ms at 30,000 spans a second.
ACK_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counters:
    """Every figure that the service exports on `/metrics`, prefixed `millworth_`."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        r = self.registry
        self._count_intake(r)
        self._count_doors(r)
        self._count_store(r)
        self._count_rooms(r)
        self._count_packets(r)
        self._count_promises(r)

    def _count_intake(self, r: CollectorRegistry) -> None:
        self.received = Counter(
            "millworth_received",
            "Items that arrived, acknowledged or not",
            ["signal", "transport"],
            registry=r,
        )
        self.acknowledged = Counter(
            "millworth_acknowledged",
            "Items answered OK after the write-ahead log was synced",
            ["signal"],
            registry=r,
        )
        self.repeated = Counter(
            "millworth_repeated",
            "Requests that came again and were answered as the first time, without being stored",
            ["signal"],
            registry=r,
        )
        self.refused = Counter(
            "millworth_refused",
            "Items or requests refused, by reason",
            ["signal", "reason"],
            registry=r,
        )
        self.ack_seconds = Histogram(
            "millworth_ack_seconds",
            "Time from the body of a request to its answer, sync included",
            ["signal", "transport"],
            buckets=ACK_BUCKETS,
            registry=r,
        )

    def _count_doors(self, r: CollectorRegistry) -> None:
        self.admitted = Counter(
            "millworth_admitted",
            "Requests let in by a token, by its name",
            ["listener", "sender"],
            registry=r,
        )
        self.denied = Counter(
            "millworth_denied",
            "Requests not let in: missing, unknown, expired, scope, rate",
            ["listener", "sender", "reason"],
            registry=r,
        )
        self.connections_refused = Counter(
            "millworth_connections_refused",
            "Connections ended by us, by reason",
            ["listener", "reason"],
            registry=r,
        )
        self.certificate_expires = Gauge(
            "millworth_certificate_expires_seconds",
            "Unix time at which the certificate in use expires",
            ["section"],
            registry=r,
        )

    def _count_store(self, r: CollectorRegistry) -> None:
        self.stored = Counter(
            "millworth_stored", "Items inserted into the store", ["signal"], registry=r
        )
        self.quarantined = Counter(
            "millworth_quarantined",
            "Items kept in `rejected` instead, by reason",
            ["signal", "reason"],
            registry=r,
        )
        self.rewritten = Counter(
            "millworth_rewritten",
            "Requests in which personal data was replaced or dropped before the log",
            ["signal"],
            registry=r,
        )
        self.identifiers_changed = Counter(
            "millworth_identifiers_changed",
            "Values replaced or dropped as personal data, by attribute and by rule or pattern",
            ["attribute", "by"],
            registry=r,
        )
        self.replayed = Counter(
            "millworth_replayed",
            "Rejected items that were replayed, by what became of them",
            ["signal", "result"],
            registry=r,
        )
        self.insert_seconds = Histogram(
            "millworth_insert_seconds", "Time of one insert into the store", ["signal"], registry=r
        )
        self.wal_bytes = Gauge(
            "millworth_wal_bytes", "Bytes acknowledged and not yet in the store", registry=r
        )
        self.events_over_budget = Counter(
            "millworth_decision_events_over_budget",
            "Decision events over 512 bytes, by service",
            ["service"],
            registry=r,
        )
        self.event_bytes_max = Gauge(
            "millworth_decision_event_bytes_max",
            "Largest of those since the start",
            ["service"],
            registry=r,
        )
        self.provenance_events = Counter(
            "millworth_provenance_events",
            "Sealed events judged, by verdict",
            ["verdict"],
            registry=r,
        )

        self.provenance_withdrawn = Counter(
            "millworth_provenance_withdrawn",
            "Decisions taken out of every sum for what their seals say",
            registry=r,
        )

    def _count_promises(self, r: CollectorRegistry) -> None:
        self.calibration_decisions = Gauge(
            "millworth_calibration_decisions",
            "Decisions with a known delay that the ratios below rest on",
            registry=r,
        )
        self.calibration_right_ratio = Gauge(
            "millworth_calibration_right_segment_ratio",
            "Share of known delays that attribution gave to the segment that suffered them",
            registry=r,
        )
        self.calibration_error_ratio = Gauge(
            "millworth_calibration_error_ratio",
            "Share of a known delay that went to other segments, 99th percentile",
            registry=r,
        )
        self.budget_quantile_seconds = Gauge(
            "millworth_budget_quantile_seconds",
            "Latency of the decisions of a budget, by quantile",
            ["budget", "quantile"],
            registry=r,
        )
        self.budget_missed = Gauge(
            "millworth_budget_missed",
            "1 where a budget is missed, 0 where it is met, NaN where that is unclear",
            ["budget"],
            registry=r,
        )

    def _count_rooms(self, r: CollectorRegistry) -> None:
        self._add_access(r)
        self.worker_deaths = Counter(
            "millworth_worker_deaths",
            "Times that a thread ended with an error and was begun again",
            ["worker"],
            registry=r,
        )
        self.log_lines_lost = Gauge(
            "millworth_log_lines_lost",
            "Log lines that standard error did not take, since the start of the process",
            registry=r,
        )
        self.log_lines_lost.set_function(lines_lost)
        self.job_runs = Counter(
            "millworth_job_runs", "Runs of a job", ["job", "result"], registry=r
        )
        self.job_seconds = Histogram(
            "millworth_job_seconds", "Time of one run of a job", ["job"], registry=r
        )
        self.webhooks = Counter(
            "millworth_webhooks", "Webhook deliveries, by result", ["result"], registry=r
        )

    def _count_packets(self, r: CollectorRegistry) -> None:
        self.packets_recorded = Gauge(
            "millworth_packets_recorded", "Packets held in the recorder's memory", registry=r
        )
        self.packets_dropped = Gauge(
            "millworth_packets_dropped",
            "Packets the kernel dropped before the recorder",
            registry=r,
        )
        self.recorder_restarts = Counter(
            "millworth_recorder_restarts",
            "Times that the packet recorder had ended and was started anew",
            registry=r,
        )
        self.contexts_found = Gauge(
            "millworth_packet_contexts_found",
            "Requests on the wire that carried a trace context, since the recorder's start",
            registry=r,
        )
        self.requests_unsearched = Gauge(
            "millworth_packet_requests_unsearched",
            "Requests that were not searched for a trace context: too many at once",
            registry=r,
        )
        self.wire_bytes = Counter(
            "millworth_wire_bytes", "Bytes on the wire, all packets counted", registry=r
        )
        self.wire_retransmissions = Counter(
            "millworth_wire_retransmissions", "TCP segments seen a second time", registry=r
        )
        self.microbursts = Counter(
            "millworth_microbursts", "Bursts of milliseconds over the link's rate", registry=r
        )
        self.wire_queue_bytes = Gauge(
            "millworth_wire_queue_bytes",
            "Reckoned queue before the link, at its fullest in the last second",
            registry=r,
        )
        self.packet_bytes = Counter(
            "millworth_packet_bytes",
            "Bytes of packets kept by tier (sampled, pulled, dumped), or refused by the budget",
            ["tier"],
            registry=r,
        )
        self.packet_budget_left = Gauge(
            "millworth_packet_budget_left_bytes", "Bytes of packets that may be kept", registry=r
        )
        self.packets_kept_ratio = Gauge(
            "millworth_packets_kept_ratio",
            "Share of the bytes seen whose packets were kept, since the start",
            registry=r,
        )

    def _add_access(self, r: CollectorRegistry) -> None:
        """Who was let in, who was not, and what a listener ended by itself."""
