"""Pure: what is known of one chain: runs of numbers without a hole, and what its checkpoints prove.

It can be written down and read again, so that a service that judges events as they come goes on
after a restart where it was.
"""

from __future__ import annotations

import heapq
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Final

from collector.core.event_schema import SIGNED
from collector.provenance.checkpoint import NO_ROOT, Checkpoint
from collector.provenance.event import TRACE_ID_INDEX, Event

ChainKey = tuple[str, str]  # producer, epoch; neither is empty

# An event that came before the restart has no place in what is taken now.
NO_LINE: Final = -1
# Forged events may claim any number; what they claim only keeps it from being missed.
CLAIMS_MAX: Final = 10_000
# A lost checkpoint leaves two coverings where there was one.
COVERINGS_MAX: Final = 1_000
SETTLED_MAX: Final = 64
OPEN: Final = 2**63  # no chain gets there: nothing closed it


@dataclass(slots=True)
class Run:
    """Numbers of one chain without a hole, up to `next`."""

    opening: Event
    line: int  # of the opening event
    next: int
    tag: str  # of the last event
    closing: Event  # the last one; of a chain that was read again its opening

    @property
    def first(self) -> int:
        """Return the number of the opening event."""
        return self.opening.seq


@dataclass(slots=True)
class Hole:
    """Numbers that nothing has, first and last of them."""

    last: int
    seen_ns: int  # when a later event or a checkpoint showed it
    is_told: bool = False  # written as missing


@dataclass(slots=True)
class Covering:
    """Numbers that signed checkpoints are over, each following the one before it."""

    first: int
    next: int
    prev_root: str  # that the first of the checkpoints names
    root: str  # of the last one


