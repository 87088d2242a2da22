from __future__ import annotations

import json
import statistics
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig, CollectorConfig
from collector.core.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from dashboard.reference.fulfilment import SERVICE as LATE
from dashboard.reference.scenario import SEGMENTS
from dashboard.service.calibration import Calibration, compare
from dashboard.service.canary import Canary
from tests.support.collector.clients import PROTOBUF, WAIT_S
from tests.support.dashboard.sink import Sink
from tests.support.service import RunningService

pytestmark = [pytest.mark.integration, pytest.mark.alone]


def test_known_delays_are_found_where_they_were_injected(
    store: Connections, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Real processes, a real collector, a real store: seven segments suffer 20 ms each.

    The median of three rounds: a process that is held up for a millisecond where it waits to be
    scheduled moves one of them.
    """
    clock = SystemClock()
    from_ns = clock.now_ns()
    collector = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0),
        store,
        tmp_path_factory.mktemp("wal"),
        Counters(),
        clock,
    )
    collector.start()
    try:
        with Calibration(f"http://127.0.0.1:{collector.http_port}", [20.0]) as calibration:
            known = calibration.run(3)
    finally:
        collector.stop(drain_seconds=30)
    assert {each.segment for each in known} == set(SEGMENTS)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(clock.now_ns())

    judged = compare(known, store, from_ns)

    assert len(judged) == len(known) == 3 * len(SEGMENTS)
    for each in judged:
        assert each.recovered.is_right, each
        assert each.recovered.injected_ns >= 20_000_000
    for segment in SEGMENTS:
        own = [each.recovered for each in judged if each.known.segment == segment]
        assert statistics.median(each.error_ratio for each in own) <= 0.02, own


def test_canary_of_a_running_service_is_exported(tmp_path: Path) -> None:
    """What the figures can be trusted with is on /metrics and among the health items."""
    with RunningService(
        tmp_path,
        MILLWORTH__REFERENCE__CANARY_EVERY_S="2",
        # Its spans come from two processes, each in batches of its own.
        MILLWORTH__ATTRIBUTION__SETTLE_S="3",
    ) as service:
        found = wait_for(
            lambda: metric(service.url, "millworth_calibration_decisions"),
            lambda decisions: decisions >= 7,
        )
        # A span that came late is judged again.
        right = wait_for(
            lambda: metric(service.url, "millworth_calibration_right_segment_ratio"),
            lambda ratio: ratio == 1.0,
        )
        error = metric(service.url, "millworth_calibration_error_ratio")
        items = httpx.get(f"{service.url}/api/v1/health", trust_env=False).json()["items"]
        budgets = service.command("budgets", "--json")

    assert found >= 7  # the last of a round may wait for the next judgement
    assert right == 1.0
    assert error <= 0.02
    by_name = {item["name"]: item for item in items}
    assert by_name["calibration.right_segment"]["value"] == 1.0
    (budget,) = json.loads(budgets.stdout)["budgets"]
    # No customer asked for anything: calibration is in no budget.
    assert (budget["decisions"], budget["verdict"], budgets.returncode) == (0, "no decisions", 0)
    assert budget["reference_p50_ms"] > 30


def test_canary_judges_again_what_a_late_span_changed(
    store: Connections, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The spans of one process come after the decisions were attributed without them."""
    clock, counters = SystemClock(), Counters()
    collector = CollectorService(
        CollectorConfig(grpc_port=0, http_port=0),
        store,
        tmp_path_factory.mktemp("wal"),
        counters,
        clock,
    )
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    collector.start()
    try:
        with KeepingSink() as sink:
            canary = Canary(sink.endpoint, store, counters)
            try:
                canary.run_once(clock.now_ns())
                canary.close()  # which sends what is left
                early, late = sink.taken()
                judged = []
                for requests in (early, late):
                    forward(requests, collector)
                    job.drain(clock.now_ns())
                    canary.run_once(clock.now_ns())
                    judged.append(canary.recovery)
            finally:
                canary.close()
    finally:
        collector.stop(drain_seconds=30)

    first, second = judged
    assert (first.decisions, second.decisions) == (len(SEGMENTS), len(SEGMENTS))
    assert first.right_segment_ratio is not None
    assert first.right_segment_ratio < 1
    assert second.right_segment_ratio == 1.0


class KeepingSink(Sink):
    """Keeps the requests for traces as they came."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []

    def take(self, path: str, body: bytes) -> None:
        """Keep a request."""
        if path == "/v1/traces":
            self._kept.append(body)
        super().take(path, body)

    def taken(self) -> tuple[list[bytes], list[bytes]]:
        """Return what has come, that of the process whose spans come late apart."""
        name = LATE.encode()
        return [each for each in self._kept if name not in each], [
            each for each in self._kept if name in each
        ]


def forward(requests: list[bytes], collector: CollectorService) -> None:
    """Send requests on, and wait until they are stored."""
    url = f"http://127.0.0.1:{collector.http_port}/v1/traces"
    headers = {"content-type": PROTOBUF}
    for body in requests:
        answer = httpx.post(url, content=body, headers=headers, trust_env=False, timeout=WAIT_S)
        answer.raise_for_status()
    assert collector.flush(WAIT_S)


def metric(url: str, name: str) -> float:
    """Return the value of one metric without labels, 0 before it is set."""
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    return next(
        (float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0
    )


def wait_for(read: Callable[[], float], enough: Callable[[float], bool]) -> float:
    """Read again and again until it is enough, at most a minute; return the last reading."""
    waiting = threading.Event()
    for _ in range(240):
        if enough(value := read()):
            return value
        waiting.wait(0.25)
    return value
