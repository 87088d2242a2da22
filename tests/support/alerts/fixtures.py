"""A scene in which alerts fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.alerts.scene import CALM_S, Scene
from tests.support.alerts.state_api import StateApi


@pytest.fixture
def state_api(store: Connections, tmp_path: Path) -> Iterator[StateApi]:
    """`/api/v1` over an alert state of its own."""
    api = StateApi(store, tmp_path)
    yield api
    api.close()


@pytest.fixture(scope="module")
def refusing_api(
    shared_store: Connections, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StateApi]:
    """`/api/v1` for those requests of a file that it refuses: one for all, as nothing is left."""
    api = StateApi(shared_store, tmp_path_factory.mktemp("refused"))
    yield api
    api.close()


@pytest.fixture
def scene(store: Connections, tmp_path: Path, clock: ManualClock) -> Iterator[Scene]:
    """Some calm minutes have passed, and the job has judged them."""
    scene = Scene(store, tmp_path, clock)
    scene.go_on(CALM_S)
    scene.judge()
    yield scene
    scene.close()
