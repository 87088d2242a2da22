"""kill -9 at any point: what was acknowledged is in the store, once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from collector.bench.crash.child import Plan, Point, Trap, TrapDisk
from collector.bench.crash.power_cut import cut_power, tear
from collector.bench.crash.run import Ledger, crash_rounds, make_plan
from collector.wal.frames import encode_frame, scan


class Always(random.Random):
    """A draw that undoes whatever may be undone."""

    def random(self) -> float:
        """Return less than every share."""
        return 0.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a directory with an empty log."""
    (tmp_path / "wal").mkdir()
    return tmp_path


@pytest.fixture
def disk(directory: Path) -> TrapDisk:
    """Return a disk that notes what it syncs."""
    return TrapDisk(Trap(Plan(Point.ANYWHERE, 1, from_start=False)), directory)


def append(path: Path, content: bytes, disk: TrapDisk | None) -> None:
    """Append, and sync where there is a disk to do it."""
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        if disk is not None:
            disk.sync(file.fileno())


@pytest.mark.integration
def test_kill_loses_nothing_and_counts_nothing_twice() -> None:
    """A migration and inserts cut short, at their end too; `millworth bench crash` has more."""
    said: list[str] = []

    figures = crash_rounds([0, 4, 152], said.append)

    assert figures.rounds == 3, said
    assert figures.acked > 0, said
    assert (figures.acked_lost, figures.counted_twice) == (0, 0), said


def test_power_cut_takes_what_was_not_synced(directory: Path, disk: TrapDisk) -> None:
    """A plain kill leaves everything to the kernel, so it cannot see that a sync is missing."""
    path = directory / "wal" / "a.segment"
    append(path, b"synced", None)
    disk.sync_directory(directory / "wal")
    append(path, b"", disk)
    append(path, b"not synced", None)

    cut_power(directory, Always())

    assert path.read_bytes() == b"synced"


def test_power_cut_undoes_names_that_were_not_synced(directory: Path, disk: TrapDisk) -> None:
    """A file may be gone again, and one that was deleted may be back with what it held."""
    deleted, made = directory / "wal" / "deleted.segment", directory / "wal" / "made.segment"
    append(deleted, b"stored", disk)
    disk.sync_directory(directory / "wal")
    deleted.unlink()
    append(made, b"new", disk)

    cut_power(directory, Always())

    assert deleted.read_bytes() == b"stored"
    assert not made.exists()


def test_power_cut_keeps_what_was_synced(directory: Path, disk: TrapDisk) -> None:
    """What it takes beyond that would be a false alarm."""
    path, deleted = directory / "wal" / "a.segment", directory / "wal" / "deleted.segment"
    append(path, b"synced", disk)
    append(deleted, b"stored", disk)
    disk.sync_directory(directory / "wal")
    deleted.unlink()
    disk.sync_directory(directory / "wal")

    cut_power(directory, Always())

    assert path.read_bytes() == b"synced"
    assert not deleted.exists()


def test_torn_write_leaves_the_frames_before_it(directory: Path) -> None:
    """What it leaves is no frame, whatever length it was cut to."""
    path = directory / "wal" / "a.segment"
    frame = encode_frame(b"request", 1, 1)
    for seed in range(50):
        path.write_bytes(frame)

        tear(directory, random.Random(seed))

        content = path.read_bytes()
        assert len(content) > len(frame)
        assert scan(content).end == len(frame), seed


def test_ledger_tells_what_is_lost_and_what_is_twice() -> None:
    """What the store has and nobody was answered for is neither."""
    ledger = Ledger(answered={("span", "a"), ("span", "b")})

    ledger.compare({("span", "b"): 2, ("span", "unanswered"): 1})

    assert (ledger.lost, ledger.twice) == ({("span", "a")}, {("span", "b")})


def test_plans_come_to_every_point() -> None:
    """A point that no seed draws would be a promise that nothing holds."""
    draws = [make_plan(seed, random.Random(seed), is_fresh=seed % 10 == 0) for seed in range(200)]

    assert {plan.point for plan in draws} == set(Point)
    assert {plan.point for plan in draws if plan.from_start} > {Point.INSERT, Point.CHAIN}
    assert [Plan.from_json(plan.to_json()) for plan in draws] == draws
