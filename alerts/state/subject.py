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

    def __str__(self) -> str:
        return f"{self.action or '(no action)'}/{self.region or '(no region)'}"
