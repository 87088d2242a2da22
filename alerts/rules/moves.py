"""Pure: what a rule tells of decisions that could go elsewhere while its alert fires."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from alerts.rules.base import Reader
from alerts.state.proposal import Move, OpenMoves
from alerts.state.subject import Subject

FactsT = TypeVar("FactsT", contravariant=True)


@runtime_checkable
class MovesDecisions(Protocol[FactsT]):
    """A rule whose alerts propose moves of decisions."""

    def propose(
        self,
        facts: FactsT,
        subject: Subject,
        is_closed: Callable[[Subject], bool],
        moves: OpenMoves,
    ) -> Move | None:
        """Return where decisions could go instead, from a route that is not known yet.

        Args:
            facts: of the pass.
            subject: of an alert that fires.
            is_closed: whether nothing is to be moved to a class, however well it is.
            moves: that hold now.
        """
        ...

    def usual_route(self, reader: Reader, move: Move, end_ns: int) -> str:
        """Return the route that most decisions to be moved take, "" where they carry none."""
        ...

    def is_in_trouble(self, facts: FactsT, of_class: Subject) -> bool:
        """Return whether a class alone would fire, or fell silent where others go on."""
        ...

    def decisions_per_s(self, facts: FactsT, of_class: Subject) -> float:
        """Return how many decisions a second a class has now."""
        ...
