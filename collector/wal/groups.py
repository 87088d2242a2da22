"""I/O: which segments go into the store as one.

An insert costs as much for one second of little data as for 16 MiB, so a backlog of segments is
joined. The store knows an insert by its token, and after a crash the same bytes have to come under
the same token: so what belongs together is written down before the insert, and struck out before
any of it is deleted.

    NAME+3.group    its lines name three segments that go in, or are in, under this name
    NAME+3.stored   they are in: what is left of them is deleted
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.core.disk import Disk

_GROUP = ".group"
_STORED = ".stored"
_DRAFT = ".draft"


@dataclass(frozen=True, slots=True)
class Batch:
    """Segments that go in as one, oldest first; the name of `path` is the token."""

    path: Path
    segments: tuple[Path, ...]

    @classmethod
    def alone(cls, segment: Path) -> Batch:
        """Return that of one segment, which is known by its own name."""
        return cls(segment, (segment,))


def draft_group(segments: Sequence[Path], disk: Disk) -> Path:
    """Write down what shall belong together; it counts from `fix_group` on.

    Raises:
        OSError: there is no room for it, or no way; nothing was changed.
    """
    draft = segments[0].with_name(f"{segments[0].stem}+{len(segments)}{_DRAFT}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write("".join(f"{segment.name}\n" for segment in segments))
            file.flush()
            disk.sync(file.fileno())
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    return draft


def fix_group(draft: Path, segments: Sequence[Path], disk: Disk) -> Batch:
    """Make a draft count, power cuts included; once more is harmless."""
    path = draft.with_suffix(_GROUP)
    if draft.exists():
        draft.rename(path)
    disk.sync_directory(path.parent)
    return Batch(path, tuple(segments))


def delete_batch(batch: Batch, disk: Disk) -> None:
    """Delete what the store has, so that it stays deleted; once more is harmless."""
    directory = batch.path.parent
    stored = batch.path.with_suffix(_STORED)
    if batch.path.suffix == _GROUP:
        if batch.path.exists():
            batch.path.rename(stored)
        disk.sync_directory(directory)
    for segment in batch.segments:
        segment.unlink(missing_ok=True)
    disk.sync_directory(directory)
    if batch.path.suffix == _GROUP:
        stored.unlink(missing_ok=True)


def recover_group(directory: Path, name: str, disk: Disk) -> Batch | None:
    """Return the group that an earlier run had in hand, if any, and finish one that is stored."""
    for draft in directory.glob(f"{name}-*{_DRAFT}"):
        draft.unlink()
    for stored in sorted(directory.glob(f"{name}-*{_STORED}")):
        delete_batch(Batch(stored.with_suffix(_GROUP), _segments_of(stored)), disk)
    groups = sorted(directory.glob(f"{name}-*{_GROUP}"))
    assert len(groups) <= 1, f"two groups of {name} are in hand: {groups}"
    return Batch(groups[0], _segments_of(groups[0])) if groups else None


def _segments_of(manifest: Path) -> tuple[Path, ...]:
    names = manifest.read_text(encoding="utf-8").splitlines()
    return tuple(manifest.with_name(os.path.basename(name)) for name in names)  # noqa: PTH119  a name
