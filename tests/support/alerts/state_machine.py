"""What several tests of state machine share."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from alerts.state.subject import Subject
from alerts.state.transitions import (
    AlertState,
    Observation,
    Status,
    Timing,
    Transition,
    advance,
    first_state,
)
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS

CHECKOUT = Subject("checkout", "eu-west")


STATUS = {"+": Status.BREACHED, "~": Status.BURNING, "-": Status.OK, "?": Status.NO_DATA}


STEP_S = 10


def observations(script: str) -> list[Observation]:
    """Read `+` breached, `~` burning, `-` OK, `?` no data, `!` silent for too long; 10 s apart."""
    return [
        Observation(
            status=STATUS.get(sign, Status.NO_DATA),
            at_ns=NOW_NS + number * STEP_S * NS_PER_S,
            newest_ns=0,
            is_silent=sign == "!",
        )
        for number, sign in enumerate(script, start=1)
    ]


def run(
    script: str | Iterable[Observation],
    state: AlertState | None = None,
    for_s: float = 0.0,
    keep_firing_s: float = 30.0,
) -> tuple[AlertState, list[Transition]]:
    """Advance by one after another, and return the last state and all transitions."""
    timing = Timing(for_s, keep_firing_s, window_s=60)
    state = state or first_state("burn", CHECKOUT, NOW_NS)
    seen = observations(script) if isinstance(script, str) else script
    transitions = []
    for observation in seen:
        state, transition = advance(state, timing, observation)
        if transition is not None:
            transitions.append(transition)
    return state, transitions


SCRIPTS = st.text("+~-?!", max_size=40)
