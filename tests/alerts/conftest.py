"""Settings of the property tests, and a scene in which alerts fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from collector.store.connect import Connections
from tests.alerts.scene import CALM_S, Scene
from tests.conftest import ManualClock

# A deadline asserts a time, and on a busy machine it asserts the neighbours' time.
settings.register_profile("millworth", deadline=None)
settings.load_profile("millworth")


@pytest.fixture
def scene(store: Connections, tmp_path: Path, clock: ManualClock) -> Iterator[Scene]:
    """Some calm minutes have passed, and the job has judged them."""
    scene = Scene(store, tmp_path, clock)
    scene.go_on(CALM_S)
    scene.judge()
    yield scene
    scene.close()
