"""A seeded store that tests of this room read, and one of its own for a test that writes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner, Result

from collector.core.config import (
    AttributesConfig,
    DecisionsConfig,
    OutcomesConfig,
    StoreConfig,
)
from collector.store.connect import Connections
from collector.store.schema.migrate import load_views, migrate
from dashboard.cli.main import app
from dashboard.read.adhoc.reader import OutsideReader
from dashboard.read.reader import Reader
from tests.support.dashboard.canary import Canary
from tests.support.dashboard.seed import TODAY_NS, seed_world

if TYPE_CHECKING:
    from tests.support.dashboard.app import Api

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def world(store_path: Path) -> Iterator[Connections]:
    """Yield the seeded store; only to be read, since many tests share it."""
    config = StoreConfig(url=f"chdb://{store_path}", database="dashboard_world")
    connections = Connections(config)
    migrate(connections.client(), TODAY_NS)
    # Of the views these alone: the decisions of the seed are written, not derived.
    ours = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())
    views = {view.name: view.statement for view in load_views(*ours)}
    for name in ("otel_traces_mv", "otel_traces_trace_id_ts_mv"):
        connections.client().command(views[f"view {name}"])
    seed_world(connections.client())
    yield connections
    connections.client().command(f"DROP DATABASE IF EXISTS {config.database}")
    connections.close()


@pytest.fixture(scope="session")
def reader(world: Connections) -> Reader:
    """Return a reader of the shared store."""
    return Reader(world)


@pytest.fixture(scope="session")
def outside(world: Connections) -> OutsideReader:
    """Return what answers SQL from outside over the shared store."""
    return OutsideReader(world)


@pytest.fixture(scope="session")
def api(world: Connections) -> Api:
    """Return the whole application over the shared store; only to be asked: many tests share it.

    To make one costs 0.3 s, most of it for the document of its routes.
    """
    from tests.support.dashboard.app import Api  # a second, which few runs of one folder need

    return Api(world)


@pytest.fixture
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    """Yield what SQL from outside must not touch."""
    canary = Canary(tmp_path_factory.mktemp("canary"))
    yield canary
    canary.close()


@pytest.fixture
def own_world(store: Connections) -> Connections:
    """Return a store with the same rows that the test may write to."""
    seed_world(store.client())
    return store


@pytest.fixture
def run(store: Connections, tmp_path: Path) -> Iterator[Run]:
    """Yield a way to run a command on the test's own store."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound and not listening: no service answers there
        settings = tmp_path / "millworth.toml"
        settings.write_text(
            f'[store]\nurl = "{store.config.url}"\ndatabase = "{store.config.database}"\n'
            f"[dashboard]\nport = {silent.getsockname()[1]}\n"
        )

        def invoke(*arguments: str) -> Result:
            return CliRunner().invoke(app, [*arguments, "--config", str(settings)])

        yield invoke
