"""Pure: what is known of one chain: runs of numbers without a hole, and what its checkpoints prove.

It can be written down and read again, so that a service that judges events as they come goes on
after a restart where it was.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Final

from collector.provenance import SIGNED, TRACE_ID_INDEX, Event
from collector.provenance_checkpoint import NO_ROOT, Checkpoint

ChainKey = tuple[str, str]  # producer, epoch; neither is empty

# An event that came before the restart has no place in what is taken now.
NO_LINE: Final = -1
# Forged events may claim any number; what they claim only keeps it from being missed.
CLAIMS_MAX: Final = 10_000


@dataclass(slots=True)
class Run:
    """Numbers of one chain without a hole, up to `next`."""

    opening: Event
    line: int  # of the opening event
    next: int
    tag: str  # of the last event

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
class Chain:
    """One producer's epoch."""

    runs: list[Run] = field(default_factory=list)
    claims: set[int] = field(default_factory=set)  # numbers that tampered events say they have
    leaves: dict[int, bytes] = field(default_factory=dict)
    checkpoints: dict[int, Checkpoint] = field(default_factory=dict)
    proven: int = 0  # a checkpoint proves that all numbers below it were given
    start: int = 0  # what came before is not missed
    root: str = NO_ROOT  # of the last checkpoint that was compared
    gaps: dict[int, Hole] = field(default_factory=dict)  # by their first number

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

    def close_oldest(self) -> bool:
        """Give the oldest hole up, where it was written as missing; return whether it was.

        An event that still comes for it is taken for a replay: that errs on the safe side.
        """
        before, after = self.runs[:2]
        hole = self.gaps.get(before.next)
        if hole is None or not hole.is_told:
            return False
        for first in [first for first in self.gaps if before.next <= first < after.first]:
            del self.gaps[first]
        before.next, before.tag = after.next, after.tag
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
        has_checkpoints = bool(self.proven or self.checkpoints)
        return json.dumps(
            {
                "runs": [
                    [run.first, run.next, run.tag, run.opening.prev, _trace_id(run.opening)]
                    for run in self.runs
                ],
                "claims": sorted(self.claims),
                "leaves": {seq: leaf.hex() for seq, leaf in self.leaves.items()}
                if has_checkpoints
                else {},
                "checkpoints": [asdict(checkpoint) for checkpoint in self.checkpoints.values()],
                "proven": self.proven,
                "start": self.start,
                "root": self.root,
                "gaps": {first: asdict(hole) for first, hole in self.gaps.items()},
            },
            separators=(",", ":"),
        )


def chain_from_json(key: ChainKey, text: str) -> Chain:
    """Return the chain that `to_json` wrote."""
    said = json.loads(text)
    checkpoints = [Checkpoint(**each) for each in said["checkpoints"]]
    return Chain(
        runs=[
            Run(_opening(key, first, prev, trace_id), NO_LINE, after, tag)
            for first, after, tag, prev, trace_id in said["runs"]
        ],
        claims=set(said["claims"]),
        leaves={int(seq): bytes.fromhex(leaf) for seq, leaf in said["leaves"].items()},
        checkpoints={checkpoint.first_seq: checkpoint for checkpoint in checkpoints},
        proven=said["proven"],
        start=said["start"],
        root=said["root"],
        gaps={int(first): Hole(**hole) for first, hole in said["gaps"].items()},
    )


def _opening(key: ChainKey, seq: int, prev: str, trace_id: str) -> Event:
    fields = [""] * len(SIGNED)
    fields[TRACE_ID_INDEX] = trace_id
    return Event("", *key, seq, prev, "", tuple(fields))


def _trace_id(event: Event) -> str:
    return event.fields[TRACE_ID_INDEX]
