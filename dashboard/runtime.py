"""I/O: `up`: every room in one process over one store.

The embedded store has one owner, so the receivers, the jobs and the pages are threads of this
process; only the packet recorder, which alone has a privilege, is a process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.access import Gate, load_tokens
from collector.address import authority
from collector.audit import AuditState
from collector.clock import NS_PER_S, Clock, SystemClock
from collector.counters import Counters
from collector.errors import CaptureError, MillworthError
from collector.log import get_logger
from collector.service import CollectorService
from collector.store.connect import Connections, enter_directory
from collector.store.cursors import furthest_cursor
from collector.store.migrate import apply_views, migrate
from collector.store.retention import apply_retention
from collector.worker import Worker
from dashboard.audited import checked, note_start
from dashboard.job_loop import JobLoop
from dashboard.protection import protection_of
from dashboard.queries import Reader
from dashboard.readiness import Answer, FrontDoor, readiness
from dashboard.server import DashboardServer
from dashboard.settings import Settings
from dashboard.stage_metrics import StageMetrics
from dashboard.stages import Stages, stage_items

if TYPE_CHECKING:
    from alerts.dead_man_watch import Progress
    from alerts.job import AlertsJob
    from attribution.evidence_job import EvidenceJob
    from attribution.experiment_job import ExperimentJob
    from attribution.job import AttributionJob
    from attribution.slope_job import SlopeJob
    from collector.event_sizes import EventSizes
    from collector.provenance_job import ProvenanceJob
    from dashboard.budget_gauges import BudgetGauges
    from dashboard.canary import Canary
    from packet.config import PacketConfig
    from packet.engines import LastingRecorder
    from packet.job import PacketJob

_log = get_logger("dashboard")

# Short enough that a figure on a page is seconds old, long enough that a run is a batch: most of
# an attribution run is the fixed cost of its queries, so every second would cost twice as much.
ATTRIBUTION_INTERVAL_S = 2.0
PACKET_INTERVAL_S = 2.0
DELIVERY_INTERVAL_S = 1.0
# An event loop turns ten times a second; this is far beyond a busy machine.
STALLED_S = 30.0
EVIDENCE_INTERVAL_S = 5.0
BUDGET_INTERVAL_S = 30.0
# A slope rests on weeks of decisions: an hour more is no news.
SLOPE_INTERVAL_S = 3600.0
# What an experiment may overspend is what it spends in this time, and in the services' own second.
EXPERIMENTS_INTERVAL_S = 10.0
PROVENANCE_INTERVAL_S = 4.0
SIZES_INTERVAL_S = 30.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the service listens, known once it is up."""

    grpc: int
    http: int
    dashboard: int


