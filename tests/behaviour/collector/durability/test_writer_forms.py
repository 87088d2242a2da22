"""Spans go into the store in two forms, and a log of an earlier release knew one of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.otlp.spans import LISTS_MARK, SCALAR_MARK
from collector.store.connect import Connections
from collector.wal.frames import encode_frame
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import decision_span, trace_request
from tests.support.collector.writer import Segments, frame_of, names


@pytest.fixture
def segments(tmp_path: Path, clock: ManualClock) -> Iterator[Segments]:
    """Yield segments in a directory of the test's; none may be left at the end."""
    (tmp_path / "wal").mkdir()
    made = Segments(tmp_path / "wal", clock)
    yield made
    assert made.budget.held == 0
    assert not list((tmp_path / "wal").iterdir())


def test_segment_of_both_forms_is_stored_once(store: Connections, segments: Segments) -> None:
    """What may be read as it lies goes in apart from the rest, and a replay parts them alike."""
    frames = [
        frame_of("a", mark=SCALAR_MARK),
        frame_of("b", mark=LISTS_MARK),
        frame_of("c"),
        frame_of("d", mark=SCALAR_MARK),
    ]
    for _ in range(2):
        writer = segments.store(store, segments.write("s", *frames))

    assert names(store) == ["a", "b", "c", "d"]
    assert writer.figures().stored == 4


def test_frame_without_a_mark_is_read_in_its_general_form(
    store: Connections, segments: Segments
) -> None:
    """A log may hold both, and its last segment may be in already."""
    old = encode_frame(trace_request(decision_span()).SerializeToString(), NOW_NS, 1)
    segments.store(store, segments.write("old", old))
    segments.store(
        store,
        segments.write("old", old),
        segments.write("new", frame_of("new", mark=SCALAR_MARK)),
    )

    assert names(store) == ["decide price", "new"]
    assert store.client().query("SELECT count() FROM decisions").result_rows == [(1,)]


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
