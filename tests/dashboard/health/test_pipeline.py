"""Own health by stage: how far data has come, and what was lost on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from alerts.config import AlertsConfig
from attribution.core.config import AttributionConfig
from collector.core.clock import RisingClock
from collector.core.counters import Counters
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.core.worker import Worker
from collector.otlp.check import Signal
from collector.service import SignalFlow
from collector.store.connect import Connections
from dashboard.docs.metrics import metrics_page
from dashboard.health.pipeline import (
    LIMITS,
    Stage,
    Stages,
    put_off_items,
    signal_items,
    stage_items,
)
from dashboard.health.pipeline_metrics import StageMetrics
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, outcome, store_request, trace_request
from tests.support.builders import logs_request as records


def ago(seconds: float) -> int:
    """Return an instant before the test's now."""
    return NOW_NS - round(seconds * NS_PER_S)


@dataclass
class FakeService:
    """What stages ask of a service."""

    store: Connections | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    rising: RisingClock = field(init=False)
    counters: Counters = field(default_factory=Counters)
    flows: dict[Signal, SignalFlow] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    dead: int = 0
    roles: tuple[str, ...] = ("collect", "attribute", "alert", "serve")
    threads: dict[str, list[Worker]] = field(default_factory=dict)
    settings: Any = field(
        default_factory=lambda: SimpleNamespace(
            attribution=AttributionConfig(settle_s=5.0), alerts=AlertsConfig(lateness_s=10.0)
        )
    )

    def __post_init__(self) -> None:
        """Have data arrive by a clock that never falls."""
        self.rising = RisingClock(self.clock)

    @property
    def collector(self) -> Any:  # noqa: ANN401  stands for the collector
        """Return what knows the flows, and when they arrive."""
        return SimpleNamespace(flow=lambda: self.flows, now_ns=self.rising.now_ns)

    def dead_webhooks(self) -> int:
        """Return the dead letters."""
        return self.dead

    def workers(self) -> dict[str, list[Worker]]:
        """Return threads by stage."""
        return self.threads

    def done_ns(self, job: str) -> int | None:
        """Return how far a job has come."""
        return self.done.get(job)

    def stages(self) -> Stages:
        """Return what reads it."""
        return Stages(cast("Any", self))


def flow(**changes: int | str | None) -> SignalFlow:
    """Return a signal of which nothing waits."""
    fields: dict[str, Any] = {
        "newest_ns": None,
        "unlogged_ns": None,
        "unstored_ns": None,
        "open_segment_ns": None,
        "waiting_bytes": 0,
        "unstored_segments": 0,
        "fault": "",
        **changes,
    }
    return SignalFlow(**fields)


def behind(service: FakeService) -> dict[str, float | None]:
    """Return how far behind each stage is."""
    return {stage.name: stage.behind_s for stage in service.stages().read()}


def test_service_that_was_never_sent_to_is_behind_nothing() -> None:
    """Unknown is not zero: nobody knows when data last came, and no job has come through."""
    assert behind(FakeService(flows={Signal.TRACES: flow()})) == {
        "received": None,
        "logged": 0.0,
        "stored": 0.0,
        "attributed": None,
        "late": None,
        "alerted": None,
    }


def test_data_are_no_newer_where_the_clock_is_set_back(store: Connections) -> None:
    """What came last is by a clock that never falls: it read 0 s ago until the other caught up."""
    service = FakeService(store, flows={Signal.TRACES: flow(newest_ns=ago(0), unstored_ns=ago(0))})
    assert service.rising.now_ns() == NOW_NS
    service.clock.ns -= 2 * NS_PER_HOUR
    service.rising.now_ns()
    service.clock.ns += 600 * NS_PER_S
    # It goes on at half its pace, so an age is half of what it is: no zero.
    found = behind(service)
    assert (found["received"], found["stored"], found["logged"]) == (300.0, 300.0, 0.0)
    items = {item.name: item.value for item in signal_items(service.stages(), service.clock.ns)}
    assert items["signal.traces.last_request"] == 300.0
    assert items["signal.traces.unstored_age"] == 300.0


