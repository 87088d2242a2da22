"""Pure: chains of sealed decisions, and what is done to them: for tests and benchmarks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from collector.core.event_schema import SIGNED
from collector.core.times import NS_PER_MS
from collector.provenance.checkpoint import Checkpoint, Checkpointer
from collector.provenance.event import Event, MacKey, Sealer
from collector.provenance.keyring import CheckpointKey, KeyRing, public_of, signer
from collector.provenance.verify import Finding, Verdict, Verifier

START_NS: Final = 1_764_000_000_000_000_000
_REGIONS: Final = ("eu-west", "us-east", "ap-south")

PRIVATE: Final = bytes(range(32))
MACS: Final = (MacKey("shop-1", bytes(range(1, 33))), MacKey("shop-2", bytes(range(2, 34))))
RING: Final = KeyRing(
    {key.kid: key for key in MACS}, {"audit": CheckpointKey("audit", public_of(PRIVATE))}
)


@dataclass(frozen=True, slots=True)
class Attack:
    """A chain after an attack, and the finding that has to name it."""

    events: list[Event]
    verdict: Verdict
    first_seq: int  # as the chain was sealed
    last_seq: int
    line: int | None  # where the event stands now, None where it is gone

    def is_named_by(self, finding: Finding) -> bool:
        """Return whether the finding says what was done, and to which event."""
        if finding.verdict is not self.verdict or finding.line != self.line:
            return False
        run = (finding.first_seq, finding.last_seq)
        return self.line is not None or run == (self.first_seq, self.last_seq)

    def is_about(self, finding: Finding) -> bool:
        """Return whether the finding is of an event that was touched; else it is a false alarm."""
        return self.is_named_by(finding) or finding.first_seq == self.first_seq


def sealed_chain(
    dice: random.Random, count: int, start_ns: int = START_NS
) -> tuple[list[Event], list[Checkpoint]]:
    """Return a chain whose key is rotated half way, with its checkpoints."""
    sealer = Sealer(MACS[0], "shop/1")
    checkpointer = Checkpointer(sealer, "audit", signer(PRIVATE))
    events: list[Event] = []
    checkpoints: list[Checkpoint | None] = []
    for number in range(count):
        if number == count // 2:
            sealer.rotate(MACS[1])
        events.append(sealer.seal(signed_fields(dice, start_ns + number * NS_PER_MS)))
        checkpoints.append(checkpointer.add(sealer.leaf))
    checkpoints.append(checkpointer.cut(closing=True))
    return events, [checkpoint for checkpoint in checkpoints if checkpoint is not None]


def findings_in(events: Iterable[Event], checkpoints: Iterable[Checkpoint]) -> list[Finding]:
    """Verify a whole export."""
    verifier = Verifier(RING.macs, RING.check)
    verifier.take(events)
    for checkpoint in checkpoints:
        verifier.take_checkpoint(checkpoint)
    return list(verifier.finish().findings)


def built_anew(dice: random.Random, events: list[Event]) -> list[Event]:
    """Return the chain after an insider changed one event and sealed it and all behind it again."""
    victim = dice.randrange(len(events))
    sealer = Sealer(MACS[0], events[0].producer)
    sealer.epoch = events[0].epoch
    anew = []
    for number, event in enumerate(events):
        sealer.rotate(RING.macs[event.kid])
        fields = list(event.fields)
        if number == victim:
            fields[SIGNED.index("decision.value_usd")] = "999.00"
        anew.append(sealer.seal(fields))
    return anew


def bit_flip(dice: random.Random, events: list[Event]) -> Attack:
    """Flip one bit of a signed field that is not empty."""
    at = dice.randrange(len(events))
    event = events[at]
    filled = [index for index, text in enumerate(event.fields) if text]
    index = dice.choice([-4, -3, -2, -1, *filled])
    if index >= 0:
        fields = list(event.fields)
        fields[index] = _flipped(dice, fields[index])
        changed = event._replace(fields=tuple(fields))
    elif index == -1:
        changed = event._replace(seq=event.seq ^ 1 << dice.randrange(40))
    else:
        place = [event.kid, event.producer, event.epoch]
        place[index + 4] = _flipped(dice, place[index + 4])
        changed = event._replace(kid=place[0], producer=place[1], epoch=place[2])
    return Attack([*events[:at], changed, *events[at + 1 :]], Verdict.TAMPERED, at, at, at)


def duplicate(dice: random.Random, events: list[Event]) -> Attack:
    """Put a copy of an event somewhere behind it."""
    seq = dice.randrange(len(events))
    index = dice.randrange(seq + 1, len(events) + 1)
    return Attack(
        [*events[:index], events[seq], *events[index:]], Verdict.REPLAYED, seq, seq, index
    )


def drop(dice: random.Random, events: list[Event]) -> Attack:
    """Leave one event out."""
    index = dice.randrange(len(events))
    return Attack([*events[:index], *events[index + 1 :]], Verdict.MISSING, index, index, None)


def adjacent_reorder(dice: random.Random, events: list[Event]) -> Attack:
    """Swap two neighbours."""
    index = dice.randrange(len(events) - 1)
    swapped = [*events[:index], events[index + 1], events[index], *events[index + 2 :]]
    return Attack(swapped, Verdict.REORDERED, index, index, index + 1)


def tail_cut(dice: random.Random, events: list[Event]) -> Attack:
    """Leave out the last events; their checkpoints are kept where nobody could reach them."""
    index = dice.randrange(len(events))
    return Attack(events[:index], Verdict.MISSING, index, len(events) - 1, None)


def tag_flip(dice: random.Random, events: list[Event]) -> Attack:
    """Flip one bit of a tag."""
    index = dice.randrange(len(events))
    changed = events[index]._replace(tag=_hex_flipped(dice, events[index].tag))
    return Attack(
        [*events[:index], changed, *events[index + 1 :]], Verdict.TAMPERED, index, index, index
    )


def prev_flip(dice: random.Random, events: list[Event]) -> Attack:
    """Flip one bit of what an event says of its predecessor."""
    index = dice.randrange(len(events))
    changed = events[index]._replace(prev=_hex_flipped(dice, events[index].prev))
    return Attack(
        [*events[:index], changed, *events[index + 1 :]], Verdict.TAMPERED, index, index, index
    )


ATTACKS: Final[dict[str, Callable[[random.Random, list[Event]], Attack]]] = {
    "bit flip": bit_flip,
    "duplicate": duplicate,
    "drop": drop,
    "adjacent reorder": adjacent_reorder,
    "tail cut": tail_cut,
    "tag flip": tag_flip,
    "prev flip": prev_flip,
}


def signed_fields(dice: random.Random, start_ns: int) -> tuple[str, ...]:
    """Return the signed fields of one decision."""
    trace_id = f"{dice.getrandbits(128):032x}"
    values = {
        "trace_id": trace_id,
        "span_id": f"{dice.getrandbits(64):016x}",
        "start_ns": str(start_ns),
        "end_ns": str(start_ns + 5 * NS_PER_MS),
        "status": "Unset",
        "decision.schema": "1",
        "decision.id": trace_id,
        "decision.action": "offer",
        "decision.channel": "web",
        "decision.region": dice.choice(_REGIONS),
        "decision.cohort": "gold",
        "decision.offer_type": "discount",
        "decision.mode": "normal",
        "decision.value_usd": f"{dice.randrange(1, 2000) / 100:.2f}",
        "decision.ts.ingress": str(start_ns),
        "decision.ts.transform": str(start_ns + NS_PER_MS),
        "decision.ts.decision": str(start_ns + 2 * NS_PER_MS),
        "decision.ts.egress": str(start_ns + 4 * NS_PER_MS),
    }
    return tuple([values.get(name, "") for name in SIGNED])


def _flipped(dice: random.Random, text: str) -> str:
    index = dice.randrange(len(text))
    return text[:index] + chr(ord(text[index]) ^ 1 << dice.randrange(7)) + text[index + 1 :]


def _hex_flipped(dice: random.Random, digits: str) -> str:
    return f"{int(digits, 16) ^ 1 << dice.randrange(128):032x}"
