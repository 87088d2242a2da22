"""I/O: how far data has come in the service, stage by stage, and what each stage lost.

received -> logged -> stored -> attributed -> alerted; `late` is beside attributed: what happened
long before it was received. A stage is as far behind as the instant is
old up to which everything has passed it; what it lost is counted by reason, and its sender was
told, or its bytes are kept. A process knows the stages of its own roles; the one with the pages
knows of the others what they said in the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from prometheus_client import Counter

from collector.core.errors import MillworthError
from collector.core.sql import sql
from collector.core.times import NS_PER_S
from collector.otlp.check import Signal
from collector.store.connect import Connections
from collector.store.cursors import COLLECT, UNWRITTEN_NS_MAX
from dashboard.health.items import HealthItem, Status, health_item

if TYPE_CHECKING:
    from collector.core.counters import Counters
    from collector.service import SignalFlow
    from dashboard.health.running import RunningService

# The log could not take it, and its sender was told to come again; other reasons are for good.
_LOG_REASONS: Final = ("log_full", "log_write_failed")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds behind at which a stage needs a look, and at which it is not ready."""

    warn_s: float
    bad_s: float
    remedy: str


LIMITS: Final = {
    "logged": Limits(1.0, 10.0, "the disk of collector.wal_dir does not keep up: look at its load"),
    "stored": Limits(
        30.0,
        120.0,
        "the store takes less than comes: look at the load of its machine and disk; where inserts "
        "fail, standard error of the service says insert_failed and why",
    ),
    "attributed": Limits(60.0, 600.0, "attribution does not keep up: see job.attribution"),
    "late": Limits(
        60.0,
        600.0,
        "what happened long ago and came now, or was put off, waits to be attributed; what comes "
        "as it happens goes first: whose clock is off says senders.clock here, what was put off "
        "attribution.put_off, whether it fails job.late, and what it costs read.job late",
    ),
    "alerted": Limits(60.0, 600.0, "alert rules are not judged: see job.alerts"),
}


# By the role of a process that data pass the stage in.
_ROLES: Final = {
    "received": "collect",
    "logged": "collect",
    "stored": "collect",
    "attributed": "attribute",
    "late": "attribute",
    "alerted": "alert",
}
_SERVE: Final = "serve"
_CAPTURE: Final = "capture."  # of a recorder, with its host behind it
PUT_OFF: Final = "attribution.put_off"


