"""I/O: one role of the service in a process of its own, over a store that is a server.

The roles speak through rows alone, as the rooms do. Any number of `collect` and `serve` may run,
each `collect` with a log directory of its own; one `capture` a machine; one `attribute` and one
`alert`, since each of them owns a cursor or a state. Together they run every job that `up` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from prometheus_client import start_http_server

from alerts.job import AlertsJob
from attribution.evidence_job import EvidenceJob
from attribution.experiment_job import ExperimentJob
from attribution.job import AttributionJob
from attribution.questions import Analyst
from attribution.slope_job import SlopeJob
from collector.access import Gate, load_tokens
from collector.address import authority
from collector.clock import NS_PER_S, Clock, RisingClock, SystemClock
from collector.counters import Counters
from collector.errors import (
    AddressInUseError,
    CaptureError,
    ConfigError,
    MigrationError,
    MillworthError,
)
from collector.event_sizes import EventSizes
from collector.log import get_logger
from collector.provenance_job import ProvenanceJob
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.cursors import furthest_cursor
from collector.store.migrate import apply_views, load_views, migrate, pending_statements
from collector.store.retention import apply_retention
from collector.view_times import note_views
from dashboard.app import create_app
from dashboard.budget_gauges import BudgetGauges
from dashboard.canary import Canary
from dashboard.health import NoHealth
from dashboard.job_loop import JobLoop
from dashboard.protection import protection_of, rejected_of, sealed_of
from dashboard.queries import Reader
from dashboard.runtime import (
    ATTRIBUTION_INTERVAL_S,
    BUDGET_INTERVAL_S,
    DELIVERY_INTERVAL_S,
    EVIDENCE_INTERVAL_S,
    EXPERIMENTS_INTERVAL_S,
    PACKET_INTERVAL_S,
    PROVENANCE_INTERVAL_S,
    SIZES_INTERVAL_S,
    SLOPE_INTERVAL_S,
    STALLED_S,
)
from dashboard.server import DashboardServer
from dashboard.settings import Settings
from packet.engines import LastingRecorder
from packet.job import PacketJob

_log = get_logger("dashboard")
# Sizes are taken of what was received so long ago: collectors elsewhere store within seconds.
_STORED_AFTER_S: Final = 60


class Role(StrEnum):
    """What one process does."""

    COLLECT = "collect"
    CAPTURE = "capture"
    ATTRIBUTE = "attribute"
    ALERT = "alert"
    SERVE = "serve"


class RoleProcess:
    """One role, started and stopped.

    `collect` brings the schema up, as `millworth migrate` does; the others need it to be there.

    Raises:
        ConfigError: the store is embedded, which one process owns; or a setting is missing.
    """

    def __init__(
        self, role: Role, settings: Settings, clock: Clock | None = None, metrics_port: int = -1
    ) -> None:
        if settings.store.embedded_path is not None:
            raise ConfigError(
                f"`millworth {role}` needs a server in store.url; the embedded store has one "
                "owner: run `millworth up`, which does all of it"
            )
        if role is Role.CAPTURE and not settings.packet.host:
            raise ConfigError(
                "packet.host is empty, and recorders that share a store are told apart by it; "
                "name this machine as its spans do in host.name"
            )
        if role is Role.ALERT:
            settings.require_secrets()
        self.role = role
        self.settings = settings
        self.clock = clock or SystemClock()
        settings.require_certificates(self.clock.now_ns())
        self.counters = Counters()
        self.store = Connections(settings.store)
        self.loops: list[JobLoop] = []
        self.metrics_port = metrics_port
        self.collector: CollectorService | None = None
        self._server: DashboardServer | None = None
        self._alerts: AlertsJob | None = None
        self._canary: Canary | None = None
        self.recorder: LastingRecorder | None = None
        self._capture_lost: str | None = None  # why the recorder did not answer the last run
        self._stop_metrics: Callable[[], None] = lambda: None

    def start(self) -> str:
        """Start, and return what is ready in words for a person.

        Raises:
            MillworthError: a line that names what is in the way; whatever was started is stopped.
        """
        start = {
            Role.COLLECT: self._collect,
            Role.CAPTURE: self._capture,
            Role.ATTRIBUTE: self._attribute,
            Role.ALERT: self._alert,
            Role.SERVE: self._serve,
        }[self.role]
        try:
            self._prepare_schema()
            self._serve_metrics()
            return start()
        except MillworthError:
            self.stop(drain_seconds=0)
            raise

    @property
    def dashboard_port(self) -> int:
        """Return where the pages are served."""
        assert self._server is not None
        return self._server.port

    def stop(self, drain_seconds: float) -> bool:
        """End what runs; True if nothing acknowledged is left in the log."""
        for loop in self.loops:
            loop.stop()
        if self._canary is not None:
            self._canary.close()  # before the receivers: its path exports what it still holds
        drained = self.collector.stop(drain_seconds) if self.collector is not None else True
        if self.recorder is not None:
            self.recorder.stop()
        if self._server is not None:
            self._server.stop()
        if self._alerts is not None:
            self._alerts.close()
        self._stop_metrics()
        self.store.close()
        return drained

    def stalled(self) -> list[str]:
        """Return what does not turn any more; whoever watches over us starts us anew for it."""
        before_ns = self.clock.monotonic_ns() - round(STALLED_S * NS_PER_S)
        turned_ns = {}
        if self.collector is not None:
            turned_ns["otlp-http"] = self.collector.http_ticked_ns()
        if self._server is not None:
            turned_ns["dashboard"] = self._server.ticked_ns()
        return [
            *(name for name, at_ns in turned_ns.items() if at_ns < before_ns),
            *(loop.name for loop in self.loops if not loop.worker.is_alive),
            *(["recorder"] if self._capture_lost else []),
        ]

    def _prepare_schema(self) -> None:
        s, client, now_ns = self.settings, self.store.client(), self.clock.now_ns()
        cluster, given = s.store.cluster, (s.attributes, s.decisions, s.outcomes)
        if self.role is not Role.COLLECT:
            pending = pending_statements(client, *given, cluster=cluster)
            if pending:
                raise MigrationError(
                    f"the store lacks {pending[0].name} and {len(pending) - 1} more; start "
                    "`millworth collect` with these settings, or run `millworth migrate`, first"
                )
            return
        applied = migrate(client, now_ns, cluster=cluster)
        applied += apply_views(client, *given, now_ns, cluster=cluster)
        note_views(self.store, load_views(*given, cluster), now_ns)
        days = s.collector.retention_days
        altered = apply_retention(client, s.retention, accepted_days=days, cluster=cluster)
        if applied or altered:
            _log.info("schema_migrated", applied=len(applied), retention=altered)

    def _serve_metrics(self) -> None:
        if self.metrics_port < 0:
            return
        try:
            server, thread = start_http_server(
                self.metrics_port, addr="127.0.0.1", registry=self.counters.registry
            )
        except OSError as error:
            raise AddressInUseError(
                f"--metrics-port {self.metrics_port} is taken ({error.strerror}); give another"
            ) from error
        self.metrics_port = server.server_port
        self._stop_metrics = lambda: _close(server.shutdown, server.server_close, thread)

    def _collect(self) -> str:
        s = self.settings
        gate = Gate(load_tokens(s.access), self.counters, self.clock)
        self.collector = CollectorService(
            s.collector,
            self.store,
            s.wal_dir.absolute(),
            self.counters,
            self.clock,
            s.attributes,
            protection_of(s, store=self.store),
            gate=gate,
        )
        self.collector.go_on_from(furthest_cursor(self.store.client()))
        self.collector.start()
        if s.reference.canary_every_s > 0:
            endpoint = f"http://{authority(s.collector.host, self.collector.http_port)}"
            self._canary = Canary(endpoint, self.store, self.counters)
            self._loop("canary", s.reference.canary_every_s, self._canary.run_once)
        return (
            f"OTLP on {authority(s.collector.host, self.collector.grpc_port)} (gRPC) and "
            f":{self.collector.http_port} (HTTP)"
        )

    def _capture(self) -> str:
        s, packet = self.settings, self.settings.packet
        if not packet.enabled:
            raise CaptureError("packet.enabled is false; set it to true to record packets")
        self.recorder = recorder = LastingRecorder(packet, self.counters)
        job = PacketJob(packet, s.attributes, self.store, recorder, self.counters, recorder.revive)

        def record(now_ns: int) -> None:
            self._capture_lost = job.run_once(now_ns).capture_lost
            if self._capture_lost:
                # No page of this process would show it: a failed run is in the log and counted.
                raise CaptureError(self._capture_lost)

        self._loop("packets", PACKET_INTERVAL_S, record)
        return f"recording {packet.interface} of {packet.host} into {s.store.place}"

    def _attribute(self) -> str:
        s = self.settings
        job = AttributionJob(s.attribution, s.attributes, self.store)
        sizes = EventSizes(
            self.store, self.counters, lambda: self.clock.now_ns() - _STORED_AFTER_S * NS_PER_S
        )
        budgets = BudgetGauges(Analyst(s.attribution, self.store), self.counters)
        self._loop("attribution", ATTRIBUTION_INTERVAL_S, job.run_once)
        self._loop("evidence", EVIDENCE_INTERVAL_S, EvidenceJob(self.store).run_once)
        experiments = ExperimentJob(s.attribution, self.store)
        self._loop("experiments", EXPERIMENTS_INTERVAL_S, experiments.run_once)
        self._loop("slope", SLOPE_INTERVAL_S, SlopeJob(s.attribution, self.store).run_once)
        self._loop("budgets", BUDGET_INTERVAL_S, budgets.run_once)
        self._loop("sizes", SIZES_INTERVAL_S, sizes.run_once)
        if s.provenance.keys_path is not None:
            # Without a collector in this process it reads what came late again.
            provenance = ProvenanceJob(s.provenance, self.store, self.counters, s.attributes)
            rising = RisingClock(self.clock)
            rising.raise_to(furthest_cursor(self.store.client()))
            self._loop(
                "provenance",
                PROVENANCE_INTERVAL_S,
                lambda _: provenance.run_once(rising.now_ns()),
            )
        return f"attributing what is in {s.store.place}"

    def _alert(self) -> str:
        s = self.settings
        job = self._alerts = AlertsJob(
            s.alerts, self.store, s.alerts_path.absolute(), self.counters
        )
        self._loop("alerts", s.alerts.interval_s, job.run_once)
        self._loop("webhooks", DELIVERY_INTERVAL_S, job.deliver_due)
        return f"judging what is in {s.store.place}"

    def _serve(self) -> str:
        s = self.settings
        protection = protection_of(s, s.wal_dir, self.store)
        pages = create_app(
            Reader(self.store),
            s.dashboard,
            NoHealth(),
            self.counters,
            self.store,
            attribution=s.attribution,
            outcomes=s.outcomes,
            protection=protection,
            rejected=rejected_of(s, self.store, protection, self.counters, self.clock),
            sealed=sealed_of(s, self.store),
            retention=s.retention,
            clock=self.clock,
        )
        gate = Gate(load_tokens(s.access), self.counters, self.clock)
        self._server = DashboardServer(pages.server, s.dashboard, gate, self.counters, self.clock)
        self._server.start()
        scheme = "https" if s.dashboard.tls.is_on else "http"
        return f"dashboard {scheme}://{authority(s.dashboard.host, self._server.port)}"

    def _loop(self, name: str, interval_s: float, run: Callable[[int], object]) -> None:
        loop = JobLoop(name, interval_s, run, self.clock, self.counters, self.store.close)
        self.loops.append(loop)
        loop.start()


def _close(shut_down: Callable[[], None], close: Callable[[], None], of: threading.Thread) -> None:
    shut_down()
    close()
    of.join()
