"""I/O: keeps `attribution_minutes` current: whole minutes under a new revision.

A minute is summed anew from its attributions by the store. Where decisions were only added to it,
which is so of the minute that runs, they are added to what it had, which is held here: to sum a
minute of thousands of decisions a second anew, again and again, took more than all else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from attribution.core.segments import SEGMENTS
from attribution.path.columns import Table, ints
from attribution.path.rows import SEGMENT_COLUMNS
from attribution.read.reader import Reader
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections

_TOGETHER_MAX: Final = 500
_HELD_MAX: Final = 8
# 8 * log2 of the longest time that 64 bits hold is below it.
_BUCKETS: Final = 512
# The whole decision, then its segments: of a group, each has its buckets.
_PARTS: Final = (("", ""), *SEGMENTS)
_STAGES: Final = pa.array([stage for stage, _ in _PARTS])
_CLASSES: Final = pa.array([latency_class for _, latency_class in _PARTS])
_PLACES: Final = len(_PARTS) * _BUCKETS  # a part and a bucket: part * _BUCKETS + bucket
_KEY: Final = ("action", "region", "place")
_COUNTS: Final = ("decisions", "sum_ns")
_NOTHING: Final = pa.table(
    {
        name: pa.array([], pa.string() if name in ("action", "region") else pa.int64())
        for name in (*_KEY, *_COUNTS)
    }
)


@dataclass(slots=True)
class _Minute:
    """What is stored of a minute, by action, region and place.

    Rows of what is there and no more: a service may have thousands of classes, and a minute of
    each a few decisions.
    """

    revision: int
    sums: Table


class MinuteWriter:
    """The one writer of `attribution_minutes`."""

    def __init__(self, store: Connections, reader: Reader) -> None:
        self._store = store
        self._reader = reader
        self._by_minute: dict[int, _Minute] = {}

    def forget(self) -> None:
        """Take what is stored from the store again."""
        self._by_minute.clear()

    def write(self, seconds_ns: Collection[int], added: Iterable[Table]) -> int:
        """Bring minutes up to date; return how many.

        Args:
            seconds_ns: those of which decisions may have changed, or gone.
            added: rows of `attributions` of decisions that had none before.
        """
        changed = {second - second % NS_PER_MINUTE for second in seconds_ns}
        sums = {
            minute_ns: more
            for minute_ns, more in _summed(added).items()
            if minute_ns not in changed
        }
        revisions = self._reader.minute_revisions(sorted(sums)) if sums else {}
        # What somebody else wrote, a process before this or one beside it, may have these in it.
        others = [minute_ns for minute_ns in sums if not self._is_ours(minute_ns, revisions)]
        for minute_ns in others:
            del sums[minute_ns]
        changed.update(others)
        for minute_ns, more in sums.items():
            minute = self._by_minute.setdefault(minute_ns, _Minute(0, _NOTHING))
            minute.revision += 1
            minute.sums = _joined([minute.sums, more])
        if sums:
            rows = [_rows(minute_ns, self._by_minute[minute_ns]) for minute_ns in sums]
            self._store.client().insert_arrow("attribution_minutes", pa.concat_tables(rows))
        self._rewrite(sorted(changed))
        self._load(others)
        for minute_ns in sorted(self._by_minute)[:-_HELD_MAX]:
            del self._by_minute[minute_ns]
        return len(changed) + len(sums)

    def _is_ours(self, minute_ns: int, revisions: Mapping[int, int]) -> bool:
        minute = self._by_minute.get(minute_ns)
        return (minute.revision if minute is not None else 0) == revisions.get(minute_ns, 0)

    def _rewrite(self, minutes_ns: list[int]) -> None:
        for minute_ns in minutes_ns:
            self._by_minute.pop(minute_ns, None)
        # Minutes that lie apart go together: what is between them is not read.
        for begin in range(0, len(minutes_ns), _TOGETHER_MAX):
            self._reader.rewrite_minutes(minutes_ns[begin : begin + _TOGETHER_MAX])

    def _load(self, minutes_ns: list[int]) -> None:
        if not minutes_ns:
            return
        stored = self._reader.minutes(minutes_ns)
        part_of = {part: index for index, part in enumerate(_PARTS)}
        pairs = zip(stored["stage"].to_pylist(), stored["class"].to_pylist(), strict=True)
        part = np.array([part_of[pair] for pair in pairs], np.int64)
        rows = pa.table(
            {
                "action": stored["action"],
                "region": stored["region"],
                "place": part * _BUCKETS + ints(stored["bucket"]),
                "decisions": ints(stored["decisions"]),
                "sum_ns": ints(stored["sum_ns"]),
            }
        )
        minute, revision = ints(stored["minute_ns"]), ints(stored["revision"])
        for minute_ns in minutes_ns:
            is_its = minute == minute_ns
            # Of a minute that had decisions once a row of none is stored.
            own_rows = rows.filter(pa.array(is_its & (ints(stored["decisions"]) > 0)))
            self._by_minute[minute_ns] = _Minute(int(revision[is_its].max(initial=0)), own_rows)


def _summed(tables: Iterable[Table]) -> dict[int, Table]:
    """Return by minute how many decisions and how much time are in each place of each group."""
    by_minute = dict[int, list[Table]]()
    for table in tables:
        values = np.stack([ints(table[name]) for name in ("total_ns", *SEGMENT_COLUMNS)])
        bucket = np.floor(8 * np.log2(np.maximum(values, 1))).astype(np.int64)
        ingress_ns = ints(table["ingress_ns"])
        minute_ns = ingress_ns - ingress_ns % NS_PER_MINUTE
        texts = (table["action"].to_pylist(), table["region"].to_pylist())
        keys = list(zip(minute_ns.tolist(), *texts, strict=True))
        codes = {key: code for code, key in enumerate(dict.fromkeys(keys))}
        code = np.array([codes[key] for key in keys], np.int64)
        part = np.arange(len(_PARTS))[:, None]
        places = pa.table({"at": (code * _PLACES + part * _BUCKETS + bucket).ravel()})
        each = places.append_column("ns", pa.array(values.ravel()))
        sums = each.group_by("at", use_threads=False).aggregate([("ns", "count"), ("ns", "sum")])
        code, place = np.divmod(ints(sums["at"]), _PLACES)
        minutes, actions, regions = zip(*codes, strict=True) if codes else ((), (), ())
        rows = pa.table(
            {
                "action": pa.array(actions, pa.string()).take(pa.array(code)),
                "region": pa.array(regions, pa.string()).take(pa.array(code)),
                "place": place,
                "decisions": ints(sums["ns_count"]),
                "sum_ns": ints(sums["ns_sum"]),
            }
        )
        minute = np.array(minutes, np.int64)[code]
        for each_ns in set(minutes):
            by_minute.setdefault(each_ns, []).append(rows.filter(pa.array(minute == each_ns)))
    return {minute_ns: _joined(rows) for minute_ns, rows in by_minute.items()}


def _joined(rows: Sequence[Table]) -> Table:
    """Return rows with those of one place of one group as one."""
    every = pa.concat_tables(rows).group_by(list(_KEY), use_threads=False)
    sums = every.aggregate([(name, "sum") for name in _COUNTS])
    return sums.select([*_KEY, *(f"{name}_sum" for name in _COUNTS)]).rename_columns(
        _NOTHING.column_names
    )


def _rows(minute_ns: int, minute: _Minute) -> Table:
    sums = minute.sums
    part, bucket = np.divmod(ints(sums["place"]), _BUCKETS)
    count = len(part)
    return pa.table(
        {
            "minute_ns": pa.array([minute_ns] * count, pa.uint64()),
            "revision": pa.array([minute.revision] * count, pa.uint64()),
            "action": sums["action"],
            "region": sums["region"],
            "stage": _STAGES.take(pa.array(part)),
            "class": _CLASSES.take(pa.array(part)),
            "bucket": pa.array(bucket, pa.uint16()),
            "decisions": pa.array(ints(sums["decisions"]), pa.uint64()),
            "sum_ns": pa.array(ints(sums["sum_ns"]), pa.uint64()),
        }
    )
