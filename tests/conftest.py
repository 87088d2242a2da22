"""Fixtures: a real store, a database a test, and a clock that a test sets."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import settings

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig, StoreConfig
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views, migrate
from tests.support import examples as _examples  # noqa: F401  registers the profiles

pytest_plugins = [
    "tests.support.alerts.fixtures",
    "tests.support.collector.fixtures",
    "tests.support.dashboard.fixtures",
]

# 2033-05-18. Ahead of every machine's clock, because the engine drops at a merge what is older
# than its table's TTL, by the machine's clock.
NOW_NS = 2_000_000_000_000_000_000

# The engine makes thousands of small files a minute. On a disk they are a third of a run's time.
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 * 2**30

# Registered there; `--hypothesis-profile deep` is loaded after this.
settings.load_profile("millworth")

_DATABASES = itertools.count()

# The engine writes out the text of every table that a question about texts does not leave out, and
# that of a view is dear: it is known by its id and time.
_SCHEMA = """
SELECT
    name, engine, uuid, metadata_modification_time, create_table_query,
    if(name = 'schema_migrations', total_rows, 0)
FROM system.tables
WHERE database = currentDatabase() AND engine != 'MaterializedView'
ORDER BY name
UNION ALL
SELECT name, engine, uuid, metadata_modification_time, '', 0
FROM system.tables
WHERE database = currentDatabase() AND engine = 'MaterializedView'
ORDER BY name
"""


def pytest_configure() -> None:
    """Have what tests write in memory, where that is large enough."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # noqa: TID251  pytest reads it


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, which has a store of its own; some have one for all."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        is_alone = item.get_closest_marker("alone") is not None
        item.add_marker(pytest.mark.xdist_group("alone" if is_alone else file))


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


def another_database(engine: Connections) -> Connections:
    """Return connections to a database that no test has used."""
    return Connections(engine.config.model_copy(update={"database": f"test_{next(_DATABASES)}"}))


class StorePool:
    """Migrated databases, handed from test to test without their rows.

    To migrate costs 0.3 s, to empty every table 7 ms. `TRUNCATE` also forgets the tokens of what
    was inserted (tests/house/test_store_pool.py). A database whose schema or ledger a test changed
    is dropped.
    """

    def __init__(self, engine: Connections) -> None:
        self._engine = engine
        self._free: dict[str, list[tuple[object, ...]]] = {}
        self._lent: dict[str, list[tuple[object, ...]]] = {}

    def take(self) -> Connections:
        """Return connections to a database without rows, which is the caller's until given back."""
        if self._free:
            database, schema = self._free.popitem()
            self._lent[database] = schema
            return Connections(self._engine.config.model_copy(update={"database": database}))
        connections = another_database(self._engine)
        client = connections.client()
        migrate(client, NOW_NS)
        apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), NOW_NS)
        self._lent[connections.config.database] = _schema(client)
        return connections

    def give_back(self, connections: Connections) -> None:
        """Empty the database for the next test, or drop it where it is not as it was."""
        database = connections.config.database
        connections.close()  # a setting that the test made sticks to its connection
        client = connections.client()
        schema = self._lent.pop(database)
        if _schema(client) == schema:
            for name, engine, *_ in schema:
                if str(engine).endswith("MergeTree") and name != "schema_migrations":
                    client.command(f"TRUNCATE TABLE {name}")
            self._free[database] = schema
        else:
            client.command(f"DROP DATABASE IF EXISTS {database}")
        connections.close()


def _schema(client: Client) -> list[tuple[object, ...]]:
    """Return what identifies every table, and how long the ledger is."""
    rows = client.query(_SCHEMA).result_rows
    return [tuple(row) for row in rows]


@pytest.fixture
def disk_path() -> Iterator[Path]:
    """Yield a new directory on a disk: `tmp_path` may lie in memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One embedded engine serves the whole run: a process can open one directory only."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def engine(store_path: Path) -> Iterator[Connections]:
    """Keep the engine in memory: it stops with its last connection, and starts anew."""
    connections = Connections(StoreConfig(url=f"chdb://{store_path}", database="engine"))
    connections.client()
    yield connections
    connections.close()


@pytest.fixture
def empty_store(engine: Connections) -> Iterator[Connections]:
    """Yield connections to a database of the test's own, without a table."""
    connections = another_database(engine)
    yield connections
    connections.client().command(f"DROP DATABASE IF EXISTS {connections.config.database}")
    connections.close()


@pytest.fixture(scope="session")
def pool(engine: Connections) -> StorePool:
    """Return the databases that have every table and every view."""
    return StorePool(engine)


@pytest.fixture
def store(pool: StorePool) -> Iterator[Connections]:
    """Yield a store with every table and every view, and no row."""
    connections = pool.take()
    yield connections
    pool.give_back(connections)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that the test moves."""
    return ManualClock()
