"""I/O: our own health in numbers: received, refused, dropped, stored, and how far jobs have come.

One registry a service, passed in, so that two services in one test do not share figures.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Counters:
    """Every figure that the service exports on `/metrics`, prefixed `millworth_`."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        r = self.registry
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
        self.refused = Counter(
            "millworth_refused",
            "Items or requests refused, by reason",
            ["signal", "reason"],
            registry=r,
        )
        self.stored = Counter(
            "millworth_stored", "Items inserted into the store", ["signal"], registry=r
        )
        self.quarantined = Counter(
            "millworth_quarantined",
            "Items kept in `rejected` instead, by reason",
            ["signal", "reason"],
            registry=r,
        )
        self.insert_seconds = Histogram(
            "millworth_insert_seconds", "Time of one insert into the store", ["signal"], registry=r
        )
        self.wal_bytes = Gauge(
            "millworth_wal_bytes", "Bytes acknowledged and not yet in the store", registry=r
        )
        self.job_runs = Counter(
            "millworth_job_runs", "Runs of a job", ["job", "result"], registry=r
        )
        self.job_seconds = Histogram(
            "millworth_job_seconds", "Time of one run of a job", ["job"], registry=r
        )
        self.job_lag_seconds = Gauge(
            "millworth_job_lag_seconds",
            "Age of the newest data a job has seen",
            ["job"],
            registry=r,
        )
        self.packets_recorded = Gauge(
            "millworth_packets_recorded", "Packets held in the recorder's memory", registry=r
        )
        self.packets_dropped = Gauge(
            "millworth_packets_dropped",
            "Packets the kernel dropped before the recorder",
            registry=r,
        )
        self.webhooks = Counter(
            "millworth_webhooks", "Webhook deliveries, by result", ["result"], registry=r
        )
