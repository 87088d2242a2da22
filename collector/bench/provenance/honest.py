"""Pure: what is said of honest events that transport treats badly; every finding is a false one.

Producers with checkpoints, keys that are rotated and epochs that end; batches out of order, late by
minutes, doubled by senders that were not told; and a service that is killed within a pass, so that
it judges it again from where the chains were remembered.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from collector.bench.harness import Progress
from collector.bench.provenance.chains import MACS, PRIVATE, RING, signed_fields
from collector.bench.provenance.ingest import forms
from collector.core.times import NS_PER_MS
from collector.provenance.chain import ChainKey
from collector.provenance.checkpoint import Checkpoint, Checkpointer
from collector.provenance.event import Event, Sealer
from collector.provenance.keyring import signer
from collector.provenance.live.copies import equal_copies, retries_told
from collector.provenance.live.stream import Stream
from collector.provenance.verify import Finding, Verdict, Verifier

_PRODUCERS: Final = 8
_BATCH: Final = 512
_EPOCH: Final = 20_000  # events of one process start
_LATE_MAX: Final = 400  # batches that others overtake one
_GRACE: Final = 2 * _LATE_MAX  # batches: how late one may be
_START_NS: Final = 1_764_000_000_000_000_000

Item = Event | Checkpoint


def run_honest(seed: int, count: int, progress: Progress) -> dict[str, float]:
    """Return how many honest events were accused of what, as they arrive and by `verify`.

    Keys: `honest_events`, `honest_retries`, `honest_kills`, `accused` (findings of any kind, of
    both judges), `retried_as_replayed`, and `accused_<kind>` for each kind that was found.
    """
    dice = random.Random(seed)  # noqa: S311  # a seeded trial
    batches = list(_in_transport(dice, _sealed(dice, count)))
    progress(f"{count:,} honest events in {len(batches):,} batches, as they arrive")
    verdicts, retried, kills = _as_they_arrive(dice, batches)
    progress("the same ones, verified")
    verdicts += _verified(batches)
    replayed = verdicts.pop(Verdict.REPLAYED, 0)
    return {
        "honest_events": float(count),
        "honest_retries": float(retried),
        "honest_kills": float(kills),
        "retried_as_replayed": float(replayed),
        "accused": float(verdicts.total() + replayed),
        **{f"accused_{verdict}": float(n) for verdict, n in sorted(verdicts.items())},
    }


def _sealed(dice: random.Random, count: int) -> Iterator[list[Item]]:
    """Yield batches as producers send them, each with the checkpoints that were due."""
    left = [count // _PRODUCERS + (number < count % _PRODUCERS) for number in range(_PRODUCERS)]
    sealers = [Sealer(MACS[0], f"shop/{number}") for number in range(_PRODUCERS)]
    signers = [Checkpointer(sealer, "audit", signer(PRIVATE)) for sealer in sealers]
    sealed = [0] * _PRODUCERS
    while any(left):
        number = dice.choice([index for index, remaining in enumerate(left) if remaining])
        sealer, checkpointer = sealers[number], signers[number]
        if dice.random() < 0.01:
            sealer.rotate(dice.choice(MACS))
        batch: list[Item] = []
        for _ in range(min(_BATCH, left[number])):
            start_ns = _START_NS + sealed[number] * NS_PER_MS
            batch.append(sealer.seal(signed_fields(dice, start_ns)))
            batch += [each for each in [checkpointer.add(sealer.leaf)] if each is not None]
            sealed[number] += 1
        left[number] -= len([each for each in batch if isinstance(each, Event)])
        if dice.random() < 0.3 or not left[number]:
            closing = not left[number]
            batch += [each for each in [checkpointer.cut(closing=closing)] if each is not None]
        if sealed[number] % _EPOCH < _BATCH and left[number]:
            batch += [each for each in [checkpointer.cut(closing=True)] if each is not None]
            sealer.restart()
            signers[number] = Checkpointer(sealer, "audit", signer(PRIVATE))
        yield batch


def _in_transport(dice: random.Random, batches: Iterator[list[Item]]) -> Iterator[list[Item]]:
    """Yield the batches as they arrive: late, doubled, torn, and out of order within."""
    queue: list[tuple[float, int, list[Item]]] = []
    for place, batch in enumerate(batches):
        for _ in range(1 + (dice.random() < 0.05)):
            delay = dice.random() * (_LATE_MAX if dice.random() < 0.05 else 5)
            queue.append((place + delay, len(queue), batch))
    for _, _, batch in sorted(queue, key=lambda entry: entry[:2]):
        items = list(batch)
        if dice.random() < 0.5:
            dice.shuffle(items)
        cut = dice.randrange(len(items) + 1) if dice.random() < 0.2 else len(items)
        yield items[:cut]
        if items[cut:]:
            yield items[cut:]


def _as_they_arrive(
    dice: random.Random, batches: Sequence[list[Item]]
) -> tuple[Counter[str], int, int]:
    """Return what a service says that is killed now and then; retries and kills."""
    verdicts: Counter[str] = Counter()
    retried = kills = 0
    stream, states = Stream(RING, _GRACE), dict[ChainKey, str]()
    first: dict[tuple[str, str, int], Event] = {}
    for place, batch in enumerate(batches):
        events = [each for each in batch if isinstance(each, Event)]
        checkpoints = [each for each in batch if isinstance(each, Checkpoint)]
        if dice.random() < 0.02:
            # What it had judged was not remembered; the next start judges it again.
            stream.judge(events, forms(events), checkpoints)
            stream = Stream(RING, _GRACE)
            stream.restore(states)
            kills += 1
        judged = stream.judge(events, forms(events), checkpoints)
        for line, finding in judged.events.items():
            event = events[line]
            earlier = first.get((event.producer, event.epoch, event.seq))
            if finding.verdict is Verdict.REPLAYED and earlier is not None:
                retried += _is_retry(earlier, event)
                verdicts[Verdict.REPLAYED] += not _is_retry(earlier, event)
            elif finding.verdict is not Verdict.OK:  # which is one that came late
                verdicts[finding.verdict] += 1
        for event in events:
            first.setdefault((event.producer, event.epoch, event.seq), event)
        verdicts.update(f.verdict.value for f in [*judged.earlier, *judged.runs])
        verdicts.update(hole.verdict.value for hole in stream.missing(place) if hole.count)
        states |= stream.states()
    verdicts.update(hole.verdict.value for hole in stream.missing(len(batches) + 2 * _GRACE))
    return +verdicts, retried, kills


def _verified(batches: Sequence[list[Item]]) -> Counter[str]:
    """Return what `verify` finds in the order of arrival."""
    verifier = Verifier(RING.macs, RING.check, arrival=True)
    copies: dict[tuple[str, str, int], list[Event]] = {}
    for batch in batches:
        events = [each for each in batch if isinstance(each, Event)]
        verifier.take(events)
        for each in batch:
            if isinstance(each, Checkpoint):
                verifier.take_checkpoint(each)
            else:
                copies.setdefault((each.producer, each.epoch, each.seq), []).append(each)
    findings: Sequence[Finding] = verifier.finish().findings
    doubled = [each for several in copies.values() if len(several) > 1 for each in several]
    copy_forms = zip(doubled, forms(doubled), doubled, strict=True)
    left = retries_told(findings, equal_copies(RING.macs, copy_forms))
    return Counter(each.verdict.value for each in left if each.verdict is not Verdict.RETRIED)


def _is_retry(earlier: Event, event: Event) -> bool:
    pair = [earlier._replace(received_ns=1), event._replace(received_ns=2)]
    contents = [each._replace(received_ns=0) for each in pair]
    retries = equal_copies(RING.macs, zip(pair, forms(pair), contents, strict=True))
    return all(retries.values())
