"""Fixtures of the collector: a service on ports of its own over the real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from collector.config import CollectorConfig
from collector.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.builders import NOW_NS
from tests.conftest import ManualClock

# How long an example takes on a busy machine says nothing about the code.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands at the instant of the builders."""
    return ManualClock(NOW_NS)


@pytest.fixture
def service(store: Connections, clock: ManualClock, tmp_path: Path) -> Iterator[CollectorService]:
    """Yield a started collector; a segment turns only when a test flushes."""
    config = CollectorConfig(grpc_port=0, http_port=0)
    running = CollectorService(config, store, tmp_path / "wal", Counters(), clock)
    running.start()
    yield running
    running.stop(drain_seconds=10)
