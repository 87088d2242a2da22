"""I/O: the roles of the service, and the jobs of each: the one list of what runs, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from alerts.job import AlertsJob
from alerts.metrics import AlertMetrics
from attribution.experiments.job import ExperimentJob
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.evidence import EvidenceJob
from attribution.jobs.observed import ObservedJob
from attribution.jobs.report import AttributionReport
from attribution.sensitivity.job import SlopeJob
from attribution.vram.outcome_mode import OutcomeModeJob
from attribution.whatif.analyst import Analyst
from collector.core.clock import ClockWatch
from collector.core.errors import CaptureError
from collector.core.http.address import authority
from collector.core.times import NS_PER_S
from collector.provenance.live.job import ProvenanceJob
from collector.store.client.broken_parts import BrokenPartsJob
from collector.store.cursors import ALERTS_CURSOR, JobCursor
from collector.store.retention import begin_retention
from collector.store.ttl_change import RetentionJob
from collector.write.event_sizes import EventSizes
from dashboard.health.senders.job import Senders
from dashboard.service.canary import Canary
from dashboard.service.parts import Parts
from dashboard.service.role import Role
from dashboard.service.schema import CLOCK_FILE
from dashboard.service.slo_gauges import BudgetGauges
from dashboard.settings.settings import Settings
from packet.jobs.packets import PacketJob

Run: TypeAlias = Callable[[int], object]  # is given the instant of the run

# Event sizes are measured up to so long ago where no collector in this process says what is stored.
_STORED_AFTER_S: Final = 60
# A receiver that answers later is waited for by its own thread: the others are sent to meanwhile.
_RECEIVERS_WAIT_S: Final = 1.0
# What came late is worked off for so long before the job says how far it is.
_LATE_RUN_NS: Final = 10 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a role.

    Attributes:
        role: the processes that run it.
        name: in the log, in metrics and on Health.
        interval_s: seconds between the end of a run and the next.
        make: returns the run, or None where the settings leave the job out.
        stage: the stage of the pipeline that rests on it, "" for none.
        keeps_pace: whether the interval is from the begin of a run to the end of the next, for a
            job that would fall behind while it pauses.
    """

    role: Role
    name: str
    interval_s: Callable[[Settings], float]
    make: Callable[[Parts], Run | None]
    stage: str = ""
    keeps_pace: bool = False


def _every(seconds: float) -> Callable[[Settings], float]:
    return lambda _: seconds


def _clock(service: Parts) -> Run | None:
    return service.store_clock.measure if service.store_clock is not None else None


def _progress(service: Parts) -> Run | None:
    collector, cursor = service.collector, service.collector_cursor
    if cursor is None:
        return None
    return lambda _: cursor.write(collector.stored_ns(), collector.newest_ns())


def _elsewhere(service: Parts) -> Run | None:
    return None if service.is_whole else service.elsewhere.read


def _alert_state(service: Parts) -> Run | None:
    """Have the pages show the state of alerts, whichever of the two processes is there first."""
    if Role.ALERT in service.roles or service.find_alert_state():
        return None
    return lambda _: service.find_alert_state()


def _canary(service: Parts) -> Run | None:
    s = service.settings
    if s.reference.canary_every_s <= 0:
        return None
    endpoint = f"http://{authority(s.collector.host, service.collector.http_port)}"
    service.canary = Canary(endpoint, service.store, service.counters)
    return service.canary.run_once


def _packets(service: Parts) -> Run:
    recorder, s = service.recorder, service.settings
    assert recorder is not None
    job = service.packets = PacketJob(
        service.packet_config,
        s.attributes,
        service.store,
        recorder,
        service.counters,
        recorder.revive,
    )

    def run(now_ns: int) -> None:
        report = job.run_once(now_ns, service.stored_ns(), service.newest_ns())
        service.capture_lost = report.capture_lost
        if service.capture_lost and Role.SERVE not in service.roles:
            # No page of this process would show it: a failed run is in the log and counted.
            raise CaptureError(service.capture_lost)

    return run


