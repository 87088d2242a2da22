"""Pure: judge sealed events as they arrive, chain by chain, for a service that never stops.

What the verifier finds at the end of an export is found here while chains go on: a hole is missing
once it has been open for a while, and an event that comes after all closes it. What is kept between
two batches is bounded: chains by number, leaves and checkpoints by chain; a chain that was put away
is given back with `restore`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from collector.provenance.chain import NO_LINE, Chain, ChainKey, Hole, chain_from_json
from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import Event
from collector.provenance.keyring import KeyRing
from collector.provenance.verify import Finding, Verdict, Verifier

CHAINS_MAX: Final = 10_000
LEAVES_MAX: Final = 4_096  # sixteen checkpoints' worth
HOLES_MAX: Final = 1_000  # of one chain that an event may still close
CHECKPOINTS_MAX: Final = 64  # of one chain, whose events are not here yet


@dataclass(frozen=True, slots=True)
class Missing:
    """Numbers that are not here, `count` of them from `first_seq` on."""

    producer: str
    epoch: str
    first_seq: int
    count: int  # 0 where what was missing came after all
    seen_ns: int  # when it was seen that they are not here
    verdict: Verdict = Verdict.MISSING  # or that no checkpoint is over them


@dataclass(slots=True)
class BatchFindings:
    """What is to be said of one batch; an event that nothing is said of is ok."""

    events: dict[int, Finding] = field(default_factory=dict)  # by place in the batch
    earlier: list[Finding] = field(default_factory=list)  # of events that were judged before
    runs: list[Finding] = field(default_factory=list)  # of checkpoints


class Stream:
    """The chains of every producer, up to now."""

    def __init__(self, ring: KeyRing, missing_after_ns: int) -> None:
        self._missing_after_ns = missing_after_ns
        self._touched: set[ChainKey] = set()
        self._holed: set[ChainKey] = set()
        self._chains: dict[ChainKey, Chain] = {}
        self.change_keys(ring)

    def change_keys(self, ring: KeyRing) -> None:
        """Judge by other keys from now on; chains go on."""
        self._ring = ring
        self._verifier = Verifier(ring.macs, arrival=True, leaves=bool(ring.checkpoints))
        self._verifier.chains = self._chains

    def unknown(self, events: Iterable[Event], checkpoints: Iterable[Checkpoint]) -> set[ChainKey]:
        """Return the chains of a batch that are not held, and that a key could make true."""
        macs = self._ring.macs
        keys = {(event.producer, event.epoch) for event in events if event.kid in macs}
        keys |= {(c.producer, c.epoch) for c in checkpoints if c.kid in self._ring.checkpoints}
        return {key for key in keys if all(key)} - self._chains.keys()

    def restore(self, states: Mapping[ChainKey, str]) -> None:
        """Take chains back that `states` gave."""
        for key, text in states.items():
            chain = self._chains[key] = chain_from_json(key, text)
            if chain.has_holes:
                self._holed.add(key)

    def judge(
        self,
        events: Sequence[Event],
        forms: Sequence[bytes],
        checkpoints: Sequence[Checkpoint],
        *,
        first_look: bool = False,
    ) -> BatchFindings:
        """Judge a batch, in order of arrival.

        Args:
            events: fields beyond the first four are not looked at.
            forms: the end of each one's canonical form.
            checkpoints: those that arrived meanwhile.
            first_look: the service sees these producers for the first time, so that what they
                sealed before is not missed.
        """
        chain_count = len(self._chains)
        self._verifier.take(events, forms)
        touched = {(event.producer, event.epoch) for event in events} & self._chains.keys()
        for checkpoint in checkpoints:
            if self._hold(checkpoint, first_look=first_look):
                touched.add((checkpoint.producer, checkpoint.epoch))
        fresh = set(islice(self._chains, chain_count, None))
        # A known key's id with an epoch that nobody has makes a chain of which nothing holds.
        forged = {key for key in fresh if not (self._chains[key].runs or key in touched)}
        forged |= {key for key in fresh & touched if self._is_empty(key)}
        self._verifier.forget(forged)
        for key in touched - forged:
            chain = self._chains[key]
            if first_look and key in fresh and chain.runs:
                chain.start = chain.runs[0].first
            self._prove(chain)
        self._touched |= touched - forged
        self._holed |= touched - forged
        findings = self._batch_findings()
        for key in touched - forged:
            for run in self._chains[key].runs:
                run.line = NO_LINE
        return findings

    def missing(self, now_ns: int) -> list[Missing]:
        """Return the holes to be written: those that have had their time, or changed since.

        A hole that shows now is given time from `now_ns` on.
        """
        missings: list[Missing] = []
        for key in sorted(self._holed):
            chain = self._chains[key]
            before = chain.gaps, chain.uncovered
            holes = chain.holes(chain.start, chain.proven)
            chain.gaps, due = self._looked_at(before[0], holes, now_ns)
            missings += [Missing(*key, *hole) for hole in due]
            holes = chain.uncovered_holes(chain.start)
            chain.uncovered, due = self._looked_at(before[1], holes, now_ns)
            due += _filled(before[1], chain.uncovered)
            missings += [Missing(*key, *hole, Verdict.MISSING_CHECKPOINT) for hole in due]
            if before != (chain.gaps, chain.uncovered):
                self._touched.add(key)
        self._holed = {key for key in self._holed if self._chains[key].has_holes}
        return missings

    def _looked_at(
        self, before: Mapping[int, Hole], holes: Iterable[tuple[int, int]], now_ns: int
    ) -> tuple[dict[int, Hole], list[tuple[int, int, int]]]:
        """Return the holes as they are now; first number, count and age of those to be written."""
        now: dict[int, Hole] = {}
        due: list[tuple[int, int, int]] = []
        for first, last in holes:
            hole = now[first] = _inherited(before, first, last, now_ns)
            if hole.is_told and before.get(first) == hole:
                continue
            if hole.is_told or now_ns - hole.seen_ns >= self._missing_after_ns:
                hole.is_told = True
                due.append((first, last - first + 1, hole.seen_ns))
        return now, due

    def states(self) -> dict[ChainKey, str]:
        """Return what changed since the last call, as text, and put away what is too much."""
        changed = {key: self._chains[key].to_json() for key in self._touched}
        for key in self._touched:  # the longest untouched come first
            self._chains[key] = self._chains.pop(key)
        self._touched = set()
        surplus = len(self._chains) - CHAINS_MAX
        if surplus > 0:
            idle = [key for key in self._chains if key not in self._holed]
            self._verifier.forget(idle[:surplus])
        return changed

    def chain(self, producer: str, epoch: str) -> Chain:
        """Return a chain that is held."""
        return self._chains[producer, epoch]

    def _hold(self, checkpoint: Checkpoint, *, first_look: bool) -> bool:
        """Keep a checkpoint until its events are here; False where it says nothing new."""
        reason = self._ring.check(checkpoint)
        if reason:
            self._verifier.name_forged(checkpoint, reason)
            return False
        fresh = Chain(start=checkpoint.last_seq + 1) if first_look else Chain()
        chain = self._chains.setdefault((checkpoint.producer, checkpoint.epoch), fresh)
        return self._verifier.accept(chain, checkpoint)

    def _prove(self, chain: Chain) -> None:
        """Compare the roots of one chain whose events are all here."""
        for first in sorted(chain.checkpoints):
            checkpoint = chain.checkpoints[first]
            is_kept = len(chain.checkpoints) <= CHECKPOINTS_MAX and _awaits(chain, checkpoint)
            if not self._verifier.settle(chain, checkpoint) and not is_kept:
                chain.settle(checkpoint)
        chain.trim()
        waits = [first for first, _ in islice(chain.uncovered_holes(chain.start), 1)]
        needed = min([chain.proven, *waits, *chain.checkpoints])
        surplus = len(chain.leaves) - LEAVES_MAX
        if surplus > 0 or (chain.leaves and next(iter(chain.leaves)) < needed):
            kept = sorted(seq for seq in chain.leaves if seq >= needed)[-LEAVES_MAX:]
            chain.leaves = {seq: chain.leaves[seq] for seq in kept}
        while len(chain.runs) > HOLES_MAX and chain.close_oldest():
            pass

    def _is_empty(self, key: ChainKey) -> bool:
        return not (self._chains[key].runs or self._chains[key].checkpoints)

    def _batch_findings(self) -> BatchFindings:
        findings, late = self._verifier.drain()
        batch = BatchFindings()
        for finding in late:
            assert finding.line is not None
            batch.events[finding.line] = finding
        for finding in findings:
            if finding.line is None:
                batch.runs.append(finding)
            elif finding.line < 0:
                batch.earlier.append(finding)
            else:
                batch.events[finding.line] = finding
        return batch


def _awaits(chain: Chain, checkpoint: Checkpoint) -> bool:
    """Return whether an event of the run may still come, so that its root can be compared.

    It cannot where one was tampered with or is missing, which is said of that event itself.
    """
    reported = [(first, hole.last) for first, hole in chain.gaps.items() if hole.is_told]
    return any(
        first <= checkpoint.last_seq
        and last >= checkpoint.first_seq
        and not any(a <= first and last <= b for a, b in reported)
        for first, last in chain.holes(chain.start, chain.proven)
    )


def _inherited(before: Mapping[int, Hole], first: int, last: int, now_ns: int) -> Hole:
    """Return the hole as it was, or as what is left of one that was."""
    hole_before = before.get(first)
    for start, hole in before.items() if hole_before is None else ((first, hole_before),):
        if start <= first and last <= hole.last:
            return Hole(last, hole.seen_ns, hole.is_told)
    return Hole(last, now_ns)


def _filled(before: Mapping[int, Hole], now: Mapping[int, Hole]) -> list[tuple[int, int, int]]:
    """Return the holes that were written and are none any more, as holes of no number."""
    return [
        (first, 0, hole.seen_ns)
        for first, hole in before.items()
        if hole.is_told and first not in now
    ]
