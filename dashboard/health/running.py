"""Pure: what Health and the pipeline's figures read of a running service, whoever composes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from alerts.job import AlertsJob
    from attribution.jobs.attribution import AttributionJob
    from attribution.vram.outcome_mode import OutcomeModeJob
    from attribution.whatif.answers import BudgetStanding
    from attribution.whatif.recovery import Recovery
    from collector.audit.log import AuditState
    from collector.auth.gate import Gate
    from collector.core.clock import Clock
    from collector.core.counters import Counters
    from collector.core.worker import Worker
    from collector.provenance.live.job import ProvenanceJob
    from collector.service import CollectorService
    from collector.store.client.broken_parts import BrokenPartsJob
    from collector.store.connect import Connections
    from collector.store.ttl_change import Change
    from collector.write.event_sizes import EventSizes
    from dashboard.health.peer_processes import PeerProcesses
    from dashboard.health.senders.job import Senders
    from dashboard.settings.settings import Settings
    from packet.capture.start import LastingRecorder
    from packet.jobs.packets import PacketJob


class RunningJob(Protocol):
    """A job that runs again and again."""

    name: str
    interval_s: float
    last_error: str  # of the last run, "" if it came through
    worker: Worker

    @property
    def age_s(self) -> float | None:
        """Return since when the last run that came through is over; None before the first."""
        ...


class KnownDelays(Protocol):
    """What became of decisions with a delay that was injected to be found again."""

    lost: int  # sent, and not attributed in time

    @property
    def recovery(self) -> Recovery:
        """Return how much of the delays of the last runs was found."""
        ...


class Budgets(Protocol):
    """How every latency budget stood at the last run."""

    standings: list[BudgetStanding]


class Recalculated(Protocol):
    """Tables whose parts are given other times to lapse."""

    to_do: dict[str, Change]  # by table
    ahead_ns: int  # of what was known, where nothing lapses for it; negative: behind


class RunningService(Protocol):
    """A service over one store, or some of its roles; what others do is not asked for."""

    settings: Settings
    clock: Clock
    counters: Counters
    gate: Gate
    store: Connections
    attribution: AttributionJob
    sizes: EventSizes
    senders: Senders
    outcome_mode: OutcomeModeJob
    broken_parts: BrokenPartsJob
    provenance: ProvenanceJob | None
    audit: AuditState | None  # as the start found it
    recorder: LastingRecorder | None
    capture_off_reason: str
    packets: PacketJob | None
    elsewhere: PeerProcesses  # what processes of other roles say

    @property
    def roles(self) -> Collection[str]:
        """Return what this process does: collect, capture, attribute, alert, serve."""
        ...

    @property
    def collector(self) -> CollectorService:
        """Return what receives."""
        ...

    @property
    def alerts(self) -> AlertsJob:
        """Return what judges the rules."""
        ...

    @property
    def retention(self) -> Recalculated:
        """Return which tables' retention is being changed."""
        ...

    @property
    def budgets(self) -> Budgets:
        """Return the budgets."""
        ...

    @property
    def canary(self) -> KnownDelays | None:
        """Return what calibrates the running service."""
        ...

    @property
    def loops(self) -> Sequence[RunningJob]:
        """Return the jobs."""
        ...

    def workers(self) -> Mapping[str, Sequence[Worker]]:
        """Return the threads by the stage that rests on them, "" where none does."""
        ...

    def done_ns(self, job: str) -> int | None:
        """Return the instant up to which a job has done its work, None before its first run."""
        ...

    def dead_webhooks(self) -> int:
        """Return how many deliveries were given up."""
        ...
