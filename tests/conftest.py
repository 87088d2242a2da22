"""Fixtures: a real store, a database a test, and a clock that a test sets."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
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

# Of tests with one of these marks one runs at a time, whatever their files.
GROUPS = ("alone", "browser")
_TABLES = """
SELECT name, data_paths[1]
FROM system.tables
WHERE database = {database:String} AND engine LIKE '%MergeTree' AND name != 'schema_migrations'
ORDER BY name
"""


def pytest_configure() -> None:
    """Have what tests write in memory, where that is large enough."""
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))  # noqa: TID251  pytest reads it


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among what is imported and collected, which stays to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, which has a store of its own; some have one for all."""
    for item in items:
        file = item.nodeid.partition("::")[0]
        marks = (name for name in GROUPS if item.get_closest_marker(name) is not None)
        item.add_marker(pytest.mark.xdist_group(next(marks, file)))


def pytest_xdist_auto_num_workers() -> int:
    """Return three processes for two cores: a third of what tests take is waiting for programs."""
    return (3 * (os.cpu_count() or 1) + 1) // 2


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
    return _database(engine, f"test_{next(_DATABASES)}")


def _database(engine: Connections, name: str) -> Connections:
    connections = Connections(engine.config.model_copy(update={"database": name}))
    # A thread for each statement, as jobs have: of the few rows of a test more of them made an
    # eighth of its time.
    connections.work_in_background()
    return connections


class StorePool:
    """Migrated databases, handed from test to test without their rows.

    To migrate costs 0.3 s, to look what a test left 3 ms. `TRUNCATE` also forgets the tokens of
    what was inserted (tests/house/test_store_pool.py). A database whose schema or ledger a test
    changed is dropped.
    """

    def __init__(self, engine: Connections) -> None:
        self._engine = engine
        self._free: list[Migrated] = []
        self._lent: dict[str, Migrated] = {}

    def take(self) -> Connections:
        """Return connections to a database without rows, which is the caller's until given back."""
        if self._free:
            migrated = self._free.pop()
            self._lent[migrated.database] = migrated
            return _database(self._engine, migrated.database)
        connections = another_database(self._engine)
        client = connections.client()
        migrate(client, NOW_NS)
        apply_views(client, AttributesConfig(), DecisionsConfig(), OutcomesConfig(), NOW_NS)
        migrated = Migrated(self._engine, connections.config.database)
        self._lent[migrated.database] = migrated
        return connections

    def give_back(self, connections: Connections) -> None:
        """Empty the database for the next test, or drop it where it is not as it was."""
        connections.close()  # a setting that the test made sticks to its connection
        migrated = self._lent.pop(connections.config.database)
        if migrated.is_as_it_was():
            migrated.empty()
            self._free.append(migrated)
        else:
            self._engine.client().command(f"DROP DATABASE IF EXISTS {migrated.database}")


class Migrated:
    """A database as it was migrated, looked at where the engine keeps it.

    To ask the engine for the text of every table costs ten times as much as to read its files, and
    to truncate all tables costs more than to look which have parts.
    """

    def __init__(self, engine: Connections, database: str) -> None:
        self.database = database
        self._client = engine.client()
        of_it = {"database": database}
        ((folder,),) = self._client.query(
            "SELECT metadata_path FROM system.databases WHERE name = {database:String}", of_it
        ).result_rows
        assert engine.config.embedded_path is not None
        self._schema = engine.config.embedded_path / folder
        self._tables = {
            str(name): Path(path) for name, path in self._client.query(_TABLES, of_it).result_rows
        }
        self._were = self._statements()
        self._applied = self._migrations()
        self._parts = {name: _entries(path) for name, path in self._tables.items()}

    def is_as_it_was(self) -> bool:
        """Return whether every table and view, and how long the ledger is, are as they were."""
        return self._statements() == self._were and self._migrations() == self._applied

    def empty(self) -> None:
        """Truncate the tables into which something was written; a part's name never comes again."""
        for name, path in self._tables.items():
            if _entries(path) != self._parts[name]:
                self._client.command(f"TRUNCATE TABLE {self.database}.{name}")
                self._parts[name] = _entries(path)

    def _statements(self) -> dict[str, str]:
        """Return the statement behind each table and view; a new table has another id in it."""
        if not self._schema.is_dir():
            return {}
        return {file.name: file.read_text() for file in self._schema.iterdir()}

    def _migrations(self) -> object:
        """Return how long the ledger is."""
        query = f"SELECT count() FROM {self.database}.schema_migrations"
        return self._client.query(query).result_rows


def _entries(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


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


@pytest.fixture(scope="module")
def shared_store(pool: StorePool) -> Iterator[Connections]:
    """Yield a store for those tests of a file that only read, or whose every request is refused."""
    connections = pool.take()
    yield connections
    pool.give_back(connections)


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that the test moves."""
    return ManualClock()
