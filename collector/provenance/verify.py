"""Pure: find what was done to chains of sealed events.

Events are taken one by one, in the order they are listed; memory grows with what is wrong and
with the leaves that wait for a checkpoint, not with the events. Per chain only runs of numbers
without a hole are kept: a number inside a run is there already, so it is replayed; a hole that is
left at the end is missing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from hmac import compare_digest
from typing import Final

from collector.provenance.chain import OPEN, Chain, ChainKey, Run
from collector.provenance.checkpoint import Checkpoint, merkle_root
from collector.provenance.event import (
    NO_TAG,
    TRACE_ID_INDEX,
    ChainMac,
    Event,
    MacKey,
    canonical_rest,
    is_unsigned,
    late_for,
)
from collector.provenance.kept import EVERYTHING, Kept

_SAID_MAX: Final = 80  # letters of what anybody may have sent


class Verdict(StrEnum):
    """What is said of one event; the last three are of a checkpoint's whole run."""

    OK = "ok"
    TAMPERED = "tampered"
    REPLAYED = "replayed"
    RETRIED = "retried"  # replayed, and every byte is as it was: whoever holds both says so
    REORDERED = "reordered"
    MISSING = "missing"
    UNSIGNED = "unsigned"
    RECHAINED = "rechained"  # every seal holds, and yet the signed root is another
    BAD_CHECKPOINT = "bad_checkpoint"  # signed, and another one that is signed says otherwise
    FORGED_CHECKPOINT = "forged_checkpoint"  # no key that counts signed it: it is nobody's
    MISSING_CHECKPOINT = "missing_checkpoint"


@dataclass(frozen=True, slots=True)
class Finding:
    """One event, or one run of numbers, that is not as it was sealed."""

    verdict: Verdict
    producer: str
    epoch: str
    first_seq: int  # -1 unknown
    last_seq: int
    reason: str
    line: int | None = None  # the event's place in what was taken, from 0; None where it is gone
    trace_id: str = ""
    holds_place: bool = False  # its number is taken by it all the same
    subject: str = ""  # of an outcome
    count: int = 1  # events, or numbers; or records that are nobody's


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `verdicts` counts events, with the missing ones among them."""

    events: int
    verdicts: Mapping[Verdict, int]
    findings: tuple[Finding, ...]
    late: tuple[Finding, ...]  # came after a later one, where the order is that of arrival
    checkpoints: int
    unproven: int  # events after the last checkpoint of a chain: that none followed is unproven
    open_chains: int  # chains without a closing checkpoint
    lapsed: tuple[Finding, ...] = ()  # missing, and retention may have removed them

    def told_anew(self, findings: Sequence[Finding]) -> Report:
        """Return the same, where some replays are known for a sender's own retries by now."""
        retried = sum(each.verdict is Verdict.RETRIED for each in findings)
        verdicts = Counter(self.verdicts)
        verdicts[Verdict.REPLAYED] -= retried
        verdicts[Verdict.RETRIED] += retried
        left = tuple(each for each in findings if each.verdict is not Verdict.RETRIED)
        return replace(self, verdicts=verdicts, findings=left)