class Service:
    """The whole service over one store.

    What receives and stores is imported with this module, and starts first; the jobs and the pages
    take twice as long to load, and come while it receives.
    """

    attribution: AttributionJob
    alerts: AlertsJob
    sizes: EventSizes
    evidence: EvidenceJob
    slope: SlopeJob
    experiments: ExperimentJob
    budgets: BudgetGauges

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        settings.require_secrets()
        self.settings = settings
        self.clock = clock or SystemClock()
        settings.require_certificates(self.clock.now_ns())
        self.counters = Counters()
        self.gate = Gate(load_tokens(settings.access), self.counters, self.clock)
        self.store = Connections(settings.store)
        self.protection = protection_of(settings, store=self.store)
        wal_dir, alerts_path = settings.wal_dir.absolute(), settings.alerts_path.absolute()
        self._alerts_path, self._provenance = alerts_path, settings.provenance.anchored()
        # Opened first: whoever holds the store holds the log and the alert state beside it.
        enter_directory(settings.store)
        self.store.client()
        self.recorder: LastingRecorder | None = None
        self.capture_off_reason = "the packet recorder has not been started"
        self.collector = CollectorService(
            settings.collector,
            self.store,
            wal_dir,
            self.counters,
            self.clock,
            settings.attributes,
            self.protection,
            gate=self.gate,
        )
        self.provenance: ProvenanceJob | None = None
        self.canary: Canary | None = None
        self.packets: PacketJob | None = None
        self.stages = Stages(self)
        self.counters.registry.register(StageMetrics(self.stages, self.clock.now_ns))
        self.loops: list[JobLoop] = []
        self._front_door = FrontDoor(self._early_readiness)
        self._server: DashboardServer | None = None
        self.audit: AuditState | None = None  # as the start found it
        self._has_rooms = False

    def start(self) -> None:
        """Open the store, bring its schema up, replay the log, and start to serve.

        Raises:
            MillworthError: a line that names what is in the way; whatever was started is stopped.
        """
        client = self.store.client()
        try:
            cluster = self.settings.store.cluster
            applied = migrate(client, self.clock.now_ns(), cluster=cluster)
            if applied:
                _log.info("schema_migrated", migrations=len(applied), last=applied[-1])
            s = self.settings
            apply_views(
                client, s.attributes, s.decisions, s.outcomes, self.clock.now_ns(), cluster=cluster
            )
            altered = apply_retention(
                client, s.retention, accepted_days=s.collector.retention_days, cluster=cluster
            )
            if altered:
                _log.info("retention_applied", tables=altered)
            note_start(self.store, s, self.clock.now_ns())
            self.collector.go_on_from(furthest_cursor(client))
            self.collector.start()
            self._server = DashboardServer(
                self._front_door, s.dashboard, self.gate, self.counters, self.clock
            )
            self._server.start()
            self._load_rooms()
        except MillworthError:
            self.stop(drain_seconds=0)
            raise
        self._start_jobs()

    def _load_rooms(self) -> None:
        """Make the jobs and the pages; what they import takes longer than all that came before."""
        from alerts.job import AlertsJob
        from attribution.evidence_job import EvidenceJob
        from attribution.experiment_job import ExperimentJob
        from attribution.job import AttributionJob
        from attribution.questions import Analyst
        from attribution.slope_job import SlopeJob
        from collector.event_sizes import EventSizes
        from collector.provenance_job import ProvenanceJob
        from dashboard.app import create_app
        from dashboard.budget_gauges import BudgetGauges
        from dashboard.health import ServiceHealth
        from dashboard.protection import rejected_of, sealed_of

        s, store, stored_ns = self.settings, self.store, self.collector.stored_ns
        self.attribution = AttributionJob(s.attribution, s.attributes, store)
        self.sizes = EventSizes(store, self.counters, stored_ns)
        if self._provenance.keys_path is not None:
            judged = store, self.counters, s.attributes, stored_ns
            self.provenance = ProvenanceJob(self._provenance, *judged)
        self.alerts = AlertsJob(
            s.alerts, store, self._alerts_path, self.counters, progress=self._progress
        )
        self.evidence = EvidenceJob(store)
        self.slope = SlopeJob(s.attribution, store)
        self.experiments = ExperimentJob(s.attribution, store)
        self.budgets = BudgetGauges(Analyst(s.attribution, store), self.counters)
        self.audit = checked(self.store)
        self._has_rooms = True
        self._front_door.pages = create_app(
            Reader(store),
            s.dashboard,
            ServiceHealth(self),
            self.counters,
            store,
            attribution=s.attribution,
            attribution_job=self.attribution,
            outcomes=s.outcomes,
            protection=self.protection,
            rejected=rejected_of(s, store, self.protection, self.counters, self.clock),
            sealed=sealed_of(s, store),
            retention=s.retention,
            clock=self.clock,
        ).server

    def _start_jobs(self) -> None:
        s = self.settings
        self._start_loop("attribution", ATTRIBUTION_INTERVAL_S, self._attribute)
        self._start_loop("sizes", SIZES_INTERVAL_S, self.sizes.run_once)
        if self.provenance is not None:
            self._start_loop("provenance", PROVENANCE_INTERVAL_S, self._judge)
        self._start_loop("alerts", s.alerts.interval_s, self.alerts.run_once)
        self._start_loop("webhooks", DELIVERY_INTERVAL_S, self.alerts.deliver_due)
        self._start_loop("evidence", EVIDENCE_INTERVAL_S, self.evidence.run_once)
        self._start_loop("slope", SLOPE_INTERVAL_S, self.slope.run_once)
        self._start_loop("experiments", EXPERIMENTS_INTERVAL_S, self.experiments.run_once)
        self._start_loop("budgets", BUDGET_INTERVAL_S, self.budgets.run_once)
        if s.reference.canary_every_s > 0:
            from dashboard.canary import Canary

            endpoint = f"http://{authority(s.collector.host, self.collector.http_port)}"
            self.canary = Canary(endpoint, self.store, self.counters)
            self._start_loop("canary", s.reference.canary_every_s, self.canary.run_once)

    def start_packets(self, config: PacketConfig | None = None) -> None:
        """Start the recorder, or run on without it and say why on the Health page."""
        from packet.engines import LastingRecorder
        from packet.job import PacketJob

        config = config or self.settings.packet
        try:
            if not config.enabled:
                raise CaptureError("packet.enabled is false; set it to true to record packets")
            self.recorder = LastingRecorder(config, self.counters)
        except CaptureError as error:
            self.capture_off_reason = str(error)
            _log.warning("packets_not_recorded", reason=str(error))
            return
        self.packets = PacketJob(
            config,
            self.settings.attributes,
            self.store,
            self.recorder,
            self.counters,
            self.recorder.revive,
        )
        self._start_loop("packets", PACKET_INTERVAL_S, self._link_packets)

    @property
    def ports(self) -> Ports:
        """Return where the service listens."""
        assert self._server is not None
        return Ports(self.collector.grpc_port, self.collector.http_port, self._server.port)

    def _attribute(self, now_ns: int) -> object:
        # By the time of what is received, which never falls, and no further than what is stored:
        # an insert may take longer than any overlap.
        now_ns = self.collector.now_ns()
        return self.attribution.run_once(now_ns, self.collector.stored_ns())

    def _judge(self, now_ns: int) -> object:
        assert self.provenance is not None
        now_ns = self.collector.now_ns()
        return self.provenance.run_once(now_ns)

    def _link_packets(self, now_ns: int) -> object:
        assert self.packets is not None
        return self.packets.run_once(now_ns, self.collector.stored_ns())

    def _early_readiness(self) -> Answer:
        """Say how the stages are while there are no jobs and no pages."""
        return readiness(Reader(self.store).ping, lambda: stage_items(self.stages))

    def dead_webhooks(self) -> int:
        """Return how many deliveries were given up."""
        return self.alerts.status().dead if self._has_rooms else 0

    def _progress(self) -> Progress:
        from alerts.dead_man_watch import Progress

        return Progress(self.collector.newest_ns() or 0, self.collector.stored_ns())

    def done_ns(self, job: str) -> int | None:
        """Return the instant up to which a job has done its work, None before its first run."""
        return next((loop.done_ns for loop in self.loops if loop.name == job), None)

    def judge_provenance(self, now_ns: int) -> None:
        """Judge all that is stored, where nothing comes any more: what is not here is missing."""
        if self.provenance is not None:
            self.provenance.run_once(now_ns)
            waited_ns = round(self.settings.provenance.missing_after_s * NS_PER_S)
            self.provenance.run_once(now_ns + waited_ns)

    def stalled(self) -> list[str]:
        """Return what does not turn any more; whoever watches over us starts us anew for it."""
        before_ns = self.clock.monotonic_ns() - round(STALLED_S * NS_PER_S)
        turned_ns = {"otlp-http": self.collector.http_ticked_ns()}
        if self._server is not None:
            turned_ns["dashboard"] = self._server.ticked_ns()
        return [
            *(name for name, at_ns in turned_ns.items() if at_ns < before_ns),
            *(loop.name for loop in self.loops if not loop.worker.is_alive),
        ]

    def workers(self) -> dict[str, list[Worker]]:
        """Return the threads of the service by the stage that rests on them, "" where none does."""
        of_stage = {"attribution": "attributed", "alerts": "alerted", "webhooks": "alerted"}
        workers = self.collector.workers()
        for loop in self.loops:
            workers.setdefault(of_stage.get(loop.name, ""), []).append(loop.worker)
        if self._server is not None:
            workers.setdefault("", []).append(self._server.worker)
        return workers

    def stop_jobs(self) -> None:
        """End every job after its current run."""
        for loop in self.loops:
            loop.stop()

    def stop(self, drain_seconds: float) -> bool:
        """Stop receiving, store what is in the log, end the jobs; True if all was stored."""
        if self.canary is not None:
            # Before the receivers: its path exports what it still holds.
            for loop in self.loops:
                if loop.name == "canary":
                    loop.stop()
            self.canary.close()
        drained = self.collector.stop(drain_seconds)
        self.stop_jobs()
        if self.recorder is not None:
            self.recorder.stop()
            self.recorder = None
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self._has_rooms:
            self.alerts.close()
        self.store.close()
        return drained

    def _start_loop(self, name: str, interval_s: float, run: Callable[[int], object]) -> None:
        loop = JobLoop(name, interval_s, run, self.clock, self.counters, self.store.close)
        self.loops.append(loop)
        loop.start()
