"""Pure: what one alert is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ALL: Final = "*"  # in place of a name: every action, every region


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A class of decisions, or a service, which then stands in place of the action.

    A rule has one state for each. An empty region is a region of its own.
    """

    action: str  # of the decisions, ALL, or the name of the service
    region: str  # of the decisions, ALL, "" for a service

    def covers(self, of_class: Subject) -> bool:
        """Return whether a class of decisions is it, or a part of it."""
        return self.action in (ALL, of_class.action) and self.region in (ALL, of_class.region)

    def meets(self, other: Subject) -> bool:
        """Return whether a class of decisions may be of both."""
        pairs = ((self.action, other.action), (self.region, other.region))
        return all(ALL in pair or pair[0] == pair[1] for pair in pairs)

    def __str__(self) -> str:
        return f"{self.action or '(no action)'}/{self.region or '(no region)'}"
