"""Pure: the roles of people, and of programs that ask."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a person, or a program that asks, may do; each also what those before it may."""

    VIEWER = "viewer"  # looks: pages, /api/v1, queries, /metrics, /mcp
    RESPONDER = "responder"  # is on call: acknowledges, comments, silences, stops experiments
    OPERATOR = "operator"  # runs it: imports, replays, rules, experiments, models
    ADMIN = "admin"  # answers for it: legal holds, verdicts of the funding gate

    def includes(self, other: Role) -> bool:
        """Return whether whoever has this one may do what the other may."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER: Final = tuple(Role)


def greatest(roles: Iterable[Role]) -> Role | None:
    """Return the role that includes the others, None of none."""
    return max(roles, key=_ORDER.index, default=None)
