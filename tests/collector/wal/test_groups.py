"""A backlog goes into the store a few segments at a time, in order, and after a crash as before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.core.disk import Disk
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.store.connect import Connections
from collector.wal.groups import draft_group, fix_group, recover_group
from collector.write.writer import StoreWriter
from tests.conftest import ManualClock
from tests.support.collector.clients import WAIT_S
from tests.support.collector.writer import Segments, frame_of, names

NAMES = [f"traces-{number}" for number in range(6)]


@pytest.fixture
def segments(tmp_path: Path, clock: ManualClock) -> Iterator[Segments]:
    """Yield a log; nothing may be left of it at the end."""
    (tmp_path / "wal").mkdir()
    made = Segments(tmp_path / "wal", clock)
    yield made
    assert made.budget.used_bytes == 0
    assert not list((tmp_path / "wal").iterdir())


def backlog(segments: Segments, count: int = len(NAMES)) -> list[Path]:
    """Write so many segments of a span each."""
    return [segments.write(name, frame_of(name)) for name in NAMES[:count]]


def inserts(segments: Segments) -> float:
    """Return how often the store was given something."""
    (metric,) = segments.counters.insert_seconds.collect()
    return sum(s.value for s in metric.samples if s.name.endswith("_count"))


def test_backlog_is_joined_in_its_order(store: Connections, segments: Segments) -> None:
    """An insert costs the same for a second of data as for 16 MiB: one by one never catches up.

    The oldest that a start finds may be in the store under its own name, so it goes alone.
    """
    writer = segments.store(store, *backlog(segments))

    assert names(store) == NAMES
    assert inserts(segments) == 2
    assert writer.figures().stored == len(NAMES)


def test_group_is_no_larger_than_an_insert_may_be(
    store: Connections, segments: Segments, clock: ManualClock
) -> None:
    """A group bounds the memory of an insert as a segment does."""
    paths = backlog(segments)
    two = 2 * paths[0].stat().st_size
    writer = StoreWriter(
        Signal.TRACES,
        store,
        segments.budget,
        segments.counters,
        clock,
        Protection(),
        insert_bytes_max=two,
    )
    for path in paths:
        writer.submit(path)
    writer.start()
    assert writer.drain(WAIT_S)
    writer.stop()

    assert names(store) == NAMES
    assert inserts(segments) == len(NAMES) // 2


def test_group_that_a_crash_left_goes_in_again_as_it_was(
    store: Connections, segments: Segments, tmp_path: Path
) -> None:
    """What came since belongs to another insert: with it the store would not know the group."""
    paths = backlog(segments, 4)
    kept = tmp_path / "kept"
    shutil.copytree(segments.directory, kept)
    disk = Disk()
    fix_group(draft_group(paths[:3], disk), paths[:3], disk)
    segments.store(store, *paths)  # all in, and the process ends before it can strike it out
    assert names(store) == NAMES[:4]

    # The third had a torn end put behind it by the crash; the group's bytes are the same.
    for path in paths[:3]:
        shutil.copy(kept / path.name, path)
        segments.budget.adopt(path.stat().st_size)
    with paths[1].open("ab") as torn:
        torn.write(b"\x50torn")
    segments.budget.adopt(5)
    fix_group(draft_group(paths[:3], disk), paths[:3], disk)
    segments.store(store, *paths[:3], *(segments.write(name, frame_of(name)) for name in NAMES[4:]))

    assert names(store) == NAMES


def test_group_that_is_stored_is_deleted_and_not_stored_again(
    store: Connections, segments: Segments
) -> None:
    """Its name was struck out before any of it was deleted; a part of it may be left."""
    paths = backlog(segments, 3)
    disk = Disk()
    group = fix_group(draft_group(paths, disk), paths, disk)
    group.path.rename(group.path.with_suffix(".stored"))
    segments.budget.release(sum(path.stat().st_size for path in paths))
    paths[0].unlink()

    assert recover_group(segments.directory, "traces", disk) is None
    assert names(store) == []


def test_draft_does_not_count(store: Connections, segments: Segments) -> None:
    """A crash before it was fixed has put nothing into the store under its name."""
    paths = backlog(segments)
    draft_group(paths[1:3], Disk())

    segments.store(store, *paths)

    assert names(store) == NAMES
