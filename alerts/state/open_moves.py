"""Pure: what open proposals send where, so that a cause of many classes does not fill one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from alerts.state.proposal import Proposal
from alerts.state.subject import Subject
from alerts.state.transitions import AlertState


class OpenMoves:
    """The newest proposal of each episode, of those that hold."""

    def __init__(self, proposals: Mapping[str, Proposal] = MappingProxyType({})) -> None:
        self._proposals = dict(proposals)

    @classmethod
    def of(cls, states: Iterable[AlertState], at_ns: int) -> OpenMoves:
        """Return those of all alerts that hold at an instant."""
        return cls(
            {
                state.episode_id: state.proposal
                for state in states
                if state.proposal is not None and state.proposal.holds(at_ns)
            }
        )

    def note(self, episode_id: str, proposal: Proposal) -> None:
        """Note what an episode proposes from now on, which may be nothing."""
        self._proposals[episode_id] = proposal

    def without(self, episode_id: str) -> OpenMoves:
        """Return those of the others: what an episode proposes anew takes the place of its last."""
        others = self._proposals.items()
        return OpenMoves({key: proposal for key, proposal in others if key != episode_id})

    def per_s(self, target: Subject, but_of: Subject) -> float:
        """Return how many decisions a second a class is to get, those of one class left out.

        Several episodes may move one class, which goes once.
        """
        moved = {
            each.moved: each.per_s for each in self._proposals.values() if each.target == target
        }
        return sum(per_s for of_class, per_s in moved.items() if of_class not in (but_of, None))
