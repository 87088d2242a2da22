"""I/O: `millworth bench provenance`: how fast chains verify, and what an attack leaves unseen.

The unit is events per second of CPU time of the one thread that verifies, because on a shared
machine wall time says more about the neighbours. Events are made beforehand, in batches: what is
measured is canonical form, MAC, number and predecessor; and in a second figure leaf and root too.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Final

from collector.bench.harness import Progress
from collector.bench.provenance.chains import (
    ATTACKS,
    MACS,
    PRIVATE,
    RING,
    START_NS,
    built_anew,
    findings_in,
    sealed_chain,
    signed_fields,
)
from collector.bench.provenance.honest import run_honest
from collector.bench.provenance.ingest import forms, job_rate, run_ingest_trials
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.provenance.checkpoint import Checkpointer
from collector.provenance.event import Sealer
from collector.provenance.keyring import signer
from collector.provenance.live.stream import Stream
from collector.provenance.verify import Verdict, Verifier

CLEAN_EVENTS: Final = 1_000_000
BATCH_EVENTS: Final = 20_000
TRIALS: Final = 300
TRIAL_EVENTS: Final = 400
_SEED: Final = 20_261_125


def run_provenance(runs: int, progress: Progress) -> dict[str, float]:
    """Return the figures of DESIGN's `provenance` line.

    Keys: `verify_events_per_s`, `verify_with_roots_events_per_s` (medians), `clean_events`,
    `trials`, `missed`, `false_alarms`, `insider_missed`; and at ingest `ingest_missed`,
    `ingest_false_alarms` over the same trials in batches with restarts, `ingest_clean_alarms` over
    the clean events, and `ingest_events_per_cpu_s`, whole passes over a store; and what is said
    of honest events that transport treats badly (`run_honest`).
    """
    rates: dict[bool, list[float]] = {False: [], True: []}
    false_alarms = clean_alarms = 0
    per_run = -(-CLEAN_EVENTS // runs)
    for number in range(runs):
        progress(f"run {number + 1} of {runs}: {per_run:,} clean events")
        finding_count, at_ingest = _clean(random.Random(_SEED + number), per_run, rates)  # noqa: S311  # a seeded trial
        false_alarms += finding_count
        clean_alarms += at_ingest
    figures = {
        "verify_events_per_s": statistics.median(rates[False]),
        "verify_with_roots_events_per_s": statistics.median(rates[True]),
        "clean_events": float(per_run * runs),
        "ingest_clean_alarms": float(clean_alarms),
    }
    missed = insider_missed = trials = 0
    for name, make in ATTACKS.items():
        progress(f"{TRIALS} trials: {name}")
        for number in range(TRIALS):
            dice = random.Random(f"{_SEED} {name} {number}")  # noqa: S311  # a seeded trial
            events, checkpoints = sealed_chain(dice, TRIAL_EVENTS)
            attack = make(dice, events)
            findings = findings_in(attack.events, checkpoints)
            missed += not any(attack.is_named_by(finding) for finding in findings)
            false_alarms += sum(not attack.is_about(finding) for finding in findings)
            trials += 1
    progress(f"{TRIALS} trials: built anew by an insider")
    for number in range(TRIALS):
        insider_missed += not _insider_found(random.Random(f"{_SEED} insider {number}"))  # noqa: S311  # a seeded trial
    return {
        **figures,
        "trials": float(trials),
        "missed": float(missed),
        "false_alarms": float(false_alarms),
        "insider_missed": float(insider_missed),
        **run_honest(_SEED, CLEAN_EVENTS, progress),
        **run_ingest_trials(_SEED, TRIALS, TRIAL_EVENTS, progress),
        "ingest_events_per_cpu_s": job_rate(_SEED, runs, progress),
    }


def _clean(dice: random.Random, count: int, rates: dict[bool, list[float]]) -> tuple[int, int]:
    """Verify one long clean chain, without and with roots, and as it arrives.

    Returns how much was found by the verifiers, and by the stream.
    """
    stream, alarms = Stream(RING, 1), 0
    sealer = Sealer(MACS[0], "shop/1")
    checkpointer = Checkpointer(sealer, "audit", signer(PRIVATE))
    verifiers = {
        False: Verifier(RING.macs, leaves=False),
        True: Verifier(RING.macs, RING.check),
    }
    spent_ns = {False: 0, True: 0}
    for begin in range(0, count, BATCH_EVENTS):
        events, checkpoints = [], []
        for number in range(begin, min(begin + BATCH_EVENTS, count)):
            events.append(sealer.seal(signed_fields(dice, START_NS + number * NS_PER_MS)))
            checkpoints.append(checkpointer.add(sealer.leaf))
        checkpoints.append(checkpointer.cut())
        for with_roots, verifier in verifiers.items():
            began_ns = time.thread_time_ns()
            verifier.take(events)
            for checkpoint in checkpoints if with_roots else ():
                if checkpoint is not None:
                    verifier.take_checkpoint(checkpoint)
            spent_ns[with_roots] += time.thread_time_ns() - began_ns
        cut = [checkpoint for checkpoint in checkpoints if checkpoint is not None]
        judged = stream.judge(events, forms(events), cut)
        alarms += len(judged.events) + len(judged.earlier) + len(judged.runs)
        alarms += len(stream.missing(begin))
    for with_roots, spent in spent_ns.items():
        rates[with_roots].append(count * NS_PER_S / spent)
    finding_count = sum(len(verifier.finish().findings) for verifier in verifiers.values())
    return finding_count, alarms


def _insider_found(dice: random.Random) -> bool:
    events, checkpoints = sealed_chain(dice, TRIAL_EVENTS)
    findings = findings_in(built_anew(dice, events), checkpoints)
    return any(finding.verdict is Verdict.RECHAINED for finding in findings)
