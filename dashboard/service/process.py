"""I/O: the service in one process over one store: all of it (`millworth up`), or some roles.

The embedded store has one owner, so with it the receivers, the jobs and the pages are threads of
one process; only the packet recorder, which alone has a privilege, is a process of its own. Over a
store that is a server each role may run in processes of its own, which exchange data through tables
alone. `dashboard.service.jobs` lists the jobs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from attribution.core.money import state_all_in
from collector.audit.log import AuditState
from collector.core.clock import Clock
from collector.core.errors import CaptureError, MillworthError
from collector.core.http.address import authority
from collector.core.log import get_logger
from collector.core.times import NS_PER_S
from collector.core.worker import Worker
from collector.store.cursors import furthest_cursor
from dashboard.health.items import HealthItem
from dashboard.health.pipeline import Stages, stage_items
from dashboard.health.pipeline_metrics import StageMetrics
from dashboard.health.readiness import Answer, Asgi, FrontDoor, must_be_ready, readiness
from dashboard.read.reader import Reader
from dashboard.service.audit import checked, note_schema, note_start
from dashboard.service.job_loop import JobLoop
from dashboard.service.metrics_port import MetricsPort
from dashboard.service.parts import Parts
from dashboard.service.role import ALL, Role
from dashboard.service.schema import prepare_store
from dashboard.settings.settings import Settings
from dashboard.web.server import DashboardServer

if TYPE_CHECKING:
    from dashboard.health.service import ServiceHealth
    from dashboard.service.jobs import Job
    from packet.config import PacketConfig

_log = get_logger("dashboard")

# An event loop turns ten times a second; this is far beyond a busy machine.
STALLED_S = 30.0
_SWITCHED_OFF = "packet.enabled is false; set it to true to record packets"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the service listens, known once it is up; 0 is what this process does not open."""

    grpc: int
    http: int
    dashboard: int
    metrics: int


