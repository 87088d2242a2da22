"""Pure: which decisions a question is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from collector.core.clock import NS_PER_DAY

# decision.action of what calibrates: no customer's, and in no budget but one that names it.
CALIBRATION_ACTION: Final = "calibration"
# A rate is over no less: one sale in the first second of a service is not 3,600 an hour.
RATE_S_MIN: Final = 60
_ANY_NS = 2**63


@dataclass(frozen=True, slots=True)
class Selection:
    """Decisions that began in [from, to) and took [low, high); "" is any action or region."""

    from_ns: int
    to_ns: int
    action: str = ""
    region: str = ""
    low_ns: int = 0
    high_ns: int = _ANY_NS


def days_of(from_ns: int, to_ns: int) -> list[tuple[int, int]]:
    """Return [from, to) in parts of a day, the last of the rest; itself where it is no longer."""
    begins = range(from_ns, to_ns, NS_PER_DAY) or [from_ns]
    return [(begin, min(begin + NS_PER_DAY, to_ns)) for begin in begins]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Decisions of a selection, narrowed by what else describes them; "" and () are any."""

    of: Selection
    channel: str = ""
    cohort: str = ""
    service: str = ""
    places: tuple[int, ...] = ()  # 1 to 16 of the segments of which one was their longest
