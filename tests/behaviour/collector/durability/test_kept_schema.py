"""The engine keeps the schema that comes with an insert, and may keep a part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.store.connect import Connections
from tests.conftest import ManualClock
from tests.support.collector.writer import Segments, frame_of, names


@pytest.fixture
def segments(tmp_path: Path, clock: ManualClock) -> Iterator[Segments]:
    """Yield segments in a directory of the test's; none may be left at the end."""
    (tmp_path / "wal").mkdir()
    made = Segments(tmp_path / "wal", clock, is_native=False)
    yield made
    assert made.budget.used_bytes == 0
    assert not list((tmp_path / "wal").iterdir())


@pytest.mark.parametrize("kept", [0, 40, 400], ids=["nothing", "a line", "half"])
def test_schema_of_which_the_engine_kept_a_part_is_written_anew(
    store: Connections, segments: Segments, kept: int
) -> None:
    """The engine writes it once; of a full disk a part is left, which no insert gets past."""
    client = store.client()
    segments.store(store, segments.write("s", frame_of("a")))
    for copy in Path("__cache__").iterdir():  # in the directory that the engine was started in
        os.truncate(copy, kept)
    client.command("SYSTEM DROP FORMAT SCHEMA CACHE FOR Protobuf")  # as a restart does

    writer = segments.store(store, segments.write("t", frame_of("b")))

    assert names(store) == ["a", "b"]
    assert writer.figures().quarantined == 0