@dataclass(slots=True)
class Chain:
    """One producer's epoch."""

    runs: list[Run] = field(default_factory=list)
    claims: set[int] = field(default_factory=set)  # numbers that tampered events say they have
    leaves: dict[int, bytes] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)  # not compared yet
    settled: dict[int, str] = field(default_factory=dict)  # roots of the last that were, by number
    covered: list[Covering] = field(default_factory=list)
    closed: int = OPEN  # the number that none has: a signed checkpoint says the producer ended
    start: int = 0  # what came before is not missed
    gaps: dict[int, Hole] = field(default_factory=dict)  # of events, by their first number
    uncovered: dict[int, Hole] = field(default_factory=dict)  # of checkpoints

    @property
    def proven(self) -> int:
        """Return the number below which all were given, as signed checkpoints say."""
        return self.covered[-1].next if self.covered else 0

    @property
    def has_holes(self) -> bool:
        """Return whether anything is waited for."""
        return bool(self.gaps or self.uncovered)

    def has_forgotten(self, checkpoint: Checkpoint) -> bool:
        """Return whether a checkpoint is over what was covered by one that is not remembered."""
        first, last = checkpoint.first_seq, checkpoint.last_seq
        is_old = last < min(self.settled, default=0)
        return is_old and any(each.first <= first and last < each.next for each in self.covered)

    def conflict(self, checkpoint: Checkpoint) -> str:
        """Return what a signed checkpoint contradicts among those that are here, "" for nothing."""
        first, next_seq = checkpoint.first_seq, checkpoint.last_seq + 1
        if any(first < each.next and each.first < next_seq for each in self.covered):
            return "another one is over the same events"
        if next_seq > self.closed or (checkpoint.closing and next_seq < self.proven):
            return "another one says where the chain ended"
        return ""

    def cover(self, checkpoint: Checkpoint) -> bool:
        """Note what a signed checkpoint is over; return whether it follows the one before it.

        Checkpoints come in any order: each is held against the one before it and the one behind
        it, whichever of the two is here.
        """
        covered, first, next_seq = self.covered, checkpoint.first_seq, checkpoint.last_seq + 1
        index = bisect_right(covered, first, key=lambda run: run.first)
        before = covered[index - 1] if index else None
        behind = covered[index] if index < len(covered) else None
        fits = first > 0 or checkpoint.prev_root == NO_ROOT
        if before is not None and before.next == first:
            fits = before.root == checkpoint.prev_root
            before.next, before.root = next_seq, checkpoint.root
        else:
            before = Covering(first, next_seq, checkpoint.prev_root, checkpoint.root)
            covered.insert(index, before)
        if behind is not None and behind.first == next_seq:
            fits = fits and behind.prev_root == checkpoint.root
            before.next, before.root = behind.next, behind.root
            covered.remove(behind)
        if checkpoint.closing:
            self.closed = next_seq
        return fits

    def uncovered_holes(self, start: int) -> Iterator[tuple[int, int]]:
        """Yield first and last of the numbers from `start` on that lack a checkpoint.

        Only before one that is here: what comes after the last one is unproven, not missed.
        """
        for each in self.covered:
            if each.first > start:
                yield start, each.first - 1
            start = max(start, each.next)

    def event_count(self, first: int, last: int) -> int:
        """Return how many of these numbers have an event."""
        return sum(max(0, min(run.next, last + 1) - max(run.first, first)) for run in self.runs)

    def settle(self, checkpoint: Checkpoint) -> None:
        """Let a checkpoint go that was compared, or never can be."""
        self.checkpoints.pop(checkpoint.first_seq, None)
        self.settled[checkpoint.first_seq] = checkpoint.root

    def trim(self) -> None:
        """Forget the oldest of what was compared, for who never ends."""
        for first in sorted(self.settled)[:-SETTLED_MAX]:
            del self.settled[first]
        while len(self.covered) > COVERINGS_MAX:
            oldest, second = self.covered[:2]
            oldest.next, oldest.root = second.next, second.root
            del self.covered[1]
        if self.claims:
            bounds = [(run.first, run.next) for run in self.runs]
            self.claims = {c for c in self.claims if not any(a <= c < b for a, b in bounds)}

    def holes(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield first and last of the numbers that neither an event nor a tampered one has.

        From `start` up to the last event here, and up to `end`, exclusive, which is proven to
        have been there.
        """
        due = start
        claims = sorted(self.claims)
        spans = [(run.first, run.next) for run in self.runs]
        for first, after in heapq.merge(spans, ((claim, claim + 1) for claim in claims)):
            # What a tampered event claims beyond the chain's end may be anything.
            if first > due and first < max(end, spans[-1][1] if spans else 0):
                yield due, first - 1
            elif first > due:
                break
            due = max(due, after)
        if due < end:
            yield due, end - 1

    def neighbours(self, first: int, last: int) -> tuple[Event, Event] | None:
        """Return the events before and behind a hole, None where one of the two is not here."""
        index = bisect_right(self.runs, last, key=lambda run: run.first)
        if not 0 < index < len(self.runs) or self.runs[index - 1].next > first:
            return None
        return self.runs[index - 1].closing, self.runs[index].opening

    def close_oldest(self) -> bool:
        """Give the oldest hole up, where it was written as missing; return whether it was.

        An event that still comes for it is taken for a replay: that errs on the safe side.
        """
        before, following = self.runs[:2]
        hole = self.gaps.get(before.next)
        if hole is None or not hole.is_told:
            return False
        for first in [first for first in self.gaps if before.next <= first < following.first]:
            del self.gaps[first]
        before.next, before.tag, before.closing = following.next, following.tag, following.closing
        del self.runs[1]
        return True

    def claim(self, seq: int) -> None:
        """Note what a tampered event says its number is."""
        if len(self.claims) < CLAIMS_MAX:
            self.claims.add(seq)

    def to_json(self) -> str:
        """Return all of it as text.

        Leaves are kept for chains that send checkpoints, which is how long they are few.
        """
        return json.dumps(
            {
                "runs": [
                    [run.first, run.next, run.tag, run.opening.prev, _trace_id(run.opening)]
                    for run in self.runs
                ],
                "claims": sorted(self.claims),
                "leaves": {seq: leaf.hex() for seq, leaf in self.leaves.items()}
                if self.covered
                else {},
                "checkpoints": [asdict(checkpoint) for checkpoint in self.checkpoints.values()],
                "settled": self.settled,
                "covered": [list(astuple(covering)) for covering in self.covered],
                "closed": self.closed,
                "start": self.start,
                "gaps": _holes_to_json(self.gaps),
                "uncovered": _holes_to_json(self.uncovered),
            },
            separators=(",", ":"),
        )


def chain_from_json(key: ChainKey, text: str) -> Chain:
    """Return the chain that `to_json` wrote, of this release or an earlier one."""
    document = json.loads(text)
    checkpoints = [Checkpoint(**each) for each in document["checkpoints"]]
    covered: Iterable[tuple[int, int, str, str]] = document.get("covered", ())
    if document.get("proven"):  # as releases before coverings wrote it
        covered = [(0, document["proven"], NO_ROOT, document["root"])]
    chain = Chain(
        runs=[
            Run(opening := _opening(key, first, prev, trace_id), NO_LINE, after, tag, opening)
            for first, after, tag, prev, trace_id in document["runs"]
        ],
        claims=set(document["claims"]),
        leaves={int(seq): bytes.fromhex(leaf) for seq, leaf in document["leaves"].items()},
        checkpoints={checkpoint.first_seq: checkpoint for checkpoint in checkpoints},
        settled={int(first): root for first, root in document.get("settled", {}).items()},
        covered=[Covering(*each) for each in covered],
        closed=document.get("closed", OPEN),
        start=document["start"],
        gaps=_holes_from_json(document["gaps"]),
        uncovered=_holes_from_json(document.get("uncovered", {})),
    )
    if "covered" not in document:
        for checkpoint in chain.checkpoints.values():
            chain.cover(checkpoint)
    return chain


def _holes_to_json(holes: Mapping[int, Hole]) -> dict[int, dict[str, object]]:
    return {first: asdict(hole) for first, hole in holes.items()}


def _holes_from_json(holes_by_first: Mapping[str, dict[str, Any]]) -> dict[int, Hole]:
    return {int(first): Hole(**hole) for first, hole in holes_by_first.items()}


def _opening(key: ChainKey, seq: int, prev: str, trace_id: str) -> Event:
    fields = [""] * len(SIGNED)
    fields[TRACE_ID_INDEX] = trace_id
    return Event("", *key, seq, prev, "", tuple(fields))


def _trace_id(event: Event) -> str:
    return event.fields[TRACE_ID_INDEX]