def _attribution(service: Parts) -> Run:
    s = service.settings
    job = service.attribution = AttributionJob(s.attribution, s.attributes, service.store)
    # When it is asked for: a run may take long, and the other lane works some of it off.
    service.counters.deferred.set_function(lambda: job.deferred_ns / NS_PER_S)

    def run(now_ns: int) -> AttributionReport:
        rising_ns = service.rising_ns()
        # No further than what is stored: an insert may take longer than any overlap.
        return job.run_once(
            rising_ns,
            service.stored_ns(),
            service.newest_ns(),
            clock_ahead_ns=max(rising_ns - now_ns, 0),
            may_defer=True,
        )

    return run


def _late(service: Parts) -> Run:
    job, clock = service.attribution, service.clock

    def run(_: int) -> AttributionReport:
        began_ns = clock.monotonic_ns()

        def has_time() -> bool:
            return not service.is_stopping and clock.monotonic_ns() - began_ns < _LATE_RUN_NS

        return job.run_late(service.rising_ns(), has_time)

    return run


def _evidence(service: Parts) -> Run:
    job = EvidenceJob(service.store)
    return lambda now_ns: job.run_once(now_ns, service.newest_ns())


def _observed(service: Parts) -> Run:
    overlap_s = service.settings.attribution.overlap_s
    return ObservedJob(service.store, service.stored_ns, overlap_s).run_once


def _experiments(service: Parts) -> Run:
    return ExperimentJob(service.settings.attribution, service.store).run_once


def _slope(service: Parts) -> Run:
    return SlopeJob(service.settings.attribution, service.store).run_due


def _outcomes(service: Parts) -> Run:
    service.outcome_mode = OutcomeModeJob(service.settings.attribution, service.store)
    return service.outcome_mode.run_once


def _budgets(service: Parts) -> Run:
    analyst = Analyst(service.settings.attribution, service.store)
    service.budgets = BudgetGauges(analyst, service.counters)
    return service.budgets.run_once


def _sizes(service: Parts) -> Run:
    def stored_ns() -> int:
        known_ns = service.stored_ns()
        return service.clock.now_ns() - _STORED_AFTER_S * NS_PER_S if known_ns is None else known_ns

    service.sizes = EventSizes(service.store, service.counters, stored_ns, service.clock)
    return service.sizes.run_once


def _senders(service: Parts) -> Run:
    s = service.settings
    service.senders = Senders(service.store, service.counters, s.attributes, s.decisions)
    return service.senders.run_once


def _provenance(service: Parts) -> Run | None:
    s = service.settings
    if s.provenance.keys_path is None:
        return None
    # Without a collector in this process it reads what came late again.
    job = service.provenance = ProvenanceJob(
        s.provenance,
        service.store,
        service.counters,
        s.attributes,
        service.collector.stored_ns if Role.COLLECT in service.roles else None,
        service.clock,
    )
    return lambda _: job.run_once(service.rising_ns())


def _retention(service: Parts) -> Run:
    s = service.settings

    def begin() -> list[str]:
        return begin_retention(
            service.store.client(),
            s.retention,
            accepted_days=s.collector.retention_days,
            cluster=s.store.cluster,
        )

    service.retention = RetentionJob(service.store, begin, ClockWatch(s.wal_dir / CLOCK_FILE))
    return service.retention.run_once


def _broken_parts(service: Parts) -> Run:
    service.broken_parts = BrokenPartsJob(service.store, service.counters)
    return service.broken_parts.run_once