class Service(Parts):
    """The whole service, or some of its roles, started and stopped.

    What receives and stores is imported with this module, and starts first; the jobs and the pages
    take twice as long to load, and come while it receives.

    Args:
        settings: of every room.
        roles: that this process runs.
        clock: the time.
        metrics_port: where a process without pages serves `/metrics`, 0 for any port.

    Raises:
        ConfigError: some roles alone over an embedded store, or a setting is missing.
    """

    def __init__(
        self,
        settings: Settings,
        roles: Collection[Role] = ALL,
        clock: Clock | None = None,
        metrics_port: int | None = None,
    ) -> None:
        super().__init__(settings, roles, clock)
        self.stages = Stages(self)
        self.counters.registry.register(StageMetrics(self.stages, self.clock.now_ns))
        self._leave_out_unknown()
        self._health: ServiceHealth | None = None  # once there are all the jobs
        self.loops: list[JobLoop] = []
        self._jobs: dict[str, Job] = {}  # of each loop
        self._door = FrontDoor(self._early_readiness)
        self._server: DashboardServer | None = None
        self._metrics_port = metrics_port
        self._metrics: MetricsPort | None = None
        self.audit: AuditState | None = None  # as the start found it

    @property
    def ports(self) -> Ports:
        """Return where this process listens."""
        return Ports(
            grpc=self._collector.grpc_port if self._collector else 0,
            http=self._collector.http_port if self._collector else 0,
            dashboard=self._server.port if self._server else 0,
            metrics=self._metrics.port if self._metrics else 0,
        )

    def start(self) -> None:
        """Bring the schema up or check it, replay the log, and begin to serve.

        `collect` brings the schema up, as `millworth migrate` does; the others need it to be there.

        Raises:
            MillworthError: a line that names what is in the way. Whatever was started is stopped,
                at any other error too.
        """
        state_all_in(self.settings.attribution.currency)
        try:
            now_ns = self.clock.now_ns()
            if self._collector is not None:
                self._collector.claim()  # first: what is refused has written nothing
            prepare_store(self.store, self.settings, self.roles, now_ns)
            if self._metrics_port is not None:
                self._metrics = MetricsPort(
                    self._metrics_port, self.counters.registry, self._role_readiness
                )
            if self.is_whole:
                note_start(self.store, self.settings, now_ns)
            elif Role.COLLECT in self.roles:
                note_schema(self.store, self.settings, now_ns)
            if self._collector is not None:
                self._collector.go_on_from(furthest_cursor(self.store.client()))
                self._collector.start()
            elif Role.ATTRIBUTE in self.roles:
                self._rising.raise_to(furthest_cursor(self.store.client()))
            if Role.SERVE in self.roles:
                self._server = DashboardServer(
                    self._door,
                    self.settings.dashboard,
                    self.gate,
                    self.counters,
                    self.clock,
                    self.settings.access.session_hours,
                )
                self._server.start()
            self._start_jobs()
            if self.roles == {Role.CAPTURE}:
                self._record(self.settings.packet)
        except BaseException:
            self.stop(drain_seconds=0)
            raise

    def _start_jobs(self) -> None:
        """Make the jobs and the pages, then start; what they import takes longest of all."""
        from dashboard.health.service import ServiceHealth
        from dashboard.service.jobs import JOBS

        runs = [
            (job, run)
            for job in JOBS
            if job.role in self.roles - {Role.CAPTURE} and (run := job.make(self)) is not None
        ]
        if self.is_whole:
            self.audit = checked(self.store)
        self._health = ServiceHealth(self, self.stages)
        if Role.SERVE in self.roles:
            self._door.pages = self._pages(self._health)
        for job, run in runs:
            self._start_loop(job, run)

    def find_alert_state(self) -> bool:
        """Show the state of alerts, once the process that evaluates them has made its file here."""
        is_news = super().find_alert_state()
        if is_news and self._door.pages is not None and self._health is not None:
            # Anew; a reading that is under way ends as it began.
            self._door.pages = self._pages(self._health)
        return is_news

    def _pages(self, health: ServiceHealth) -> Asgi:
        from dashboard.api.context import AppContext
        from dashboard.web.app import create_app

        context = AppContext.from_settings(
            self.settings,
            self.store,
            health,
            self.counters,
            self.clock,
            self.protection,
            self.attribution if Role.ATTRIBUTE in self.roles else None,
            self.alert_state,
        )
        pages: Asgi = create_app(context).server
        return pages

    def start_packets(self, config: PacketConfig | None = None) -> None:
        """Start the recorder, or run on without it and say why on the Health page."""
        config = config or self.settings.packet
        if not config.enabled:
            self.capture_off_reason = _SWITCHED_OFF
            return
        try:
            self._record(config)
        except CaptureError as error:
            self.capture_off_reason = str(error)
            _log.warning("packets_not_recorded", reason=str(error))

    def _record(self, config: PacketConfig) -> None:
        from dashboard.service.jobs import JOBS
        from packet.capture.start import LastingRecorder

        if not config.enabled:
            raise CaptureError(_SWITCHED_OFF)
        self.packet_config = config
        self.recorder = LastingRecorder(config, self.counters)
        for job in JOBS:
            if job.role is Role.CAPTURE and (run := job.make(self)) is not None:
                self._start_loop(job, run)

    def _start_loop(self, job: Job, run: Callable[[int], object]) -> None:
        interval_s = job.interval_s(self.settings)
        loop = JobLoop(
            job.name,
            interval_s,
            run,
            self.clock,
            self.counters,
            self.store,
            keeps_pace=job.keeps_pace,
        )
        self._jobs[job.name] = job
        self.loops.append(loop)
        loop.start()

    def _early_readiness(self) -> Answer:
        """Return how the stages are while there are no jobs and no pages."""
        return readiness(Reader(self.store).ping, self._health_so_far, must_be_ready(self.roles))

    def _health_so_far(self) -> list[HealthItem]:
        return self._health.health() if self._health is not None else stage_items(self.stages)

    def _role_readiness(self) -> Answer:
        """Return whether a process without pages does what it is for."""
        try:
            # A collector takes what comes while the store is away; the others do nothing then.
            ping = (lambda: None) if Role.COLLECT in self.roles else Reader(self.store).ping
            return readiness(ping, self._health_so_far, must_be_ready(self.roles))
        finally:
            self.store.close()  # this thread answers once

    def _leave_out_unknown(self) -> None:
        """Have no sample of what other roles know: it would be zero for ever."""
        c = self.counters
        known_by = {
            Role.COLLECT: (
                *(c.wal_bytes, c.native_spans, c.calibration_decisions),
                *(c.calibration_right_ratio, c.calibration_error_ratio),
            ),
            Role.ATTRIBUTE: (c.deferred,),
            Role.CAPTURE: (
                *(c.packets_recorded, c.packets_dropped, c.contexts_found, c.requests_unsearched),
                *(c.wire_queue_bytes, c.packet_budget_left, c.packets_kept_ratio),
            ),
        }
        for role, gauges in known_by.items():
            for gauge in gauges if role not in self.roles else ():
                c.registry.unregister(gauge)

    def describe(self) -> str:
        """Return what is ready in words for a person."""
        s, ports, parts = self.settings, self.ports, []
        if Role.COLLECT in self.roles:
            grpc = authority(s.collector.host, ports.grpc)
            parts.append(f"OTLP on {grpc} (gRPC) and :{ports.http} (HTTP)")
        if Role.SERVE in self.roles:
            scheme = "https" if s.dashboard.tls.is_on else "http"
            parts.append(f"dashboard {scheme}://{authority(s.dashboard.host, ports.dashboard)}")
        if self.roles == {Role.CAPTURE}:
            parts.append(f"recording {s.packet.interface} of {s.packet.host} into {s.store.place}")
        if self.roles == {Role.ATTRIBUTE}:
            parts.append(f"attributing what is in {s.store.place}")
        if self.roles == {Role.ALERT}:
            parts.append(f"judging what is in {s.store.place}")
        return "; ".join(parts)

    def dead_webhooks(self) -> int:
        """Return how many deliveries were given up."""
        return self.alerts_job.status().dead if self.alerts_job is not None else 0

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
        """Return the names of threads without a heartbeat; the service manager restarts on any."""
        before_ns = self.clock.monotonic_ns() - round(STALLED_S * NS_PER_S)
        beats_ns = {}
        if self._collector is not None:
            beats_ns["otlp-http"] = self._collector.http_ticked_ns()
        if self._server is not None:
            beats_ns["dashboard"] = self._server.ticked_ns()
        recorder_lost = self.capture_lost and Role.SERVE not in self.roles
        return [
            *(name for name, at_ns in beats_ns.items() if at_ns < before_ns),
            *(loop.name for loop in self.loops if not loop.worker.is_alive),
            *(["recorder"] if recorder_lost else []),
        ]

    def workers(self) -> dict[str, list[Worker]]:
        """Return the threads of the service by the stage that rests on them, "" where none does."""
        workers = self._collector.workers() if self._collector is not None else {}
        for loop in self.loops:
            workers.setdefault(self._jobs[loop.name].stage, []).append(loop.worker)
        if self._server is not None:
            workers.setdefault("", []).append(self._server.worker)
        return workers

    def busy(self) -> list[str]:
        """Return the names of the threads that are still at work."""
        return [worker.name for own in self.workers().values() for worker in own if worker.is_alive]

    def stop_jobs(self) -> None:
        """End every job after its current run."""
        for loop in self.loops:
            loop.stop()

    def stop(self, drain_seconds: float) -> bool:
        """Stop receiving, store what is in the log, end the jobs; True if all was stored."""
        self.is_stopping = self._door.is_stopping = True
        for loop in self.loops:
            loop.ask_to_stop()
        if self.canary is not None:
            # Before the receivers: its path exports what it still holds.
            for loop in self.loops:
                if loop.name == "canary":
                    loop.stop()
            self.canary.close()
        drained = self._collector.stop(drain_seconds) if self._collector is not None else True
        self.stop_jobs()
        if self.collector_cursor is not None and drained:
            with suppress(MillworthError):  # it is said to have stopped then
                self.collector_cursor.end(self.collector.now_ns())
        if self.packets is not None and self.roles == {Role.CAPTURE}:
            with suppress(MillworthError, ClickHouseError):
                self.packets.end(self.clock.now_ns())
        if self.recorder is not None:
            self.recorder.stop()
            self.recorder = None
            self.capture_off_reason = "the service is stopping"  # pages are served until the end
        if self._server is not None:
            self._server.stop()
            self._server = None
        if self.alerts_job is not None:
            self.alerts_job.close()
        elif self.alert_state is not None:
            self.alert_state.close()  # of another process, which this one only shows
        if self._metrics is not None:
            self._metrics.close()
        self.store.close()
        return drained
