"""I/O: what a running process knows of the service, for the Health page and `/api/v1/health`."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from collector.core.errors import CaptureError
from collector.core.event_schema import BUDGET_BYTES
from collector.core.log import lines_lost
from collector.core.times import NS_PER_HOUR, NS_PER_S
from dashboard.health.access import access_items
from dashboard.health.clocks import clock_items
from dashboard.health.items import (
    KEY_RING,
    OUTCOMES,
    UNMATCHED,
    HealthItem,
    Status,
    health_item,
    late_words,
)
from dashboard.health.pipeline import Stages, put_off_items, signal_items, stage_items
from dashboard.health.readiness import must_be_ready
from dashboard.health.reads import read_items
from dashboard.health.senders.job import sender_items
from dashboard.health.slo import promise_items

if TYPE_CHECKING:
    from collector.core.worker import Worker
    from dashboard.health.running import RunningJob, RunningService

# A sender may send again, and transport may reorder.
GOOD_VERDICTS = ("ok", "reordered", "retried")
# A job that has not come through for so many of its own intervals is behind.
_LATE_INTERVALS = 10
# A receiver that failed so often in a row has rested between, and is down.
_LASTING_FAILURES = 3


class ServiceHealth:
    """The state of one running service, or of some of its roles and what others said."""

    def __init__(self, service: RunningService, stages: Stages) -> None:
        self._service = service
        self._stages = stages

    def health(self) -> list[HealthItem]:
        """Return every figure that this process knows, the collector's first."""
        return [*self._first(), *self._of_roles(), *self._last()]

    def must_be_ready(self) -> Collection[str]:
        """Return the stages without which a service of these roles is not ready."""
        return must_be_ready(self._service.roles)

    def _first(self) -> Iterator[HealthItem]:
        now_ns = self._service.clock.now_ns()
        yield from stage_items(self._stages)
        yield from signal_items(self._stages, now_ns)
        yield from _worker_items(self._service.workers())
        if "serve" in self._service.roles:
            yield from self._stages.collector_items(now_ns)
            yield from self._stages.recorder_items(now_ns)

    def _of_roles(self) -> Iterator[HealthItem]:
        service, roles = self._service, self._service.roles
        if "collect" in roles:
            yield from self._collector()
        if "attribute" in roles:
            yield from put_off_items(service.attribution.deferred_ns)
            yield from self._sizes()
            yield from sender_items(service.senders, service.settings.attribution.skew_max_s)
            yield from self._outcomes()
        elif "serve" in roles:
            yield from put_off_items(service.elsewhere.put_off_ns)
        if "collect" in roles:
            yield from self._retention()
            yield from self._broken_parts()
        if "attribute" in roles:
            yield from self._provenance()
        yield from self._audit()

    def _last(self) -> Iterator[HealthItem]:
        service, roles = self._service, self._service.roles
        yield from self._jobs()
        yield from read_items(service.counters)
        if "capture" in roles:
            yield from self._packets()
        if "alert" in roles:
            yield from self._alerts()
        if "attribute" in roles:
            yield from promise_items(service)
        yield from access_items(service.counters, service.gate, service.clock.now_ns())

    def _collector(self) -> Iterator[HealthItem]:
        status = self._service.collector.status()
        waiting = max(status.spans_acked - status.spans_stored - status.spans_quarantined, 0)
        yield health_item("collector.spans_acked", status.spans_acked, "spans")
        yield health_item("collector.spans_stored", status.spans_stored, "spans")
        yield HealthItem(
            "collector.spans_waiting", waiting, "spans", "ok", "in the write-ahead log"
        )
        kept = "kept with their bytes and a reason in `rejected`"
        yield _zero("collector.spans_quarantined", status.spans_quarantined, "spans", kept)
        yield health_item("collector.logs_acked", status.logs_acked, "records")
        yield health_item("collector.points_acked", status.points_acked, "points")
        told = "the senders were told why; see millworth_refused on /metrics"
        last = f"; the last: {status.refused_last}" if status.refused_last else ""
        yield _zero("collector.refused", status.refused, "items", told + last)
        full = status.wal_bytes > self._service.settings.collector.wal_bytes_max // 2
        behind = "over half of collector.wal_bytes_max: the store does not keep up"
        wal_bytes = status.wal_bytes
        yield health_item("collector.wal_bytes", wal_bytes, "bytes", bad=behind if full else "")

    def _sizes(self) -> Iterator[HealthItem]:
        for service, sizes in self._service.sizes.oversized.items():
            detail = (
                f"over {BUDGET_BYTES} bytes, the largest has {sizes.largest:,}: shorten what this "
                f"service says, as in trace {sizes.example}"
            )
            yield health_item(f"schema.over_budget.{service}", sizes.events, "events", warn=detail)

    def contradiction(self) -> str:
        """Return where outcomes are not what they should be, who sends a part, and what waits.

        Who attributes looks: where that is another process, nothing is known here.
        """
        service = self._service
        if "attribute" not in service.roles:
            return ""
        sampled = (each.detail for each in service.senders.sampled)
        done_ns = service.done_ns("late")
        behind_s = None if done_ns is None else (service.clock.now_ns() - done_ns) / NS_PER_S
        said = (*service.outcome_mode.contradictions, *sampled, late_words(behind_s))
        return "; ".join(filter(None, said))

    def _outcomes(self) -> Iterator[HealthItem]:
        mode = self._service.outcome_mode
        if mode.contradictions:
            yield health_item(OUTCOMES, "contradicted", bad="; ".join(mode.contradictions))
        for warning in mode.unmatched:
            yield health_item(UNMATCHED, "many are not", warn=warning)

    def _broken_parts(self) -> Iterator[HealthItem]:
        for each in self._service.broken_parts.found:
            detail = (
                f"the store could not read them at its start and left them out: rows of "
                f"{each.table} are missing, in every figure that rests on it. Restore a backup "
                f"(docs/operate/backup.md); to go on without them, stop the service and remove "
                f"{each.path}" + (" and those beside it" if each.parts > 1 else "")
            )
            yield health_item(f"store.broken.{each.table}", each.parts, "parts", bad=detail)

    def _retention(self) -> Iterator[HealthItem]:
        if ahead_ns := self._service.retention.ahead_ns:
            detail = (
                "so far is the clock of this machine beyond what it was, behind where negative: "
                "nothing lapses until it is set right, or has run evenly for a day"
            )
            yield health_item(
                "retention.clock", round(ahead_ns / NS_PER_HOUR, 1), "hours", warn=detail
            )
        if to_do := self._service.retention.to_do:
            detail = (
                f"parts of {', '.join(sorted(to_do))} learn how long they are kept, and nothing of "
                "these tables lapses or is merged meanwhile"
            )
            parts = sum(change.parts for change in to_do.values())
            failed = next((change.failed for change in to_do.values() if change.failed), "")
            status: Status = "warn" if failed else "ok"
            with_failure = (
                f"{detail}; it failed last: {failed.splitlines()[0][:300]}" if failed else detail
            )
            yield HealthItem("retention.to_do", parts, "parts", status, with_failure)

    def _provenance(self) -> Iterator[HealthItem]:
        job = self._service.provenance
        if job is None:
            detail = "provenance.keys_path names no key ring"
            yield HealthItem("provenance", "off", "", "ok", detail)
            return
        if job.keys_problem:
            yield health_item(KEY_RING, "not read", bad=f"nothing is judged: {job.keys_problem}")
        required = self._service.settings.provenance.required
        for verdict, count in job.totals().items():
            is_well = verdict in GOOD_VERDICTS or (verdict == "unsigned" and not required)
            detail = "" if is_well else "which ones: millworth verify provenance --verdicts"
            yield health_item(f"provenance.{verdict}", count, "events", bad=detail)
        if taken := job.withdrawn():
            detail = (
                "in no sum since this start, and how much they say they were worth: "
                "millworth verify provenance --verdicts"
            )
            yield health_item("sums.withdrawn", taken, "events", warn=detail)

    def _audit(self) -> Iterator[HealthItem]:
        audit = self._service.audit
        if audit is not None and audit.broken_seq is not None:
            detail = f"row {audit.broken_seq}: {audit.reason}; millworth verify audit"
            yield health_item("audit", "broken", bad=detail)

    def _jobs(self) -> Iterator[HealthItem]:
        yield from map(_job_item, self._service.loops)

    def _packets(self) -> Iterator[HealthItem]:
        recorder = self._service.recorder
        if recorder is None:
            # Whoever switched it off need not be told each day.
            status: Status = "warn" if self._service.settings.packet.enabled else "ok"
            yield HealthItem("packet.recorder", "off", "", status, self._service.capture_off_reason)
            return
        try:
            stats = recorder.stats()
        except CaptureError as error:
            yield health_item("packet.recorder", "ended", bad=str(error))
            return
        again = f"it had ended: {recorder.lost}" if recorder.restarts else ""
        yield health_item("packet.recorder", "recording", warn=again)
        yield health_item("packet.recorder_restarts", recorder.restarts)
        yield health_item("packet.packets_seen", stats.packets, "packets")
        yield health_item("packet.memory_bytes", stats.held_bytes, "bytes")
        unseen = "lost before the recorder saw them"
        yield _zero("packet.kernel_drops", stats.kernel_drops, "packets", unseen)
        if self._service.packets is not None:
            budget = self._service.packets.budget
            yield health_item("packet.budget_left_bytes", budget.left_bytes, "bytes")
            no_room = "no room in packet.budget_ratio of what was seen"
            yield _zero("packet.refused_bytes", budget.refused_bytes, "bytes", no_room)
            yield health_item("packet.contexts", stats.contexts, "requests")
            if stats.unsearched:
                detail = "too many at once to search for their trace context; time links them"
                yield health_item("packet.unsearched", stats.unsearched, "requests", warn=detail)
            yield from clock_items(self._service.packets.clocks)

    def _alerts(self) -> Iterator[HealthItem]:
        status = self._service.alerts.status()
        yield health_item("alerts.firing", status.firing, "alerts")
        retried = "retried by schedule"
        yield _zero("alerts.webhooks_waiting", status.pending, "deliveries", retried)
        failing = self._service.alerts.outlets.failing_receivers()
        named = ", ".join(f"{name} ({times:,} in a row)" for name, times in failing.items())
        detail = f"not taken by {named}: mend it, then `millworth alerts try`"
        is_lasting = max(failing.values(), default=0) >= _LASTING_FAILURES
        yield health_item(
            "alerts.receivers_failing",
            len(failing),
            "receivers",
            warn=detail if failing else "",
            bad=detail if is_lasting else "",
        )
        dead = (
            "given up: correct the receiver, then `millworth alerts dead replay`"
            if status.dead
            else ""
        )
        yield health_item("alerts.webhooks_dead", status.dead, "deliveries", bad=dead)
        if gone := self._service.alerts.outlets.disabled_receivers():
            detail = (
                f"{', '.join(gone)} answered 410 and is sent no alert: correct its url, or mend it "
                "and run `millworth alerts try`; then `millworth alerts dead replay`"
            )
            yield HealthItem("alerts.receivers_disabled", len(gone), "receivers", "bad", detail)
        shadows = self._service.alerts.routing.shadows
        if shadows:
            named = f"{', '.join(shadows)}: recorded, and routed to nobody until promoted"
            detail = f"{named}; see `millworth rules list`"
            yield HealthItem("alerts.rules_in_shadow", len(shadows), "rules", "ok", detail)
        if self._service.settings.alerts.alertmanagers:
            peers = self._service.alerts.outlets.failing_peers()
            detail = f"{', '.join(peers)}: see alertmanager_failed in the log"
            yield _zero("alerts.alertmanagers_failing", len(peers), "peers", detail)


