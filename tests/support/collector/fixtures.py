"""Fixtures of the collector: a service on ports of its own over the real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.core.config import CollectorConfig
from collector.core.counters import Counters
from collector.service import CollectorService
from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.collector.clients import WAIT_S, storeless
from tests.support.collector.provenance_scene import Scene


@pytest.fixture
def counters() -> Counters:
    """Return what the started collector counts."""
    return Counters()


@pytest.fixture
def service(
    store: Connections, clock: ManualClock, tmp_path: Path, counters: Counters
) -> Iterator[CollectorService]:
    """Yield a started collector; a segment turns only when a test flushes."""
    config = CollectorConfig(grpc_port=0, http_port=0)
    running = CollectorService(config, store, tmp_path / "wal", counters, clock)
    running.start()
    yield running
    running.stop(drain_seconds=10)


@pytest.fixture
def http(service: CollectorService) -> Iterator[httpx.Client]:
    """Yield a client of the HTTP receiver."""
    url = f"http://127.0.0.1:{service.http_port}"
    with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as client:
        yield client


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[httpx.Client]:
    """Yield a client of a collector to which a test sends nothing that can be stored."""
    service = storeless(tmp_path / "refusing")
    service.start()
    url = f"http://127.0.0.1:{service.http_port}"
    with httpx.Client(base_url=url, timeout=WAIT_S, trust_env=False) as client:
        yield client
    service.stop(WAIT_S)


@pytest.fixture
def proof(store: Connections, tmp_path: Path) -> Scene:
    """Return an empty store and a job."""
    return Scene(store, tmp_path)