def test_each_stage_is_as_old_as_the_oldest_thing_that_has_not_passed_it() -> None:
    """The worst signal counts, and what a stage waits for on purpose is part of its age."""
    service = FakeService(
        flows={
            Signal.TRACES: flow(newest_ns=ago(1), unlogged_ns=ago(0.5), unstored_ns=ago(3)),
            Signal.LOGS: flow(newest_ns=ago(2), unstored_ns=ago(7)),
        },
        done={"attribution": ago(7), "late": ago(90), "alerts": ago(4)},
    )
    assert behind(service) == {
        "received": 1.0,
        "logged": 0.5,
        "stored": 7.0,
        "attributed": 7.0,
        "late": 90.0,
        "alerted": 17.0,
    }


def test_alerts_are_as_old_as_what_they_judge() -> None:
    """A pass of a second ago over windows that ended a quarter of an hour ago was "ok"."""
    done = {"attribution": ago(984), "alerts": ago(1)}
    stages = FakeService(flows={Signal.TRACES: flow()}, done=done).stages().read()
    alerted = next(stage for stage in stages if stage.name == "alerted")
    assert (alerted.behind_s, alerted.status) == (994.0, "bad")


def test_losses_are_told_by_stage_and_reason() -> None:
    """A bad span is its sender's, an unreadable one the store's; a full log loses nothing."""
    service = FakeService(flows={Signal.TRACES: flow()}, dead=2)
    service.counters.refused.labels("traces", "span_id_invalid").inc(3)
    service.counters.refused.labels("logs", "log_full").inc(5)
    service.counters.refused.labels("traces", "log_full").inc(1)
    service.counters.quarantined.labels("traces", "unparsable").inc(4)
    assert {stage.name: dict(stage.lost) for stage in service.stages().read()} == {
        "received": {"span_id_invalid": 3},
        "logged": {},
        "stored": {"unparsable": 4},
        "attributed": {},
        "late": {},
        "alerted": {"webhook_dead": 2},
    }
    items = {item.name: item for item in stage_items(service.stages())}
    assert items["stage.logged"].detail == "told to come again: 6 log_full"


@pytest.mark.parametrize("name", LIMITS)
def test_stage_that_falls_behind_says_what_to_do(name: str) -> None:
    """It warns first, then is not ready; the remedy is a sentence, not a number."""
    limits = LIMITS[name]
    assert Stage(name, limits.warn_s, {}).status == "ok"
    late = Stage(name, limits.warn_s + 1, {})
    assert (late.status, late.detail) == ("warn", limits.remedy)
    assert Stage(name, limits.bad_s + 1, {}).status == "bad"
    assert Stage(name, None, {}).status == "warn"
    assert "not come through" in Stage(name, None, {}).detail
    # Another process says each 30 s that it is there, where nothing is new.
    assert Stage(name, limits.warn_s + 30, {}, unsaid_s=30.0).status == "ok"
    elsewhere = Stage(name, limits.warn_s + 31, {}, role="attribute", unsaid_s=30.0).detail
    assert elsewhere.startswith("`millworth attribute` has stopped or does not keep up: see")


