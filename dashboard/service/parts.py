"""I/O: the parts of a service that its jobs share: the store, the collector, and each other."""

from __future__ import annotations

import socket
from collections.abc import Collection
from typing import TYPE_CHECKING

from collector.auth.gate import Gate, load_tokens
from collector.core.clock import Clock, RisingClock, SystemClock
from collector.core.counters import Counters
from collector.core.errors import ConfigError
from collector.service import CollectorService
from collector.store.client.directory import enter_directory
from collector.store.connect import Connections
from dashboard.health.peer_processes import CollectorCursor, PeerProcesses
from dashboard.health.store_clock import StoreClock
from dashboard.service.role import ALL, Role
from dashboard.service.schema import require_clock
from dashboard.settings.privacy import protection_of
from dashboard.settings.settings import Settings
from dashboard.settings.user import refuse_other

if TYPE_CHECKING:
    from alerts.job import AlertsJob
    from alerts.rules.base import Progress
    from alerts.state.sqlite import AlertStore
    from attribution.jobs.attribution import AttributionJob
    from attribution.vram.outcome_mode import OutcomeModeJob
    from collector.provenance.live.job import ProvenanceJob
    from collector.store.client.broken_parts import BrokenPartsJob
    from collector.store.ttl_change import RetentionJob
    from collector.write.event_sizes import EventSizes
    from dashboard.health.senders.job import Senders
    from dashboard.service.canary import Canary
    from dashboard.service.slo_gauges import BudgetGauges
    from packet.capture.start import LastingRecorder
    from packet.jobs.packets import PacketJob


class Parts:
    """What the roles of one process have, made and not started.

    Args:
        settings: of every room.
        roles: that this process runs.
        clock: the time; by default the machine's, and of roles apart the store's.

    Raises:
        ConfigError: some roles alone over an embedded store, one of another user's, or a setting
            is missing.
    """

    # Set by the jobs that make them, so only where their role runs.
    attribution: AttributionJob
    sizes: EventSizes
    senders: Senders
    budgets: BudgetGauges
    outcome_mode: OutcomeModeJob
    retention: RetentionJob
    broken_parts: BrokenPartsJob
    is_stopping = False  # what has more to do leaves it

    def __init__(
        self, settings: Settings, roles: Collection[Role] = ALL, clock: Clock | None = None
    ) -> None:
        self.roles = frozenset(roles)
        _require_server(settings, self.roles)
        refuse_other(settings)
        if Role.ALERT in self.roles:
            settings.require_secrets()
        self.settings = settings
        self.clock = clock or SystemClock()
        settings.require_certificates(self.clock.now_ns())
        self.counters = Counters()
        listens = self.roles & {Role.COLLECT, Role.SERVE}
        tokens = load_tokens(settings.access) if listens else ()
        self.store = Connections(settings.store, self.counters.count_read)
        wal_dir, self.alerts_path = settings.wal_dir, settings.alerts_path
        self.protection = protection_of(
            settings, None if Role.COLLECT in self.roles else wal_dir, self.store
        )
        require_clock(settings, self.clock.now_ns())
        # Opened first: whoever holds the store holds the log and the alert state beside it.
        enter_directory(settings.store)
        self.store.client()
        if Role.ALERT in self.roles:
            from alerts.state.schema import look_at_state

            look_at_state(self.alerts_path)  # before anybody is received
        self.store_clock: StoreClock | None = None
        # Who records has the stamps of this machine's kernel, which its own clock goes with.
        if clock is None and not self.is_whole and Role.CAPTURE not in self.roles:
            self.clock = self.store_clock = StoreClock(self.clock, self.store)
        self.elsewhere = PeerProcesses(self.store)
        # Says how far this is to processes of other roles, of which there are none where it is all.
        self.collector_cursor: CollectorCursor | None = None
        if Role.COLLECT in self.roles and not self.is_whole:
            self.collector_cursor = CollectorCursor(self.store, wal_dir, socket.gethostname())
        self._rising = RisingClock(self.clock)
        self.gate = Gate(tokens, self.counters, self.clock, settings.access.proxy)
        self._collector: CollectorService | None = None
        if Role.COLLECT in self.roles:
            self._collector = CollectorService(
                settings.collector,
                self.store,
                wal_dir,
                self.counters,
                self.clock,
                settings.attributes,
                self.protection,
                gate=self.gate,
                decisions=settings.decisions,
                # Half of what attribution elsewhere reads again: the rest is for the insert.
                delayed_after_s=(None if self.is_whole else settings.attribution.overlap_s / 2),
            )
        self.alerts_job: AlertsJob | None = None
        self.alert_state: AlertStore | None = None  # of a job here, or a file that is there
        self.provenance: ProvenanceJob | None = None
        self.canary: Canary | None = None
        self.packets: PacketJob | None = None
        self.recorder: LastingRecorder | None = None
        self.packet_config = settings.packet
        self.capture_off_reason = "the packet recorder has not been started"
        self.capture_lost: str | None = None  # why the recorder did not answer the last run

    @property
    def is_whole(self) -> bool:
        """Return whether this process is all of the service."""
        return self.roles == ALL

    @property
    def collector(self) -> CollectorService:
        """Return what receives; this process has the role `collect`."""
        assert self._collector is not None
        return self._collector

    @property
    def alerts(self) -> AlertsJob:
        """Return what judges the rules; this process has the role `alert`, and its rooms."""
        assert self.alerts_job is not None
        return self.alerts_job

    def find_alert_state(self) -> bool:
        """Open the state of alerts that another process of this machine has; return if it is new.

        Raises:
            InputError: the file is none of ours.
        """
        from alerts.state.sqlite import AlertStore

        if self.alert_state is not None:
            return False
        self.alert_state = AlertStore.there(self.alerts_path)
        return self.alert_state is not None

    def stored_ns(self) -> int | None:
        """Return until when all that was received is stored; None where this does not receive."""
        return self._collector.stored_ns() if self._collector is not None else None

    def newest_ns(self) -> int | None:
        """Return when this received something last, 0 if never; None where it does not receive."""
        return (self._collector.newest_ns() or 0) if self._collector is not None else None

    def rising_ns(self) -> int:
        """Return the time by which data arrive here: one that never falls, across restarts too."""
        return self._rising.now_ns() if self._collector is None else self._collector.now_ns()

    def progress(self) -> Progress:
        """Return how far the collector has come, for the dead man."""
        from alerts.rules.base import Progress

        collector = self.collector
        return Progress(collector.live_ns() or 0, collector.stored_ns(), collector.now_ns())


def _require_server(settings: Settings, roles: frozenset[Role]) -> None:
    if roles != ALL and settings.store.embedded_path is not None:
        raise ConfigError(
            f"`millworth {', '.join(sorted(roles))}` needs a server in store.url; the embedded "
            "store has one owner: run `millworth up`, which does all of it"
        )
    if roles == {Role.CAPTURE} and not settings.packet.host:
        raise ConfigError(
            "packet.host is empty, and recorders that share a store are told apart by it; "
            "name this machine as its spans do in host.name"
        )
