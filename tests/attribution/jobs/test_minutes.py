"""What is added to a minute, and what is held of it, for however many classes."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Sequence
from math import floor, log2

import numpy as np
import pyarrow as pa

from attribution.core.segments import SEGMENTS
from attribution.jobs.minutes import MinuteWriter
from attribution.path.columns import Table
from attribution.path.rows import SEGMENT_COLUMNS
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, computed_afresh, everything, job
from tests.support.attribution.stored import BASE_NS, Stored, decision, put_spans, rows

PARTS = (("", ""), *SEGMENTS)
FIRST_NS = BASE_NS - BASE_NS % NS_PER_MINUTE
MIB = 2**20


def attributed(classes: int, decisions: int, seed: int) -> Table:
    """Return rows of `attributions` of two minutes, spread over the classes."""
    source = np.random.default_rng(seed)
    segments = source.integers(0, 10**8, (len(SEGMENTS), decisions))
    segments[source.random(segments.shape) < 0.7] = 0
    group = np.arange(decisions) % classes
    return pa.table(
        {
            "ingress_ns": FIRST_NS + source.integers(0, 120, decisions) * NS_PER_S,
            "action": [f"action-{each % 50}" for each in group.tolist()],
            "region": [f"region-{each // 50}" for each in group.tolist()],
            "total_ns": segments.sum(axis=0),
            **dict(zip(SEGMENT_COLUMNS, segments, strict=True)),
        }
    )


def buckets(tables: Sequence[Table]) -> dict[tuple[object, ...], tuple[int, int]]:
    """Return decisions and time by minute, group, part and bucket, one decision after the other."""
    decisions, sum_ns = Counter[tuple[object, ...]](), Counter[tuple[object, ...]]()
    for table in tables:
        for row in table.to_pylist():
            minute_ns = row["ingress_ns"] - row["ingress_ns"] % NS_PER_MINUTE
            for part, name in zip(PARTS, ("total_ns", *SEGMENT_COLUMNS), strict=True):
                bucket = floor(8 * log2(row[name])) if row[name] else 0
                key = (minute_ns, row["action"], row["region"], *part, bucket)
                decisions[key] += 1
                sum_ns[key] += row[name]
    return {key: (number, sum_ns[key]) for key, number in decisions.items()}


def stored(store: Connections) -> dict[tuple[object, ...], tuple[int, int]]:
    """Return the same of what is stored."""
    found = rows(
        store,
        "SELECT * FROM attribution_minutes FINAL WHERE (minute_ns, revision) IN"
        " (SELECT minute_ns, max(revision) FROM attribution_minutes GROUP BY 1)",
    )
    key = ("minute_ns", "action", "region", "stage", "class", "bucket")
    return {tuple(row[name] for name in key): (row["decisions"], row["sum_ns"]) for row in found}


def test_added_decisions_are_in_their_buckets(store: Connections) -> None:
    """To the nanosecond, however many classes there are."""
    writer, told = MinuteWriter(store, Reader(store, AttributesConfig())), list[Table]()
    for seed, classes in ((1, 3), (2, 3), (3, 700), (4, 700)):
        told.append(attributed(classes, 1_500, seed))
        assert writer.write([], [told[-1].slice(0, 700), told[-1].slice(700)]) == 2
    assert stored(store) == buckets(told)


def test_minute_that_another_process_began_is_added_to(store: Connections) -> None:
    """It is read from the store once; what comes after is added to that."""
    put_spans(store, decision("a", 0, 100, received_s=1))
    job(store).drain(at(3))
    running = job(store)
    for second, (name, took_ms) in enumerate([("b", 90), ("c", 400), ("d", 90)], 4):
        put_spans(store, decision(name, 1_000 * second, took_ms, received_s=second + 1))
        running.drain(at(second + 3))
    # Late, so that the minute is summed anew, and read anew for what follows.
    put_spans(store, [Stored("late", "root", 20, 5, trace="a", received_s=9)])
    running.drain(at(11))
    put_spans(store, decision("e", 11_000, 90, received_s=12))
    running.drain(at(14))
    minutes = everything(store)["minutes"]
    assert sum(row["decisions"] for row in minutes if not row["stage"]) == 5
    assert minutes == computed_afresh(store, 20)["minutes"]


def test_thousands_of_classes_are_held_in_the_memory_of_their_decisions(
    store: Connections,
) -> None:
    """An array of every bucket of every class was 1.1 MiB for each of them, and for good."""
    writer = MinuteWriter(store, Reader(store, AttributesConfig()))
    many = attributed(2_000, 6_000, 1)
    tracemalloc.start()
    before = pa.total_allocated_bytes()
    writer.write([], [many])
    (held, most), arrow = tracemalloc.get_traced_memory(), pa.total_allocated_bytes() - before
    tracemalloc.stop()
    assert held + arrow < 32 * MIB
    assert most < 64 * MIB