_STOPPED: Final = (
    "has stopped or does not keep up: see that it runs, its log, and `/readyz` and `/metrics` on "
    "its --metrics-port"
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. `behind_s` is None where nothing is known yet, as of `received` before data."""

    name: str
    behind_s: float | None
    lost: Mapping[str, int]  # by reason, since the start of this process
    down: Sequence[str] = ()  # threads that died and are not begun again yet
    fault: str = ""  # why it takes nothing, though nothing waits for it
    again: Mapping[str, int] = field(default_factory=dict)  # what senders shall bring again
    role: str = ""  # of the other processes that it is passed in, "" for this one
    unsaid_s: float = 0.0  # of `behind_s`: so long those may say nothing where nothing is new
    quiet_s: float = 0.0  # of `received`: nothing came for so long is worth a look; 0 is never

    @property
    def status(self) -> Status:
        """Return how it is."""
        if self.down or self.fault:
            return "bad"
        limits = LIMITS.get(self.name)
        if limits is None:
            is_quiet = self.behind_s is not None and 0 < self.quiet_s < self.behind_s
            return "warn" if is_quiet else "ok"
        if self.behind_s is None:
            return "warn"
        behind_s = self.behind_s - self.unsaid_s
        if behind_s > limits.bad_s:
            return "bad"
        return "warn" if behind_s > limits.warn_s else "ok"

    @property
    def detail(self) -> str:
        """Return what is wrong and what to do; empty where nothing is."""
        if self.status == "ok":
            return ""
        if self.down:
            return f"{', '.join(self.down)} died, and begins again: see worker_died in the log"
        if self.fault:
            return (
                "what comes is refused: the disk of collector.wal_dir cannot be written: "
                f"{self.fault}; free space or repair the disk"
            )
        if self.quiet_s:
            return (
                "nothing came for longer than alerts.nodata_s, and alerts cannot be judged "
                "meanwhile: see that senders run and reach the receiver"
            )
        if self.role:
            state = "has not said yet how far it is" if self.behind_s is None else _STOPPED
            why = "; where `attributed` is behind as well, that is why"
            return f"`millworth {self.role}` {state}{why if self.name == 'alerted' else ''}"
        if self.behind_s is None:
            return "it has not come through once since the start"
        remedy = LIMITS[self.name].remedy
        if self.name == "alerted" and self.unsaid_s:
            # Attribution is another process, and rules judge no more than it has done.
            return f"{remedy}; or `millworth attribute` is behind: see `/readyz` on its port"
        return remedy


class Stages:
    """Reads the stages that a process knows of, cheaply: no data is looked at."""

    def __init__(self, service: RunningService) -> None:
        self._service = service

    def read(self) -> list[Stage]:
        """Return every stage that is known here, in the order of the flow."""
        service, now_ns = self._service, self._service.clock.now_ns()
        lost = losses(service.counters, service.dead_webhooks())
        down = {
            name: [worker.name for worker in workers if worker.is_down]
            for name, workers in service.workers().items()
        }
        faults = {"logged": next((flow.fault for flow in self.flows().values() if flow.fault), "")}
        again = {"logged": _by_reason(service.counters.refused, is_again=True)}
        stages, arriving_ns = list[Stage](), self.arriving_ns()
        for name, at_ns in self._passed(now_ns).items():
            until_ns = arriving_ns if _ROLES[name] == "collect" else now_ns
            behind_s = None if at_ns is None else max(until_ns - at_ns, 0) / NS_PER_S
            # Rules judge what is attributed, so theirs is as old as what is known of that.
            is_told = not self._is_own("attributed") and _ROLES[name] != "collect"
            unsaid_s = UNWRITTEN_NS_MAX / NS_PER_S if is_told else 0.0
            quiet_s = service.settings.alerts.nodata_s if name == "received" else 0.0
            seconds = (unsaid_s, quiet_s)
            if self._is_own(name):
                told = (down.get(name, ()), faults.get(name, ""), again.get(name, {}))
                stages.append(Stage(name, behind_s, lost[name], *told, "", *seconds))
            else:
                stages.append(Stage(name, behind_s, {}, (), "", {}, _ROLES[name], *seconds))
        return stages

    def _passed(self, now_ns: int) -> dict[str, int | None]:
        """Return by stage the instant up to which everything has passed it, None for unknown."""
        service, flows = self._service, self.flows().values()
        passed: dict[str, int | None] = {}
        if "collect" in service.roles:
            passed["received"] = max(
                (f.newest_ns for f in flows if f.newest_ns is not None), default=None
            )
            arriving_ns = self.arriving_ns()
            passed["logged"] = _oldest(arriving_ns, [f.unlogged_ns for f in flows])
            passed["stored"] = _oldest(arriving_ns, [f.unstored_ns for f in flows])
        elif _SERVE in service.roles:  # what is in a log is known where that is alone
            passed["received"] = self._done_ns("received", "", now_ns)
            passed["stored"] = self._done_ns("stored", "", now_ns)
        attributed_ns = self._done_ns("attributed", "attribution", now_ns)
        if self._is_shown("attributed"):
            passed["attributed"] = attributed_ns
            passed["late"] = self._done_ns("late", "late", now_ns)
        if self._is_shown("alerted"):
            judged_ns = self._done_ns("alerted", "alerts", now_ns)
            if judged_ns is not None:
                # Rules judge what is attributed, however lately they did.
                judged_ns = min(judged_ns, attributed_ns or judged_ns)
                judged_ns -= round(service.settings.alerts.lateness_s * NS_PER_S)
            passed["alerted"] = judged_ns
        return passed

    def _is_own(self, stage: str) -> bool:
        return _ROLES[stage] in self._service.roles

    def _is_shown(self, stage: str) -> bool:
        return self._is_own(stage) or _SERVE in self._service.roles

    def _done_ns(self, stage: str, job: str, now_ns: int) -> int | None:
        """Return up to when a stage is passed: as a job here knows, or as others said."""
        if self._is_own(stage):
            return self._service.done_ns(job)
        return self._service.elsewhere.done_ns(stage, now_ns, LIMITS["stored"].bad_s)

    def collector_items(self, now_ns: int) -> list[HealthItem]:
        """Return a figure for each collector that is a process of its own: what it has stored."""
        limits, items = LIMITS["stored"], []
        for name, stored_ns in self._service.elsewhere.collectors(now_ns).items():
            behind_s = max(now_ns - stored_ns, 0) / NS_PER_S
            is_behind, is_silent = behind_s > limits.warn_s, behind_s > limits.bad_s
            status: Status = "bad" if is_silent else "warn" if is_behind else "ok"
            detail = (
                f"`millworth collect` {_STOPPED}; what it has not stored is in its log, and follows"
                if is_behind
                else ""
            )
            items.append(
                HealthItem(f"{COLLECT}{name}", round(behind_s, 1), "s behind", status, detail)
            )
        return items

    def recorder_items(self, now_ns: int) -> list[HealthItem]:
        """Return a figure for each recorder that is a process of its own: what it looked at."""
        why = f"`millworth capture` {_STOPPED}; decisions of this host have no packets meanwhile"
        items = []
        for host, at_ns in self._service.elsewhere.recorders(now_ns).items():
            behind_s = max(now_ns - at_ns, 0) / NS_PER_S
            warn = why if behind_s > LIMITS["stored"].bad_s else ""
            items.append(
                health_item(f"{_CAPTURE}{host}", round(behind_s, 1), "s behind", warn=warn)
            )
        return items

    def arriving_ns(self) -> int:
        """Return the time by which data arrive: it never falls, where the machine's is set back."""
        service = self._service
        if "collect" in service.roles:
            return service.collector.now_ns()
        return service.clock.now_ns()

    def flows(self) -> Mapping[Signal, SignalFlow]:
        """Return where each signal stands between the sender and the store, where this receives."""
        return self._service.collector.flow() if "collect" in self._service.roles else {}

    def watermarks(self) -> dict[str, int]:
        """Return by signal the event time of which what is older is final; only what is known.

        With the pages alone: all processes see the same store.
        """
        if _SERVE not in self._service.roles:
            return {}
        return watermarks(self._service.store, self._service.settings.alerts.lateness_s)


def stage_items(stages: Stages) -> list[HealthItem]:
    """Return a figure a stage that is known here, with what it lost."""
    items = []
    for stage in stages.read():
        unit = "s ago" if stage.name == "received" else "s behind"
        behind = None if stage.behind_s is None else round(stage.behind_s, 1)
        told = {"told to come again": stage.again, "lost": stage.lost}
        parts = [f"{what}: {_listed(counts)}" for what, counts in told.items() if counts]
        detail = "; ".join([*([stage.detail] if stage.detail else []), *parts])
        items.append(HealthItem(f"stage.{stage.name}", behind, unit, stage.status, detail))
    return items


def put_off_items(put_off_ns: int) -> list[HealthItem]:
    """Return how much of what arrived was passed over and waits, ns, if any does."""
    if not put_off_ns:
        return []
    detail = (
        "so much of what arrived was passed over, so that what came last is attributed at once: "
        "more came than this machine has time for. It is in no figure before it is worked off, the "
        "oldest first, when there is time; if it only grows, give the machine more cores"
    )
    seconds = round(put_off_ns / NS_PER_S, 1)
    return [HealthItem(PUT_OFF, seconds, "s", "warn", detail)]


def signal_items(stages: Stages, now_ns: int) -> list[HealthItem]:
    """Return the figures of each signal between its senders and the store."""
    items = []
    watermarks, arriving_ns = stages.watermarks(), stages.arriving_ns()
    for signal, flow in stages.flows().items():
        figures: dict[str, tuple[int | None, str]] = {
            "last_request": (_age(flow.newest_ns, arriving_ns), "s ago"),
            "watermark": (_age(watermarks.get(signal), now_ns), "s ago"),
            # Where nothing waits nothing is old, and that is known.
            "segment_age": (flow.open_segment_ns or 0, "s"),
            "unstored_age": (_age(flow.unstored_ns, arriving_ns) or 0, "s"),
        }
        for name, (age_ns, unit) in figures.items():
            age_s = None if age_ns is None else round(age_ns / NS_PER_S, 1)
            items.append(HealthItem(f"signal.{signal}.{name}", age_s, unit, "ok"))
        waiting = flow.unstored_segments
        items.append(HealthItem(f"signal.{signal}.unstored_segments", waiting, "segments", "ok"))
        items.append(HealthItem(f"signal.{signal}.queue", flow.waiting_bytes, "bytes", "ok"))
    return items


def losses(counters: Counters, dead_webhooks: int) -> dict[str, dict[str, int]]:
    """Return by stage what did not pass it, by reason."""
    return {
        "received": _by_reason(counters.refused),
        "logged": {},
        "stored": _by_reason(counters.quarantined),
        "attributed": {},
        "late": {},
        "alerted": {"webhook_dead": dead_webhooks} if dead_webhooks else {},
    }


def watermarks(store: Connections, lateness_s: float) -> dict[str, int]:
    """Return the latest event time of each signal less the lateness that is waited for, in ns."""
    try:
        rows = store.reader().query(sql("newest_times", __file__)).result_rows
    except (ClickHouseError, MillworthError):
        return {}  # a store that is away makes it unknown, not zero
    late_ns = round(lateness_s * NS_PER_S)
    return {str(signal): int(newest) - late_ns for signal, newest in rows if newest}


def _oldest(now_ns: int, instants: list[int | None]) -> int:
    return min((ns for ns in instants if ns is not None), default=now_ns)


def _age(then_ns: int | None, now_ns: int) -> int | None:
    return None if then_ns is None else max(now_ns - then_ns, 0)


def _by_reason(counter: Counter, *, is_again: bool = False) -> dict[str, int]:
    """Return what is counted by reason: what senders shall bring again, or all else."""
    counts: dict[str, int] = {}
    for metric in counter.collect():
        for sample in metric.samples:
            if sample.name.endswith("_total") and sample.value:
                reason = sample.labels["reason"]
                if (reason in _LOG_REASONS) is is_again:
                    counts[reason] = counts.get(reason, 0) + int(sample.value)
    return counts


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
