"""Pure: which decisions a question is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from collector.core.times import NS_PER_MINUTE, UNBOUNDED_NS

# decision.action of what calibrates: no customer's, and in no budget but one that names it.
CALIBRATION_ACTION: Final = "calibration"
# A rate is over no less: one sale in the first second of a service is not 3,600 an hour.
RATE_S_MIN: Final = 60
# Sums of more decisions are worked out in parts: of 25 million in one piece they take a GB more.
AT_ONCE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Decisions that began in [from, to) and took [low, high); "" is any action or region."""

    from_ns: int
    to_ns: int
    action: str = ""
    region: str = ""
    low_ns: int = 0
    high_ns: int = UNBOUNDED_NS


@dataclass(frozen=True, slots=True)
class Extent:
    """How many decisions a window has, and when the first and the last of them began; 0, none."""

    decisions: int
    first_ns: int
    last_ns: int


def in_parts(
    window: tuple[int, int], extent: Extent, at_once: int = AT_ONCE
) -> list[tuple[int, int]]:
    """Return [from, to) in parts of whole minutes with so many decisions each, if they lie evenly.

    Of few it is one part, and where there are no decisions there is none.
    """
    from_ns, to_ns = window
    if extent.decisions <= at_once:
        return [window]
    seen_ns = extent.last_ns - extent.first_ns + 1
    minutes = max(seen_ns * at_once // extent.decisions // NS_PER_MINUTE, 1)
    step_ns = minutes * NS_PER_MINUTE
    begins_ns = from_ns + (extent.first_ns - from_ns) // NS_PER_MINUTE * NS_PER_MINUTE
    begins = range(begins_ns, min(to_ns, extent.last_ns + 1), step_ns)
    return [(begin, min(begin + step_ns, to_ns)) for begin in begins]


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Decisions of a selection, narrowed by what else describes them; "" and () are any."""

    of: Selection
    channel: str = ""
    cohort: str = ""
    service: str = ""
    places: tuple[int, ...] = ()  # 1 to 16 of the segments of which one was their longest
