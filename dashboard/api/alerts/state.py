"""I/O: what every action on alerts takes, and the state that it needs."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from alerts.state.acts import Act
from alerts.state.sqlite import AlertStore
from collector.core.errors import InputError
from dashboard.api.caller import NOBODY, Actor, caller

TEXT_MAX: Final = 2_000
_ELSEWHERE: Final = (
    "the state of alerts is not on this machine; ask the service that evaluates them (`millworth "
    "up`, or `millworth alert` with `millworth serve` beside it and the same alerts.state_path)"
)


class Action(BaseModel):
    """Who does it, and why."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    actor: Actor = Field(default=NOBODY, description="Who does it")
    reason: str = Field(min_length=1, max_length=TEXT_MAX, description="Why: kept in the audit")

    def act(self, now_ns: int) -> Act:
        """Return who acts, with the token that vouches for it, at an instant."""
        return Act(caller(self.actor), now_ns)


def require(state: AlertStore | None) -> AlertStore:
    """Return the state of alerts. Raises InputError where it is not here."""
    if state is None:
        raise InputError(_ELSEWHERE)
    return state
