"""I/O: `millworth bench provenance`, the part at ingest: what the service itself leaves unseen.

The same attacks as on an export, but judged as events arrive: cut into batches at random, with a
restart from what is remembered between any two. And the rate of whole passes over a store: read,
judge, write, by CPU seconds of this process, the engine's threads included.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import pyarrow as pa

from collector.bench.harness import Progress, own_database, own_directory
from collector.bench.provenance.chains import ATTACKS, MACS, RING, Attack, sealed_chain
from collector.core.clock import SystemClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.event_schema import SIGNED
from collector.core.times import NS_PER_S
from collector.provenance.chain import ChainKey
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import Event, canonical_rest
from collector.provenance.live.job import ProvenanceJob
from collector.provenance.live.stream import Missing, Stream
from collector.provenance.records import seal_attributes
from collector.provenance.verify import Finding, Verdict
from collector.store.connect import Connections

JOB_EVENTS: Final = 100_000
CUTS: Final = 3
_GRACE_NS: Final = 1
_PER_REQUEST: Final = 500


def run_ingest_trials(seed: int, trials: int, events: int, progress: Progress) -> dict[str, float]:
    """Return `ingest_missed` and `ingest_false_alarms` over so many trials of each attack."""
    missed = false_alarms = 0
    for name, make in ATTACKS.items():
        progress(f"{trials} trials at ingest: {name}")
        for number in range(trials):
            dice = random.Random(f"{seed} ingest {name} {number}")  # noqa: S311  # a seeded trial
            sealed, checkpoints = sealed_chain(dice, events)
            attack = make(dice, sealed)
            findings, runs, holes = judged(dice, attack.events, checkpoints)
            missed += not is_named(attack, findings, holes)
            false_alarms += len(runs) + len(findings.keys() - {attack.line})
            false_alarms += sum(hole.first_seq != attack.first_seq for hole in holes)
    return {"ingest_missed": float(missed), "ingest_false_alarms": float(false_alarms)}


def judged(
    dice: random.Random, events: Sequence[Event], checkpoints: Sequence[Checkpoint]
) -> tuple[dict[int, Finding], list[Finding], list[Missing]]:
    """Judge a chain in batches cut at random, each by a service that was started for it."""
    cuts = sorted(dice.randrange(len(events) + 1) for _ in range(CUTS))
    states: dict[ChainKey, str] = {}
    findings: dict[int, Finding] = {}
    runs: list[Finding] = []
    stream = Stream(RING, _GRACE_NS)
    for begin, end in pairwise([0, *cuts, len(events)]):
        stream = Stream(RING, _GRACE_NS)
        stream.restore(states)
        batch = events[begin:end]
        # Those of an attacked tail were kept where nobody could reach them: they come last.
        batch_findings = stream.judge(
            batch, forms(batch), checkpoints if end == len(events) else ()
        )
        findings |= {begin + line: finding for line, finding in batch_findings.events.items()}
        runs += batch_findings.runs
        stream.missing(0)
        states.update(stream.states())
    return findings, runs, stream.missing(1 + _GRACE_NS)


def is_named(attack: Attack, findings: dict[int, Finding], holes: Sequence[Missing]) -> bool:
    """Return whether what was done is said, of the event that it was done to."""
    if attack.verdict is Verdict.MISSING:
        spans = [(hole.first_seq, hole.first_seq + hole.count - 1) for hole in holes]
        return (attack.first_seq, attack.last_seq) in spans
    finding = findings.get(-1 if attack.line is None else attack.line)
    # One that came late is told, and is ok: transport may do that.
    expected = Verdict.OK if attack.verdict is Verdict.REORDERED else attack.verdict
    return finding is not None and finding.verdict is expected


def forms(events: Iterable[Event]) -> list[bytes]:
    """Return the ends of the canonical forms, which the store makes for the service."""
    return [canonical_rest(event.seq, event.prev, event.fields) for event in events]


def job_rate(seed: int, runs: int, progress: Progress) -> float:
    """Return the median of the events a CPU second that passes over a store judge."""
    rates = []
    with (
        own_directory() as folder,
        own_database(f"chdb://{folder / 'store'}", "bench_provenance") as store,
    ):
        keys = folder / "keys.toml"
        keys.touch(mode=0o600)
        keys.write_text(
            "".join(f'[[mac]]\nkid = "{k.kid}"\nsecret = "{k.secret.hex()}"\n' for k in MACS)
        )
        now_ns = SystemClock().now_ns()
        _fill(store, random.Random(seed), now_ns)  # noqa: S311  # a seeded load
        for number in range(runs):
            progress(f"run {number + 1} of {runs}: {JOB_EVENTS:,} stored events")
            for table in ("provenance_events", "provenance_chains"):
                store.client().command("TRUNCATE TABLE {t:Identifier}", parameters={"t": table})
            config = ProvenanceConfig(keys_path=keys)
            job = ProvenanceJob(
                config, store, Counters(), AttributesConfig(), lambda: now_ns + NS_PER_S
            )
            began_ns = time.process_time_ns()
            report = job.run_once(now_ns + NS_PER_S)
            spent_ns = time.process_time_ns() - began_ns
            assert report.verdicts == {Verdict.OK: JOB_EVENTS}
            rates.append(JOB_EVENTS * NS_PER_S / spent_ns)
    return statistics.median(rates)


def _fill(store: Connections, dice: random.Random, now_ns: int) -> None:
    events, _ = sealed_chain(dice, JOB_EVENTS, start_ns=now_ns)
    values = [dict(zip(SIGNED, event.fields, strict=True)) for event in events]
    attributes = [
        [*((k, v) for k, v in row.items() if "." in k and v), *seal_attributes(event).items()]
        for row, event in zip(values, events, strict=True)
    ]
    starts = [int(row["start_ns"]) for row in values]
    lengths = [int(row["end_ns"]) - start for row, start in zip(values, starts, strict=True)]
    store.client().insert_arrow(
        "otel_traces_in",
        pa.table(
            {
                "Timestamp": pa.array(starts, pa.timestamp("ns")),
                "TraceId": [row["trace_id"] for row in values],
                "SpanId": [row["span_id"] for row in values],
                "SpanAttributes": pa.array(attributes, pa.map_(pa.string(), pa.string())),
                "Duration": pa.array(lengths, pa.uint64()),
                "StatusCode": [row["status"] for row in values],
                "received_ns": pa.array(
                    [now_ns + index // _PER_REQUEST for index in range(JOB_EVENTS)], pa.uint64()
                ),
            }
        ),
    )
