"""A seeded store that tests of this room read, and one of its own for a test that writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.config import StoreConfig
from collector.store.connect import Connections
from collector.store.migrate import migrate
from dashboard.queries import Reader
from tests.dashboard.seed import TODAY_NS, seed_world


@pytest.fixture(scope="session")
def world(store_path: Path) -> Iterator[Connections]:
    """Yield the seeded store; only to be read, since many tests share it."""
    config = StoreConfig(url=f"chdb://{store_path}", database="dashboard_world")
    connections = Connections(config)
    migrate(connections.client(), TODAY_NS)
    seed_world(connections.client())
    yield connections
    connections.client().command(f"DROP DATABASE IF EXISTS {config.database}")
    connections.close()


@pytest.fixture
def reader(world: Connections) -> Reader:
    """Return a reader of the shared store."""
    return Reader(world)


@pytest.fixture
def own_world(store: Connections) -> Connections:
    """Return a store with the same rows that the test may write to."""
    seed_world(store.client())
    return store
