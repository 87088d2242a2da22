"""A clock that is set back stops no judging, and what arrives then is not passed by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.core.clock import RisingClock
from collector.core.config import AttributesConfig, CollectorConfig
from collector.core.counters import Counters
from collector.core.times import NS_PER_S
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import Event
from collector.provenance.live.job import ProvenanceJob
from collector.service import CollectorService
from collector.store.connect import Connections
from collector.store.cursors import furthest_cursor
from tests.conftest import NOW_NS
from tests.support.builders import span, trace_request
from tests.support.collector.clients import WAIT_S, post
from tests.support.collector.provenance_scene import Scene, span_of
from tests.support.examples import examples

HOUR_NS = 3_600 * NS_PER_S


@dataclass
class SteppedClock:
    """A clock whose wall time a test sets back while time goes on."""

    mono_ns: int = 0
    offset_ns: int = NOW_NS

    def now_ns(self) -> int:
        """Return the wall time that the test set."""
        return self.offset_ns + self.mono_ns

    def monotonic_ns(self) -> int:
        """Return the time that went by."""
        return self.mono_ns


class Received:
    """A collector and a job of one process, as the service has them."""

    def __init__(self, proof: Scene, clock: SteppedClock, wal_dir: Path) -> None:
        self.clock = clock
        ports = CollectorConfig(grpc_port=0, http_port=0)
        self.collector = CollectorService(ports, proof.store, wal_dir, Counters(), clock)
        self.collector.go_on_from(furthest_cursor(proof.store.client()))
        self.collector.start()
        config = ProvenanceConfig(keys_path=proof.keys, missing_after_s=30.0)
        judged = proof.store, Counters(), AttributesConfig(), self.collector.stored_ns
        self.job = ProvenanceJob(config, *judged)

    def send(self, *events: Event) -> None:
        """Send sealed decisions, and wait until they are stored."""
        url = f"http://127.0.0.1:{self.collector.http_port}"
        with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as http:
            answer = post(http, trace_request(*[span_of(event) for event in events]))
        assert answer.status_code == 200
        assert self.collector.flush(WAIT_S)

    def judge(self, after_s: float) -> dict[str, int]:
        """Let time go by, and return what the job then said."""
        self.clock.mono_ns += round(after_s * NS_PER_S)
        return dict(self.job.run_once(self.collector.now_ns()).verdicts)


@pytest.mark.parametrize("is_restarted", [False, True])
def test_clock_that_was_set_back_stops_no_judging(
    proof: Scene, tmp_path: Path, is_restarted: bool
) -> None:
    """Nothing was judged for an hour; after a restart, what arrived meanwhile never was."""
    clock = SteppedClock()
    running = Received(proof, clock, tmp_path / "wal")
    try:
        events = proof.producer.seal(6)
        running.send(*events[:2])
        assert running.judge(1) == {"ok": 2}
        clock.offset_ns -= HOUR_NS
        if is_restarted:
            running.collector.stop(WAIT_S)
            running = Received(proof, clock, tmp_path / "wal")
        forged = events[2]._replace(tag="0" * 32)
        running.send(forged, events[3])
        assert running.judge(4) == {"ok": 1, "tampered": 1}
        running.send(events[5])
        assert running.judge(4) == {"ok": 1}
        # What is missing is told while the clock is behind, though it takes twice as long.
        assert running.judge(70) == {"missing": 1}
        running.send(events[4])
        assert running.judge(1) == {"reordered": 1}
        clock.offset_ns += 2 * HOUR_NS
        running.send(*proof.producer.seal(1))
        assert running.judge(1) == {"ok": 1}
    finally:
        running.collector.stop(WAIT_S)


def test_what_waits_long_is_told_though_the_clock_was_set_back(
    store: Connections, tmp_path: Path
) -> None:
    """Its age is by the time that arrivals have: by the machine's it came an hour from now."""
    clock = SteppedClock()
    ports = CollectorConfig(grpc_port=0, http_port=0, segment_seconds_max=WAIT_S)
    collector = CollectorService(ports, store, tmp_path, Counters(), clock, delayed_after_s=15.0)
    collector.start()
    url = f"http://127.0.0.1:{collector.http_port}"
    with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as http:
        assert post(http, trace_request(span())).status_code == 200
    clock.offset_ns -= HOUR_NS
    clock.mono_ns += 60 * NS_PER_S
    assert collector.flush(WAIT_S)
    assert collector.stop(WAIT_S)
    rows = store.client().query("SELECT first_ns, stored_ns > first_ns FROM delayed_inserts")
    assert rows.result_rows == [(NOW_NS, 1)]


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(st.integers(0, 10**12), st.integers(-(10**13), 10**13)), max_size=20))
def test_rising_clock_never_falls_and_stands_still_for_nothing(
    steps: list[tuple[int, int]],
) -> None:
    """It is ahead of the clock under it only while that catches up."""
    clock = SteppedClock()
    rising = RisingClock(clock)
    rising.raise_to(NOW_NS + HOUR_NS)
    last_ns = rising.now_ns()
    assert last_ns == NOW_NS + HOUR_NS + 1
    for gone_ns, step_ns in steps:
        clock.mono_ns += gone_ns
        clock.offset_ns += step_ns
        now_ns = rising.now_ns()
        assert now_ns == max(clock.now_ns(), last_ns + gone_ns // 2)
        last_ns = now_ns
