"""Pure: how many alerts fire, cool, cannot be judged, and are in shadow: one count for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from alerts.state.transitions import Phase
from dashboard.units import count


class Standing(Protocol):
    """An alert, as far as it is counted."""

    @property
    def state(self) -> str:
        """Return its state."""
        ...

    @property
    def is_shadow(self) -> bool:
        """Return whether its rule told nobody."""
        ...

    @property
    def started_ns(self) -> int:
        """Return when it began to fire, 0 before."""
        ...


@dataclass(frozen=True, slots=True)
class Counts:
    """Alerts that fired and are not over, and live ones that cannot be judged, each once."""

    firing: int
    cooling: int  # their condition has ended just now
    unknown: int  # whose data stopped; live ones though they never fired
    shadow: int  # of rules in shadow, in whichever of these states

    @property
    def parts(self) -> list[str]:
        """Return what there is in words: what fires first, though it be none."""
        named = ((self.cooling, "cooling"), (self.unknown, "unknown"), (self.shadow, "in shadow"))
        others = [f"{count(number)} {name}" for number, name in named if number]
        return [f"{count(self.firing)} firing", *others]

    @property
    def text(self) -> str:
        """Return the same as one text: `42 firing, 3 cooling, 40 in shadow`."""
        return ", ".join(self.parts)


NO_ALERTS: Final = Counts(0, 0, 0, 0)


def count_alerts(alerts: Iterable[Standing]) -> Counts:
    """Return how many there are of each; what is over is in none, and what never fired.

    But for live ones that cannot be judged: nobody knows that these would not fire.
    """
    found = Counter(
        "shadow" if alert.is_shadow else alert.state for alert in alerts if _is_active(alert)
    )
    return Counts(found[Phase.FIRING], found[Phase.COOLING], found[Phase.UNKNOWN], found["shadow"])


def _is_active(alert: Standing) -> bool:
    is_open = alert.state in (Phase.FIRING, Phase.COOLING, Phase.UNKNOWN)
    is_unjudged = alert.state == Phase.UNKNOWN and not alert.is_shadow
    return is_unjudged or (is_open and alert.started_ns > 0)