def test_metrics_of_the_stages_are_read_at_the_scrape(store: Connections) -> None:
    """Values, units and labels as a scraper sees them; what is unknown has no sample."""
    store_request(store, trace_request(decision_span(start_ns=ago(1), duration_ns=NS_PER_S)))
    store_request(store, records(outcome(time_ns=ago(3))))
    service = FakeService(
        store,
        flows={
            Signal.TRACES: flow(
                newest_ns=ago(2),
                unstored_ns=ago(4),
                open_segment_ns=NS_PER_S,
                waiting_bytes=77,
                unstored_segments=3,
            ),
            Signal.METRICS: flow(),
        },
        done={"alerts": NOW_NS},
    )
    service.counters.refused.labels("logs", "log_full").inc(4)
    service.counters.refused.labels("logs", "span_id_invalid").inc(5)
    registry = CollectorRegistry()
    registry.register(StageMetrics(service.stages(), service.clock.now_ns))
    shown = {
        (sample.name.removeprefix("millworth_"), *sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
    }
    now_s = NOW_NS / NS_PER_S
    assert shown == {
        ("stage_behind_seconds", "received"): 2.0,
        ("stage_behind_seconds", "logged"): 0.0,
        ("stage_behind_seconds", "stored"): 4.0,
        ("stage_behind_seconds", "alerted"): 10.0,
        ("stage_lost_total", "received", "span_id_invalid"): 5.0,
        ("watermark_timestamp_seconds", "traces"): now_s - 1 - 10,
        ("watermark_timestamp_seconds", "logs"): now_s - 3 - 10,
        ("last_request_timestamp_seconds", "traces"): now_s - 2,
        ("queue_bytes", "traces"): 77.0,
        ("queue_bytes", "metrics"): 0.0,
        ("segment_age_seconds", "traces"): 1.0,
        ("segment_age_seconds", "metrics"): 0.0,
        ("unstored_age_seconds", "traces"): 4.0,
        ("unstored_age_seconds", "metrics"): 0.0,
        ("unstored_segments", "traces"): 3.0,
        ("unstored_segments", "metrics"): 0.0,
    }
    encode, _ = choose_encoder("application/openmetrics-text")
    assert encode(registry).endswith(b"# EOF\n")
    order = ["received", "logged", "stored", "attributed", "late", "alerted"]
    assert [stage.name for stage in service.stages().read()] == order


def test_store_that_is_away_leaves_the_watermark_unknown(empty_store: Connections) -> None:
    """A scrape answers what it knows; zero would be 1970."""
    assert FakeService(empty_store).stages().watermarks() == {}


def test_names_follow_the_conventions_of_prometheus() -> None:
    """Base units last, counters end in _total, and every name is ours."""
    rows = [line.split(" | ") for line in metrics_page().splitlines() if line.startswith("| `mill")]
    assert len(rows) > 20
    for cell, kind, _, meaning in rows:
        name = cell.strip("|` ")
        assert name.startswith("millworth_")
        assert name.endswith("_total") == (kind == "counter")
        assert not name.endswith(("_ms", "_ns", "_kb", "_mib", "_percent"))
        assert meaning[0].isupper() or meaning[0] == "1"


def test_stage_whose_thread_died_is_not_ready_until_it_runs_again(clock: ManualClock) -> None:
    """A balancer has to know at once, not when what waits for the thread is old."""
    worker = Worker("wal-traces", lambda: None, Counters(), clock)
    service = FakeService(flows={Signal.TRACES: flow()}, threads={"logged": [worker]})
    worker.is_down = True
    logged = {item.name: item for item in stage_items(service.stages())}["stage.logged"]
    assert logged.status == "bad"
    assert logged.detail == "wal-traces died, and begins again: see worker_died in the log"


def test_log_that_cannot_be_written_is_not_ready_though_nothing_waits_for_it() -> None:
    """What it refuses is not behind: its sender was told, and the stage was called ready."""
    full = flow(fault="No space left on device")
    service = FakeService(flows={Signal.LOGS: flow(), Signal.TRACES: full})
    logged = {item.name: item for item in stage_items(service.stages())}["stage.logged"]
    assert (logged.value, logged.status) == (0.0, "bad")
    assert logged.detail == (
        "what comes is refused: the disk of collector.wal_dir cannot be written: No space left on "
        "device; free space or repair the disk"
    )


def test_what_was_put_off_is_said_while_it_waits() -> None:
    """No stage is behind by it, and it is in no figure."""
    assert put_off_items(0) == []
    (item,) = put_off_items(38_000_000_000)
    assert (item.name, item.value, item.unit, item.status) == (
        *("attribution.put_off", 38.0),
        *("s", "warn"),
    )
    assert "more cores" in item.detail


@pytest.mark.parametrize(
    ("since_s", "status"),
    [(None, "ok"), (290, "ok"), (310, "warn")],
    ids=["never", "well", "quiet"],
)
def test_receiver_that_nothing_comes_to_is_worth_a_look(since_s: int | None, status: str) -> None:
    """It was green and `ok` for as long as no alert could be judged."""
    newest_ns = None if since_s is None else ago(since_s)
    service = FakeService(flows={Signal.TRACES: flow(newest_ns=newest_ns)})
    [item] = [each for each in stage_items(service.stages()) if each.name == "stage.received"]
    assert item.status == status
    assert ("see that senders run" in item.detail) is (status == "warn")
