from __future__ import annotations

import pytest

from attribution.config import AttributionConfig
from attribution.job import AttributionJob
from collector.clock import SystemClock
from collector.config import AttributesConfig, CollectorConfig
from collector.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from dashboard.calibration import Calibration, judge
from dashboard.reference.scenario import SEGMENTS

pytestmark = pytest.mark.integration


def test_known_delays_are_found_where_they_were_injected(
    store: Connections, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Real processes, a real collector, a real store: seven segments suffer 20 ms each."""
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
            known = calibration.run(1)
    finally:
        collector.stop(drain_seconds=30)
    assert [each.segment for each in known] == list(SEGMENTS)
    AttributionJob(AttributionConfig(), AttributesConfig(), store).drain(clock.now_ns())

    judged = judge(known, store, from_ns)

    assert len(judged) == len(SEGMENTS)
    for each in judged:
        assert each.recovered.is_right, each
        assert 20_000_000 <= each.recovered.injected_ns
        assert each.recovered.error_ratio <= 0.02, each