class Verifier:
    """Takes events and checkpoints, and reports at the end.

    Args:
        keys: of the chains, by id.
        check: says why a checkpoint's signature does not count, "" where it does.
        whole: the chains are listed from their first event; else what came before the first
            event that is here is not missed, nor what may have lapsed.
        kept: the times of which nothing may be missing.
        arrival: the events are in the order in which they arrived, which transport may change;
            else in their producers' order, and one that comes late is `reordered`.
        leaves: keep what checkpoints need.
    """

    def __init__(
        self,
        keys: Mapping[str, MacKey],
        check: Callable[[Checkpoint], str] | None = None,
        *,
        whole: bool = True,
        arrival: bool = False,
        leaves: bool = True,
        kept: Kept = EVERYTHING,
    ) -> None:
        self._keys = keys
        self._check = check
        self._whole = whole
        self._kept = kept
        self._arrival = arrival
        self._keep_leaves = leaves
        self.chains: dict[ChainKey, Chain] = {}  # whoever judges as they come drops and adds some
        self._macs: dict[tuple[str, str, str], tuple[ChainMac, int | None, Chain]] = {}
        self._findings: list[Finding] = []
        self._late: list[Finding] = []
        self._events = 0
        self._checkpoints = 0

    def take(self, events: Iterable[Event], forms: Iterable[bytes] | None = None) -> None:
        """Judge the next events.

        Args:
            events: a batch; all of it is held at once.
            forms: what `canonical_rest` returns for each, where the caller has it already; of the
                fields only the first four are then looked at.
        """
        if forms is None:
            events = list(events)
            forms = [
                canonical_rest(seq, prev, fields) for _, _, _, seq, prev, _, fields, _ in events
            ]
        line = self._events - 1
        macs = self._macs
        keep = self._keep_leaves
        # The last one is counted.
        for line, (event, rest) in enumerate(zip(events, forms, strict=True), self._events):
            kid, producer, epoch, seq, prev, tag, _, _ = event
            chain_key = macs.get((kid, producer, epoch)) or self._known(event)
            if chain_key is None:
                self._refuse(event, line, self._key_problem(event))
                continue
            mac, retired_ns, chain = chain_key
            # compare_digest takes texts in ASCII only; another one is no tag.
            if not (tag.isascii() and compare_digest(mac.tag(rest), tag)):
                self._refuse(event, line, "its content or its seal was changed")
                continue
            if retired_ns is not None and (late := late_for(event, retired_ns)):
                self._refuse(event, line, f"key {kid} was retired before it {late}")
                continue
            if seq >= chain.closed:
                self._refuse(event, line, "its chain was closed before it")
                continue
            if keep:
                chain.leaves.setdefault(seq, mac.leaf(rest, tag))
            runs = chain.runs
            if runs and runs[-1].next == seq and runs[-1].tag == prev:
                runs[-1].next = seq + 1
                runs[-1].tag = tag
                runs[-1].closing = event
            else:
                self._place(chain, event, line)
        self._events = line + 1

    def take_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Judge one checkpoint, at once where its events are here already."""
        assert self._check is not None
        self._checkpoints += 1
        reason = self._check(checkpoint)
        if reason:
            self.name_forged(checkpoint, reason)
            return
        chain = self._chain(checkpoint.producer, checkpoint.epoch)
        if self.accept(chain, checkpoint):
            self.settle(chain, checkpoint)

    def accept(self, chain: Chain, checkpoint: Checkpoint) -> bool:
        """Hold a signed checkpoint until its events are here; False where it says nothing new."""
        first = checkpoint.first_seq
        waiting = chain.checkpoints.get(first)
        root = waiting.root if waiting is not None else chain.settled.get(first)
        if root == checkpoint.root:
            return False  # a sender's own retry
        if root is None and chain.has_forgotten(checkpoint):
            return False  # a retry, of one that is older than what is remembered
        if conflict := chain.conflict(checkpoint):
            self._name_run(Verdict.BAD_CHECKPOINT, checkpoint, conflict)
            return False
        if not chain.cover(checkpoint):
            self._name_run(
                Verdict.BAD_CHECKPOINT, checkpoint, "it does not follow the one before it"
            )
        chain.checkpoints[first] = checkpoint
        if checkpoint.closing and chain.runs and chain.runs[-1].next > chain.closed:
            self._name_beyond(chain, checkpoint)
        return True

    def drain(self) -> tuple[list[Finding], list[Finding]]:
        """Return what was found since the last call, and what came late; lines begin at 0 anew.

        For who judges events as they come and does not `finish`.
        """
        findings, late = self._findings, self._late
        self._findings, self._late, self._events = [], [], 0
        return findings, late

    def forget(self, gone: Iterable[ChainKey]) -> None:
        """Drop chains; what verifies them is made anew where they come again."""
        for key in gone:
            self.chains.pop(key, None)
        self._macs.clear()

    def finish(self) -> Report:
        """Name what is missing, and sum up; nothing is taken after it."""
        unproven = open_chains = 0
        lapsed: list[Finding] = []
        for (producer, epoch), chain in self.chains.items():
            for checkpoint in list(chain.checkpoints.values()):
                self.settle(chain, checkpoint)
            first_here = chain.runs[0].first if chain.runs else chain.proven
            gone: list[Finding] = []
            for first, last in chain.holes(0 if self._whole else first_here, chain.proven):
                neighbours = chain.neighbours(first, last)
                to = gone if neighbours and self._kept.may_lack(*neighbours) else self._findings
                self._name(Verdict.MISSING, (producer, epoch, first, last), "it is not here", to=to)
            lapsed += gone
            start = 0 if self._whole or not chain.covered else chain.covered[0].first
            for first, last in chain.uncovered_holes(start):
                where = (producer, epoch, first, last)
                has_gone = any(first <= hole.last_seq and hole.first_seq <= last for hole in gone)
                to = lapsed if has_gone else self._findings
                self._name(Verdict.MISSING_CHECKPOINT, where, "no checkpoint is over it", to=to)
            if chain.runs:
                unproven += max(0, chain.runs[-1].next - chain.proven)
                open_chains += chain.closed == OPEN
        verdicts: Counter[Verdict] = Counter()
        named, beyond = set(), 0
        for finding in self._findings:
            verdicts[finding.verdict] += finding.count
            if finding.line is not None:
                named.add(finding.line)
            elif finding.verdict is Verdict.TAMPERED:
                beyond += finding.count
        verdicts[Verdict.OK] = self._events - len(named) - beyond
        return Report(
            events=self._events,
            verdicts=verdicts,
            findings=tuple(self._findings),
            late=tuple(self._late),
            checkpoints=self._checkpoints,
            unproven=unproven,
            open_chains=open_chains,
            lapsed=tuple(lapsed),
        )

    def _known(self, event: Event) -> tuple[ChainMac, int | None, Chain] | None:
        """Return what verifies the event's chain, None where no key does."""
        key = self._keys.get(event.kid)
        if key is None or key.revoked or not event.producer or not event.epoch:
            return None
        mac = ChainMac(key.secret, event.kid, event.producer, event.epoch)
        entry = (mac, key.retired_ns, self._chain(event.producer, event.epoch))
        self._macs[event.kid, event.producer, event.epoch] = entry
        return entry

    def _chain(self, producer: str, epoch: str) -> Chain:
        return self.chains.setdefault((producer, epoch), Chain())

    def _key_problem(self, event: Event) -> str:
        if not (event.kid and event.producer and event.epoch):
            return "its seal is incomplete"
        state = "revoked" if event.kid in self._keys else "not among the keys"
        return f"key {event.kid} is {state}"

    def _refuse(self, event: Event, line: int, reason: str) -> None:
        if is_unsigned(event):
            self._name_event(Verdict.UNSIGNED, event, line, "it has no seal")
            return
        self._name_event(Verdict.TAMPERED, event, line, reason)
        key = event.producer, event.epoch
        # Under a key that was revoked they prove nothing, and are here.
        is_of_key = event.kid in self._keys and all(key)
        if event.seq >= 0 and (is_of_key or key in self.chains):
            self._chain(*key).claim(event.seq)

    def _place(self, chain: Chain, event: Event, line: int) -> None:
        """Put an event, whose seal holds, where its number says."""
        runs, seq = chain.runs, event.seq
        if seq < 0:
            self._name_event(Verdict.TAMPERED, event, line, "its number is none")
            return
        index = bisect_right(runs, seq, key=lambda run: run.first)
        before = runs[index - 1] if index else None
        following = runs[index] if index < len(runs) else None
        if before is not None and seq < before.next:
            self._name_event(Verdict.REPLAYED, event, line, "its number was here before")
            return
        if following is not None:
            self._name_late(event, line)
        if before is not None and before.next == seq:
            self._link(before.tag, event.prev, event, line)
            run = before
            run.next, run.tag, run.closing = seq + 1, event.tag, event
        else:
            if seq == 0:
                self._link(NO_TAG, event.prev, event, line)
            run = Run(event, line, seq + 1, event.tag, event)
            runs.insert(index, run)
        if following is not None and run.next == following.first:
            self._link(run.tag, following.opening.prev, following.opening, following.line)
            run.next, run.tag, run.closing = following.next, following.tag, following.closing
            runs.remove(following)

    def _link(self, tag: str, prev: str, event: Event, line: int) -> None:
        """Both seals hold: only whoever has the key can have written another predecessor."""
        if tag != prev:
            reason = "it was sealed behind another event than the one before it"
            self._name_event(Verdict.TAMPERED, event, line, reason, holds_place=True)

    def settle(self, chain: Chain, checkpoint: Checkpoint) -> bool:
        """Compare the root where every event of the run is here; else some are named anyway.

        Returns whether it was compared.
        """
        numbers = range(checkpoint.first_seq, checkpoint.last_seq + 1)
        # Tested from the end, which is what is missing where the events are still to come.
        if not all(number in chain.leaves for number in reversed(numbers)):
            return False
        leaves = [chain.leaves.pop(number) for number in numbers]
        if merkle_root(leaves).hex() != checkpoint.root:
            reason = "every seal holds, and the signed root is of other events"
            self._name_run(Verdict.RECHAINED, checkpoint, reason)
        chain.settle(checkpoint)
        return True

    def _name_beyond(self, chain: Chain, checkpoint: Checkpoint) -> None:
        """Name the events that stand behind the end of their chain."""
        first, last = chain.closed, chain.runs[-1].next - 1
        where = (checkpoint.producer, checkpoint.epoch, first, last)
        count = chain.event_count(first, last)
        self._name(Verdict.TAMPERED, where, "its chain was closed before it", count)

    def _name_late(self, event: Event, line: int) -> None:
        if not self._arrival:
            self._name_event(Verdict.REORDERED, event, line, "it stands behind a later one")
            return
        where = (event.producer, event.epoch, event.seq, event.seq)
        self._late.append(Finding(Verdict.OK, *where, "it came after a later one", line))

    def _name_event(
        self, verdict: Verdict, event: Event, line: int, reason: str, *, holds_place: bool = False
    ) -> None:
        trace_id, span_id = event.fields[TRACE_ID_INDEX : TRACE_ID_INDEX + 2]
        subject = span_id.removeprefix("outcome:") if span_id.startswith("outcome:") else ""
        where = (event.producer, event.epoch, event.seq, event.seq)
        self._findings.append(
            Finding(verdict, *where, reason, line, trace_id, holds_place, subject)
        )

    def name_forged(self, checkpoint: Checkpoint, reason: str) -> None:
        """Note a checkpoint that is nobody's: whatever it says of whom, it accuses none of them."""
        name = f"{checkpoint.producer[:_SAID_MAX]} {checkpoint.epoch[:_SAID_MAX]}"
        reason = (
            f"{reason}; it says to be of {name}, {checkpoint.first_seq} to {checkpoint.last_seq}"
        )
        self._name(Verdict.FORGED_CHECKPOINT, ("", "", -1, -1), reason)

    def _name_run(self, verdict: Verdict, checkpoint: Checkpoint, reason: str) -> None:
        """Note what is wrong with a signed checkpoint, for the events of its run that are here."""
        first, last = checkpoint.first_seq, checkpoint.last_seq
        where = (checkpoint.producer, checkpoint.epoch, first, last)
        count = self._chain(checkpoint.producer, checkpoint.epoch).event_count(first, last)
        self._name(verdict, where, reason, count)

    def _name(
        self,
        verdict: Verdict,
        where: tuple[str, str, int, int],
        reason: str,
        count: int | None = None,
        *,
        to: list[Finding] | None = None,
    ) -> None:
        count = where[3] - where[2] + 1 if count is None else count
        findings = self._findings if to is None else to
        findings.append(Finding(verdict, *where, reason, count=count))
