"""I/O: keeps `attribution_minutes` current: whole minutes under a new revision.

A minute is summed anew from its attributions by the store. Where decisions were only added to it,
which is so of the minute that runs, they are added to what it had, which is held here: to sum a
minute of thousands of decisions a second anew, again and again, took more than all else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from attribution.core.segments import SEGMENTS
from attribution.path.columns import Table, ints
from attribution.path.rows import SEGMENT_COLUMNS
from attribution.path.spans import Ints
from attribution.read.reader import Reader
from collector.core.clock import NS_PER_MINUTE
from collector.store.connect import Connections

_TOGETHER_MAX: Final = 500
_HELD_MAX: Final = 8
# 8 * log2 of the longest time that 64 bits hold is below it.
_BUCKETS: Final = 512
# The whole decision, then its segments: rows of a group.
_PARTS: Final = (("", ""), *SEGMENTS)
_SHAPE: Final = (len(_PARTS), _BUCKETS, 2)  # decisions, and the sum of their times
_Group = tuple[str, str]  # action, region


@dataclass(slots=True)
class _Minute:
    """What is stored of a minute."""

    revision: int
    sums: dict[_Group, Ints]


class MinuteWriter:
    """The one writer of `attribution_minutes`."""

    def __init__(self, store: Connections, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self._held: dict[int, _Minute] = {}

    def forget(self) -> None:
        """Take what is stored from the store again."""
        self._held.clear()

    def write(self, seconds_ns: Collection[int], added: Iterable[Table]) -> int:
        """Bring minutes up to date; return how many.

        Args:
            seconds_ns: those of which decisions may have changed, or gone.
            added: rows of `attributions` of decisions that had none before.
        """
        changed = {second - second % NS_PER_MINUTE for second in seconds_ns}
        sums = {
            minute_ns: groups
            for minute_ns, groups in _summed(added).items()
            if minute_ns not in changed
        }
        revisions = self._reader.minute_revisions(sorted(sums)) if sums else {}
        # What somebody else wrote, a process before this or one beside it, may have these in it.
        others = [minute_ns for minute_ns in sums if not self._is_ours(minute_ns, revisions)]
        for minute_ns in others:
            del sums[minute_ns]
        changed.update(others)
        for minute_ns, groups in sums.items():
            held = self._held.setdefault(minute_ns, _Minute(0, {}))
            held.revision += 1
            for group, more in groups.items():
                held.sums[group] = held.sums.get(group, 0) + more
        if sums:
            rows = [_rows(minute_ns, self._held[minute_ns]) for minute_ns in sums]
            self._store.client().insert_arrow("attribution_minutes", pa.concat_tables(rows))
        self._rewrite(sorted(changed))
        self._load(others)
        for minute_ns in sorted(self._held)[:-_HELD_MAX]:
            del self._held[minute_ns]
        return len(changed) + len(sums)

    def _is_ours(self, minute_ns: int, revisions: Mapping[int, int]) -> bool:
        held = self._held.get(minute_ns)
        return (held.revision if held is not None else 0) == revisions.get(minute_ns, 0)

    def _rewrite(self, minutes_ns: list[int]) -> None:
        for minute_ns in minutes_ns:
            self._held.pop(minute_ns, None)
        # Minutes that lie apart go together: what is between them is not read.
        for begin in range(0, len(minutes_ns), _TOGETHER_MAX):
            self._reader.rewrite_minutes(minutes_ns[begin : begin + _TOGETHER_MAX])

    def _load(self, minutes_ns: list[int]) -> None:
        if not minutes_ns:
            return
        part_of = {part: at for at, part in enumerate(_PARTS)}
        for minute_ns in minutes_ns:
            self._held[minute_ns] = _Minute(0, {})
        for row in self._reader.minutes(minutes_ns).to_pylist():
            held = self._held[row["minute_ns"]]
            held.revision = row["revision"]
            if not row["decisions"]:
                continue  # it had some once
            sums = held.sums.setdefault((row["action"], row["region"]), np.zeros(_SHAPE, np.int64))
            sums[part_of[row["stage"], row["class"]], row["bucket"]] = (
                row["decisions"],
                row["sum_ns"],
            )


def _summed(tables: Iterable[Table]) -> dict[int, dict[_Group, Ints]]:
    """Return by minute and group how many decisions and how much time are in each bucket."""
    found: dict[int, dict[_Group, Ints]] = {}
    for table in tables:
        values = np.stack([ints(table[name]) for name in ("total_ns", *SEGMENT_COLUMNS)])
        bucket = np.floor(8 * np.log2(np.maximum(values, 1))).astype(np.int64)
        ingress_ns = ints(table["ingress_ns"])
        minute_ns = ingress_ns - ingress_ns % NS_PER_MINUTE
        keys = list(
            zip(
                minute_ns.tolist(),
                table["action"].to_pylist(),
                table["region"].to_pylist(),
                strict=True,
            )
        )
        codes = {key: code for code, key in enumerate(dict.fromkeys(keys))}
        code = np.array([codes[key] for key in keys], np.int64)
        sums = np.zeros((len(codes), *_SHAPE), np.int64)
        place = (code[None, :], np.arange(len(_PARTS))[:, None], bucket)
        np.add.at(sums[..., 0], place, 1)
        np.add.at(sums[..., 1], place, values)
        for (minute, action, region), own in codes.items():
            groups = found.setdefault(minute, {})
            groups[action, region] = groups.get((action, region), 0) + sums[own]
    return found


def _rows(minute_ns: int, minute: _Minute) -> Table:
    columns: dict[str, list[object]] = {
        name: [] for name in ("action", "region", "stage", "class", "bucket", "decisions", "sum_ns")
    }
    for (action, region), sums in minute.sums.items():
        part, bucket = np.nonzero(sums[..., 0])
        columns["action"] += [action] * len(part)
        columns["region"] += [region] * len(part)
        columns["stage"] += [_PARTS[at][0] for at in part.tolist()]
        columns["class"] += [_PARTS[at][1] for at in part.tolist()]
        columns["bucket"] += bucket.tolist()
        columns["decisions"] += sums[part, bucket, 0].tolist()
        columns["sum_ns"] += sums[part, bucket, 1].tolist()
    count = len(columns["bucket"])
    texts = ("action", "region", "stage", "class")
    return pa.table(
        {
            "minute_ns": pa.array([minute_ns] * count, pa.uint64()),
            "revision": pa.array([minute.revision] * count, pa.uint64()),
            **{name: pa.array(columns[name], pa.string()) for name in texts},
            "bucket": pa.array(columns["bucket"], pa.uint16()),
            **{name: pa.array(columns[name], pa.uint64()) for name in ("decisions", "sum_ns")},
        }
    )
