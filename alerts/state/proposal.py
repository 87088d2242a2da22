"""Pure: a move of decisions that receivers were sent, and how long it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from types import MappingProxyType
from typing import Final

from alerts.state.subject import Subject
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE

# A class that is moved away whole has no decision by which anybody could see that it is well again:
# after so long it is sent home, and proposed anew if it is not.
PROPOSED_FOR_NS: Final = NS_PER_HOUR
# Attributes of spans may be of any length; of a name a message has so much.
NAME_MAX: Final = 200
# What fires yet is proposed anew so long before, so that nothing comes home into trouble: a message
# waits up to ten minutes for a receiver that failed.
_RENEWED_BEFORE_NS: Final = 10 * NS_PER_MINUTE
# A region that is just out of trouble is proposed after that at the soonest.
_WITHDRAWN_FOR_NS: Final = 5 * NS_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Move:
    """A proposal to send the decisions of a class that loses money elsewhere."""

    action: str
    region: str
    from_route: str  # "" where the decisions carry no route
    to_region: str

    @property
    def fits(self) -> bool:
        """Return whether a message has room for its names, which are others where they are cut."""
        return all(len(name) <= NAME_MAX for name in astuple(self))


@dataclass(frozen=True, slots=True)
class Proposal:
    """The newest proposal of an episode."""

    move: Move | None  # None: there was no region that is well
    made_ns: int
    per_s: float  # decisions a second of the class, before anything was moved

    @property
    def moved(self) -> Subject | None:
        """Return the class that it moves, None where it moves none."""
        return None if self.move is None else Subject(self.move.action, self.move.region)

    @property
    def target(self) -> Subject | None:
        """Return the class that its decisions go to, None where it moves none."""
        return None if self.move is None else Subject(self.move.action, self.move.to_region)

    @property
    def until_ns(self) -> int:
        """Return until when it holds."""
        return self.made_ns + PROPOSED_FOR_NS

    def holds(self, at_ns: int) -> bool:
        """Return whether decisions may be away by it at an instant."""
        return self.move is not None and at_ns < self.until_ns

    def is_stale(self, at_ns: int) -> bool:
        """Return whether an alert that fires yet proposes anew."""
        if self.move is None:
            return at_ns >= self.made_ns + _WITHDRAWN_FOR_NS
        return at_ns >= self.until_ns - _RENEWED_BEFORE_NS

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self), ensure_ascii=True)


class OpenMoves:
    """What open proposals send where, so that a cause of many classes does not fill one.

    Args:
        proposals: the newest of each episode, of those that hold.
    """

    def __init__(self, proposals: Mapping[str, Proposal] = MappingProxyType({})) -> None:
        self._proposals = dict(proposals)

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


def proposal_from_json(text: str) -> Proposal | None:
    """Return the proposal that `Proposal.to_json` wrote, None of an empty text."""
    if not text:
        return None
    fields = json.loads(text)
    move = fields.pop("move")
    return Proposal(move=None if move is None else Move(**move), **fields)
