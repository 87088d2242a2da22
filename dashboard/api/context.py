"""I/O: what pages and API are made from, by a service or by a command over a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from fastapi import APIRouter

from alerts.config import AlertsConfig
from attribution.core.config import AttributionConfig
from collector.core.clock import Clock, SystemClock
from collector.core.config import OutcomesConfig
from collector.core.counters import Counters
from collector.store.connect import Connections
from collector.store.retention_policy import RetentionConfig
from collector.write.quarantine import RejectedItems
from dashboard.health.items import HealthSource
from dashboard.read.decisions.listing import DecisionList
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference
from dashboard.read.sealed.store import SealedStore
from dashboard.read.workers import SharedReads, Workers
from dashboard.settings.config import DashboardConfig, SenderDoor, sender_door

if TYPE_CHECKING:
    from alerts.state.sqlite import AlertStore
    from attribution.jobs.attribution import AttributionJob
    from collector.privacy.guard import Protection
    from dashboard.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class AppContext:
    """One store, and what is known of the service over it.

    Attributes:
        store: that everything is read from.
        health: of the service, or `NoHealth` where none runs.
        counters: that `/metrics` shows.
        clock: the time.
        dashboard: the settings of the pages.
        attribution: the settings that dollars rest on.
        attribution_job: recomputes on request; None where another process attributes.
        outcomes: how imported outcomes are read.
        retention: what is kept for how long.
        protection: guards what is imported and replayed; None guards nothing.
        rejected: the quarantine; by default as a collector without settings replays it.
        sealed: the sealed decisions; by default under their own names.
        alert_state: the state of alerts; None where another machine has it.
        alerts: the rules.
        door: where senders send over HTTP, and what is asked of them.
        shared: what several ask at the same time.
        reader: of the store, for pages and `/api/v1`.
        reference: the reference latencies that attribution judges by.
        decisions: lists decisions over the reader.
    """

    store: Connections
    health: HealthSource
    counters: Counters
    clock: Clock = field(default_factory=SystemClock)
    dashboard: DashboardConfig = field(default_factory=DashboardConfig)
    attribution: AttributionConfig = field(default_factory=AttributionConfig)
    attribution_job: AttributionJob | None = None
    outcomes: OutcomesConfig = field(default_factory=OutcomesConfig)
    retention: RetentionConfig = field(default_factory=RetentionConfig)
    protection: Protection | None = None
    rejected: RejectedItems | None = None
    sealed: SealedStore | None = None
    alert_state: AlertStore | None = None
    alerts: AlertsConfig = field(default_factory=AlertsConfig)
    door: SenderDoor = field(default_factory=SenderDoor)
    shared: SharedReads = field(default_factory=SharedReads)
    reader: Reader = field(init=False, repr=False, compare=False)
    reference: Reference = field(init=False, repr=False, compare=False)
    decisions: DecisionList = field(init=False, repr=False, compare=False)

    @classmethod
    def from_settings(
        cls,
        s: Settings,
        store: Connections,
        health: HealthSource,
        counters: Counters,
        clock: Clock,
        protection: Protection,
        attribution_job: AttributionJob | None = None,
        alert_state: AlertStore | None = None,
    ) -> Self:
        """Return the context of a service with these settings."""
        rejected = RejectedItems(
            store,
            protection,
            counters,
            clock,
            attributes=s.attributes,
            retention_days=s.collector.retention_days,
        )
        return cls(
            store,
            health,
            counters,
            clock,
            dashboard=s.dashboard,
            attribution=s.attribution,
            attribution_job=attribution_job,
            outcomes=s.outcomes,
            retention=s.retention,
            protection=protection,
            rejected=rejected,
            sealed=SealedStore(
                store, s.attributes, s.decisions, s.outcomes, s.retention, s.provenance
            ),
            alert_state=alert_state,
            alerts=s.alerts,
            door=sender_door(s.collector, s.access),
        )

    def __post_init__(self) -> None:
        """Make what is read through."""
        reader, reference = Reader(self.store), _reference(self.attribution)
        object.__setattr__(self, "reader", reader)
        object.__setattr__(self, "reference", reference)
        object.__setattr__(self, "decisions", DecisionList(reader, self.attribution, reference))


@dataclass(frozen=True, slots=True)
class Services:
    """What every router answers from.

    Attributes:
        context: the store, and what is known of the service over it.
        workers: threads for what a page or a command waits for.
        questions: threads for what may take long, of which there are few.
        pages: path and title of what the search finds beside.
    """

    context: AppContext
    workers: Workers
    questions: Workers
    pages: Sequence[tuple[str, str]] = ()

    @property
    def store(self) -> Connections:
        """Return the store that is answered from."""
        return self.context.store

    @property
    def clock(self) -> Clock:
        """Return the clock of the service."""
        return self.context.clock


MakeRouter = Callable[[Services], APIRouter]


def _reference(config: AttributionConfig) -> Reference:
    return Reference(
        default_ns=config.reference_ns(""),
        by_action_ns={
            action: config.reference_ns(action) for action in config.reference_latency_by_action_ms
        },
    )
