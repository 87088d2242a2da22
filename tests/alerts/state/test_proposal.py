"""Tests of the newest proposal of an episode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.state.proposal import PROPOSED_FOR_NS, Move, Proposal, proposal_from_json
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from tests.conftest import NOW_NS

MOVE = Move("checkout", "eu-west", "tier1-a", "us-east")


@given(
    move=st.none() | st.builds(Move, st.text(), st.text(), st.text(), st.text()),
    made_ns=st.integers(0, 2**62),
    per_s=st.floats(0, 1e9),
)
def test_proposal_is_read_as_it_was_written(move: Move | None, made_ns: int, per_s: float) -> None:
    """Names of a customer may be anything."""
    proposal = Proposal(move, made_ns, per_s)

    assert proposal_from_json(proposal.to_json()) == proposal


def test_no_text_is_no_proposal() -> None:
    """As a state has it before the first."""
    assert proposal_from_json("") is None


@pytest.mark.parametrize(
    ("move", "after_ns", "holds", "is_stale"),
    [
        pytest.param(MOVE, 0, True, False, id="just made"),
        pytest.param(MOVE, 50 * NS_PER_MINUTE - 1, True, False, id="it holds for long"),
        pytest.param(MOVE, 50 * NS_PER_MINUTE, True, True, id="ten minutes are left"),
        pytest.param(MOVE, PROPOSED_FOR_NS, False, True, id="over"),
        pytest.param(None, 5 * NS_PER_MINUTE - NS_PER_S, False, False, id="just withdrawn"),
        pytest.param(None, 5 * NS_PER_MINUTE, False, True, id="withdrawn five minutes ago"),
    ],
)
def test_how_long_a_proposal_holds(
    move: Move | None, after_ns: int, *, holds: bool, is_stale: bool
) -> None:
    """It is made anew before it is over, since a message may take a while."""
    proposal = Proposal(move, NOW_NS, 1.0)

    assert (proposal.holds(NOW_NS + after_ns), proposal.is_stale(NOW_NS + after_ns)) == (
        holds,
        is_stale,
    )
