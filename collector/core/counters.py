"""I/O: our own health in numbers: received, refused, dropped, stored, and how far jobs have come.

One registry a service, so that two services in one test do not share figures.
"""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from collector.core.log import lines_lost
from collector.core.times import NS_PER_S

# Of pages and statements: .15 s is what a panel may take, seconds are what a person waits for.
WAIT_BUCKETS = (0.01, 0.05, 0.15, 0.5, 1.0, 2.5, 10.0)
# The budget of an answer is 15 ms at 30,000 spans a second.
ACK_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counters:
    """Every figure that the service exports on `/metrics`, prefixed `millworth_`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count_intake()
        self._count_access()
        self._count_store()
        self._count_reads()
        self._count_rooms()
        self._count_alerts()
        self._count_packets()
        self._count_budgets()

    def _count_intake(self) -> None:
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.received = counter(
            "millworth_received", "Items that arrived, acknowledged or not", ["signal", "transport"]
        )
        self.acknowledged = counter(
            "millworth_acknowledged",
            "Items answered OK after the write-ahead log was synced",
            ["signal"],
        )
        self.repeated = counter(
            "millworth_repeated",
            "Requests that came again and were answered as the first time, without being stored",
            ["signal"],
        )
        self.refused = counter(
            "millworth_refused", "Items or requests refused, by reason", ["signal", "reason"]
        )
        self.ack_seconds = histogram(
            "millworth_ack_seconds",
            "Time from the body of a request to its answer, sync included",
            ["signal", "transport"],
            buckets=ACK_BUCKETS,
        )

    def _count_access(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self.admitted = counter(
            "millworth_admitted", "Requests let in by a token, by its name", ["listener", "sender"]
        )
        self.denied = counter(
            "millworth_denied",
            "Requests not let in: missing, unknown, expired, proxy, scope, role, rate",
            ["listener", "sender", "reason"],
        )
        self.proxy_headers_ignored = counter(
            "millworth_proxy_headers_ignored",
            "Requests that said who asks, and did not come from the proxy of [access.proxy]",
            ["listener"],
        )
        self.connections_refused = counter(
            "millworth_connections_refused",
            "Connections ended by us, by reason",
            ["listener", "reason"],
        )
        self.certificate_expires = gauge(
            "millworth_certificate_expires_seconds",
            "Unix time at which the first of a certificate, its chain and client_ca_file ends",
            ["section"],
        )
        self.certificate_refused = gauge(
            "millworth_certificate_refused",
            "1 where the files of a certificate changed and are no good, so the old are in use",
            ["section"],
        )
        self.token_expires = gauge(
            "millworth_token_expires_seconds",
            "Unix time at which a token expires, by its name; none of those that never do",
            ["sender"],
        )

    def _count_store(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.stored = counter("millworth_stored", "Items inserted into the store", ["signal"])
        self.quarantined = counter(
            "millworth_quarantined",
            "Items kept in `rejected` instead, by reason",
            ["signal", "reason"],
        )
        self.rewritten = counter(
            "millworth_rewritten",
            "Requests in which personal data was replaced or dropped before the log",
            ["signal"],
        )
        self.identifiers_changed = counter(
            "millworth_identifiers_changed",
            "Values replaced or dropped as personal data, by attribute and by rule or pattern",
            ["attribute", "by"],
        )
        self.replayed = counter(
            "millworth_replayed",
            "Rejected items that were replayed, by what became of them",
            ["signal", "result"],
        )
        self.native_spans = gauge(
            "millworth_native_spans",
            "1 where the compiled module reads spans and logs, 0 where the parser and the store do",
        )
        self.insert_seconds = histogram(
            "millworth_insert_seconds", "Time of one insert into the store", ["signal"]
        )
        self.store_parts_broken = gauge(
            "millworth_store_parts_broken", "Parts of tables that cannot be read and are left out"
        )
        self.wal_bytes = gauge("millworth_wal_bytes", "Bytes acknowledged and not yet in the store")
        self.events_over_budget = counter(
            "millworth_decision_events_over_budget",
            "Decision events over 512 bytes, by service, of those that were measured",
            ["service"],
        )
        self.event_bytes_max = gauge(
            "millworth_decision_event_bytes_max", "Largest of those since the start", ["service"]
        )
        self.provenance_events = counter(
            "millworth_provenance_events", "Sealed events judged, by verdict", ["verdict"]
        )
        self.provenance_withdrawn = counter(
            "millworth_provenance_withdrawn",
            "Decisions and outcomes taken out of every sum for what their seals say",
        )

    def count_read(self, asker: str, rows: int, read_bytes: int, took_ns: int) -> None:
        """Count what the engine read for somebody, and how long that took."""
        self.store_read_seconds.labels(asker).observe(took_ns / NS_PER_S)
        self.store_read_rows.labels(asker).inc(rows)
        self.store_read_bytes.labels(asker).inc(read_bytes)

    def _count_budgets(self) -> None:
        gauge = partial(Gauge, registry=self.registry)
        self.calibration_decisions = gauge(
            "millworth_calibration_decisions",
            "Decisions with a known delay that the ratios below rest on",
        )
        self.calibration_right_ratio = gauge(
            "millworth_calibration_right_segment_ratio",
            "Share of known delays that attribution gave to the segment that suffered them",
        )
        self.calibration_error_ratio = gauge(
            "millworth_calibration_error_ratio",
            "Share of a known delay that went to other segments, 99th percentile",
        )
        self.budget_quantile_seconds = gauge(
            "millworth_budget_quantile_seconds",
            "Latency of the decisions of a budget, by quantile",
            ["budget", "quantile"],
        )
        self.budget_missed = gauge(
            "millworth_budget_missed",
            "1 where a budget is missed, 0 where it is met, NaN where that is unclear",
            ["budget"],
        )

    def _count_rooms(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.worker_deaths = counter(
            "millworth_worker_deaths",
            "Times that a thread ended with an error and was begun again",
            ["worker"],
        )
        self.log_lines_lost = gauge(
            "millworth_log_lines_lost",
            "Log lines that standard error did not take, since the start of the process",
        )
        self.log_lines_lost.set_function(lines_lost)
        self.job_runs = counter("millworth_job_runs", "Runs of a job", ["job", "result"])
        self.job_seconds = histogram("millworth_job_seconds", "Time of one run of a job", ["job"])
        self.deferred = gauge(
            "millworth_attribution_put_off_seconds",
            "How much of what arrived waits because what came after it was attributed first",
        )
        self.sender_clock = gauge(
            "millworth_sender_clock_seconds",
            "How far the clock of a service is ahead, negative: behind, of the ten furthest off",
            ["service"],
        )

    def _count_alerts(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self.webhooks = counter("millworth_webhooks", "Webhook deliveries, by result", ["result"])
        self.webhook_rests = gauge(
            "millworth_webhook_rests",
            "1 while a webhook endpoint that failed is left alone, 0 once a message was taken",
            ["endpoint"],
        )
        self.alertmanager_alerts = counter(
            "millworth_alertmanager_alerts",
            "Alerts sent to an Alertmanager: accepted, refused as they are, or failed",
            ["peer", "result"],
        )
        self.external_alerts = counter(
            "millworth_external_alerts",
            "Alerts that others sent to /api/v2/alerts, kept or refused",
            ["result"],
        )
        self.alertmanager_success = gauge(
            "millworth_alertmanager_last_success_timestamp_seconds",
            "When an Alertmanager accepted alerts last, Unix time",
            ["peer"],
        )

    def _count_reads(self) -> None:
        counter = partial(Counter, registry=self.registry)
        histogram = partial(Histogram, registry=self.registry)
        self.store_read_rows = counter(
            "millworth_store_read_rows",
            "Rows that the embedded engine read: for a job, a route of /api/v1, a page, or other",
            ["asker"],
        )
        self.store_read_bytes = counter(
            "millworth_store_read_bytes", "Bytes likewise, before compression", ["asker"]
        )
        self.store_read_seconds = histogram(
            "millworth_store_read_seconds",
            "Time of a statement of the embedded engine likewise",
            ["asker"],
            buckets=WAIT_BUCKETS,
        )
        self.request_seconds = histogram(
            "millworth_request_seconds",
            "Time from a request to the end of its answer: of a route of /api/v1, of a page and "
            "each of its panels, or other",
            ["asker"],
            buckets=WAIT_BUCKETS,
        )

    def _count_packets(self) -> None:
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self.packets_recorded = gauge(
            "millworth_packets_recorded", "Packets held in the recorder's memory"
        )
        self.packets_dropped = gauge(
            "millworth_packets_dropped", "Packets the kernel dropped before the recorder"
        )
        self.recorder_restarts = counter(
            "millworth_recorder_restarts",
            "Times that the packet recorder had ended and was started anew",
        )
        self.contexts_found = gauge(
            "millworth_packet_contexts_found",
            "Requests on the wire that carried a trace context, since the recorder's start",
        )
        self.requests_unsearched = gauge(
            "millworth_packet_requests_unsearched",
            "Requests that were not searched for a trace context: too many at once",
        )
        self.wire_bytes = counter("millworth_wire_bytes", "Bytes on the wire, all packets counted")
        self.wire_retransmissions = counter(
            "millworth_wire_retransmissions", "TCP segments seen a second time"
        )
        self.microbursts = counter(
            "millworth_microbursts", "Bursts of milliseconds over the link's rate"
        )
        self.wire_queue_bytes = gauge(
            "millworth_wire_queue_bytes",
            "Reckoned queue before the link, at its fullest in the last second",
        )
        self.packet_bytes = counter(
            "millworth_packet_bytes",
            "Bytes of packets kept by tier (sampled, pulled, dumped), or refused by the budget",
            ["tier"],
        )
        self.packet_budget_left = gauge(
            "millworth_packet_budget_left_bytes", "Bytes of packets that may be kept"
        )
        self.packets_kept_ratio = gauge(
            "millworth_packets_kept_ratio",
            "Share of the bytes seen whose packets were kept, since the start",
        )
