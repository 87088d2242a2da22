"""Spans go into the store in two forms, and a log of an earlier release knew one of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.otlp.spans import LISTS_MARK, SCALAR_MARK
from collector.store.connect import Connections
from collector.store.schema.migrate import MIGRATIONS_DIR, apply_views, migrate
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


def test_store_and_log_of_an_earlier_release_go_on(
    empty_store: Connections, segments: Segments, tmp_path: Path
) -> None:
    """It had neither marks nor a table for them, and its last segment may be in already."""
    client = empty_store.client()
    earlier = tmp_path / "earlier"
    shutil.copytree(MIGRATIONS_DIR, earlier, ignore=shutil.ignore_patterns("006*"))
    migrate(client, NOW_NS, directory=earlier)
    ours = (AttributesConfig(), DecisionsConfig(), OutcomesConfig())
    apply_views(client, *ours, NOW_NS)
    old = encode_frame(trace_request(decision_span()).SerializeToString(), NOW_NS, 1)
    segments.store(empty_store, segments.write("old", old))

    added = migrate(client, NOW_NS + 1)
    apply_views(client, *ours, NOW_NS + 1)
    segments.store(
        empty_store,
        segments.write("old", old),
        segments.write("new", frame_of("new", mark=SCALAR_MARK)),
    )

    assert {name[:3] for name in added} == {"006"}
    assert names(empty_store) == ["decide price", "new"]
    assert client.query("SELECT count() FROM decisions").result_rows == [(1,)]


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