def _zero(name: str, count: int, unit: str, otherwise: str) -> HealthItem:
    """Return a figure that warns where it is not zero."""
    return health_item(name, count, unit, warn=otherwise if count else "")


def _worker_items(workers: Mapping[str, Iterable[Worker]]) -> Iterator[HealthItem]:
    """Yield the threads that died since the start, and what of the log nobody could read."""
    for worker in itertools.chain.from_iterable(workers.values()):
        if worker.deaths:
            detail = f"the last time of {worker.last_error}; see worker_died in the log"
            status: Status = "bad" if worker.is_down else "warn"
            yield HealthItem(f"worker.{worker.name}", worker.deaths, "deaths", status, detail)
    untaken = "standard error did not take them: its disk was full, or its reader gone"
    yield _zero("log.lost", lines_lost(), "lines", untaken)


def _job_item(loop: RunningJob) -> HealthItem:
    name = f"job.{loop.name}"
    if loop.worker.is_down:
        return health_item(name, "died", bad=f"begins again; {loop.worker.last_error}")
    if loop.last_error:
        return health_item(name, "failed", bad=loop.last_error)
    if (age_s := loop.age_s) is None:
        return HealthItem(name, None, "s ago", "ok", "its first run is not over yet")
    late = age_s > loop.interval_s * _LATE_INTERVALS
    detail = "the last run is long ago: this machine does not keep up" if late else ""
    return health_item(name, round(age_s, 1), "s ago", warn=detail)
