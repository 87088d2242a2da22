"""Fixtures: a real store, a fresh database a test, and a clock that a test sets."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from collector.config import AttributesConfig, DecisionsConfig, OutcomesConfig, StoreConfig
from collector.store.connect import Connections
from collector.store.migrate import apply_views, migrate

# 2033-05-18. Ahead of every machine's clock, because the engine drops at a merge what is older
# than its table's TTL, by the machine's clock.
NOW_NS = 2_000_000_000_000_000_000

# A property that is slow on a busy machine is not wrong: time is never asserted in a test.
settings.register_profile("millworth", deadline=None)
settings.load_profile("millworth")

_DATABASES = itertools.count()


@dataclass
class ManualClock:
    """A clock that stands still until a test moves it."""

    ns: int = NOW_NS

    def now_ns(self) -> int:
        """Return the time that the test set."""
        return self.ns

    def monotonic_ns(self) -> int:
        """Return the same reading: a manual clock never steps."""
        return self.ns


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One embedded engine serves the whole run: a process can open one directory only."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def empty_store(store_path: Path) -> Iterator[Connections]:
    """Yield connections to a database of the test's own, without a table."""
    config = StoreConfig(url=f"chdb://{store_path}", database=f"test_{next(_DATABASES)}")
    connections = Connections(config)
    yield connections
    connections.client().command(f"DROP DATABASE IF EXISTS {config.database}")
    connections.close()


@pytest.fixture
def store(empty_store: Connections) -> Connections:
    """A store with every table and every view."""
    client = empty_store.client()
    migrate(client, NOW_NS)
    apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), NOW_NS)
    return empty_store


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that the test moves."""
    return ManualClock()
