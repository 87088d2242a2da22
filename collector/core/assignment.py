"""Pure: which arm of an experiment a unit is in; drawn by a service, and recomputed in the store.

The draw is a whole number below DRAWS: the first seven bytes of SHA-256 over experiment, minute and
unit, with the byte 31 between them. An arm takes a range of those numbers as wide as its share, in
the order in which the arms are registered. Whole numbers, so that every reader finds the same arm;
SHA-256, because the engine of the store computes it too (`attribution/sensitivity/sql`).
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

DRAWS = 1 << 56
UNIT_HEX = 16
_SEPARATOR = "\x1f"


def unit_digest(experiment: str, unit: str) -> str:
    """Return what `decision.unit` says of a unit, UNIT_HEX hex digits.

    It differs between experiments, so that it links nobody's decisions across them.
    """
    return sha256(f"{experiment}{_SEPARATOR}{unit}".encode()).hexdigest()[:UNIT_HEX]


def draw(experiment: str, minute: int, unit: str) -> int:
    """Return a number in [0, DRAWS), even over units and minutes.

    Args:
        experiment: its name.
        minute: since the Unix epoch, in which the decision began.
        unit: a `unit_digest`.
    """
    key = f"{experiment}{_SEPARATOR}{minute}{_SEPARATOR}{unit}".encode()
    return int.from_bytes(sha256(key).digest()[:7])


def arm_ends(shares: Sequence[float]) -> list[int]:
    """Return where the range of each arm ends, not included; the last one ends at DRAWS.

    Args:
        shares: of the arms, which sum to 1 but for rounding.
    """
    ends, reached = [], 0.0
    for share in shares:
        reached += share
        ends.append(round(reached * DRAWS))
    return [*ends[:-1], DRAWS]