def _alerts(service: Parts) -> Run:
    service.alerts_job = AlertsJob(
        service.settings.alerts,
        service.store,
        service.alerts_path,
        service.counters,
        progress=service.progress if Role.COLLECT in service.roles else None,
        dashboard_url=service.settings.dashboard_url,
    )
    service.alert_state = service.alerts_job.alert_state
    service.alerts_job.calendars.check(service.clock.now_ns())
    metrics = AlertMetrics(service.alerts_job, service.clock.now_ns)
    service.counters.registry.register(metrics)
    if service.is_whole:
        return service.alerts_job.run_once
    job, cursor = service.alerts_job, JobCursor(ALERTS_CURSOR)

    def run(now_ns: int) -> None:
        job.run_once(now_ns)
        cursor.write(service.store.client(), now_ns, has_news=False)

    return run


def _webhooks(service: Parts) -> Run:
    outlets = service.alerts.outlets
    return lambda now_ns: outlets.deliver_due(now_ns, wait_s=_RECEIVERS_WAIT_S)


def _alertmanagers(service: Parts) -> Run | None:
    if not service.settings.alerts.alertmanagers:
        return None
    outlets = service.alerts.outlets
    return lambda now_ns: outlets.push_due(now_ns, wait_s=_RECEIVERS_WAIT_S)


# In the order in which they are made and started.
JOBS: Final = (
    # A run of attribution is mostly the fixed cost of its queries: of 60 decisions a second one
    # each 2.5 s costs .03 cores more than each 3.5 s, and a figure on a page is seconds old as it
    # is. Where much comes a run takes a second and more, and the next one does not wait.
    Job(
        Role.ATTRIBUTE,
        "attribution",
        _every(3.5),
        _attribution,
        stage="attributed",
        keeps_pace=True,
    ),
    Job(Role.ATTRIBUTE, "late", _every(1.0), _late, stage="late"),
    Job(Role.ATTRIBUTE, "sizes", _every(30.0), _sizes),
    Job(Role.ATTRIBUTE, "senders", _every(60.0), _senders),
    Job(Role.ATTRIBUTE, "provenance", _every(4.0), _provenance),
    Job(Role.ALERT, "alerts", lambda s: s.alerts.interval_s, _alerts, stage="alerted"),
    Job(Role.ALERT, "webhooks", _every(1.0), _webhooks, stage="alerted"),
    Job(Role.ALERT, "alertmanagers", _every(1.0), _alertmanagers, stage="alerted"),
    Job(Role.ATTRIBUTE, "evidence", _every(5.0), _evidence),
    # Ten minutes of arrival are summed at once; what is not yet is read as it came.
    Job(Role.ATTRIBUTE, "observed", _every(60.0), _observed),
    # A slope rests on weeks of decisions: an hour more is no news. It asks whether one is over, so
    # that a restart neither brings it forward nor puts it off by much.
    Job(Role.ATTRIBUTE, "slope", _every(300.0), _slope),
    # A mode is wrong from the first day on, and for all of it.
    Job(Role.ATTRIBUTE, "outcomes", _every(300.0), _outcomes),
    # What an experiment may overspend is what it spends in this time, and in the services' second.
    Job(Role.ATTRIBUTE, "experiments", _every(10.0), _experiments),
    Job(Role.ATTRIBUTE, "budgets", _every(30.0), _budgets),
    # A change takes minutes, and to have the engine write out its tables takes 20 ms.
    Job(Role.COLLECT, "retention", _every(60.0), _retention),
    Job(Role.COLLECT, "broken_parts", _every(60.0), _broken_parts),
    *(
        Job(role, "clock", _every(60.0), _clock)
        for role in (Role.COLLECT, Role.ATTRIBUTE, Role.ALERT, Role.SERVE)
    ),
    # By so much what others know of a process is older than what it is behind.
    Job(Role.COLLECT, "progress", _every(10.0), _progress),
    *(Job(role, "elsewhere", _every(10.0), _elsewhere) for role in (Role.ALERT, Role.SERVE)),
    Job(Role.SERVE, "alert_state", _every(5.0), _alert_state),
    Job(Role.COLLECT, "canary", lambda s: s.reference.canary_every_s, _canary),
    # Spans come into the store every three seconds (collector.segment_seconds_max).
    Job(Role.CAPTURE, "packets", _every(3.0), _packets),
)
