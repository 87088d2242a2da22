from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from packet.sampling.byte_budget import ByteBudget, Tier

_TIERS = st.sampled_from(list(Tier))


@given(
    st.lists(
        st.one_of(
            st.integers(0, 10_000_000),
            st.tuples(_TIERS, st.lists(st.integers(0, 5_000), min_size=1, max_size=20)),
        )
    ),
    st.sampled_from([0.001, 0.01]),
)
def test_kept_never_exceeds_the_share_and_what_was_saved(
    events: list[int | tuple[Tier, list[int]]], ratio: float
) -> None:
    """The budget is a promise over all three tiers, and every byte is kept or refused."""
    budget = ByteBudget.full(ratio, 20_000)
    asked = 0
    for event in events:
        if isinstance(event, int):
            budget.see(event)
            continue
        tier, sizes = event
        asked += sum(sizes)
        count = budget.take(tier, np.array(sizes, np.int64))
        assert 0 <= count <= len(sizes)
        assert 0 <= budget.left_bytes <= 20_000
    assert budget.kept_bytes + budget.refused_bytes == asked
    assert budget.kept_bytes <= 20_000 + ratio * budget.seen_bytes + len(events)


def test_incident_finds_room_whatever_was_sampled() -> None:
    """Half of the bucket is for dumps alone."""
    budget = ByteBudget.full(0.001, 10_000)
    items = np.full(20, 1_000, np.int64)
    assert budget.take(Tier.SAMPLED, items) == 5
    assert budget.take(Tier.PULLED, items) == 0
    assert budget.take(Tier.DUMPED, items) == 5
    assert (budget.sampled_bytes, budget.pulled_bytes, budget.dumped_bytes) == (5_000, 0, 5_000)
    assert budget.refused_bytes == 15_000 + 20_000 + 15_000
    assert budget.kept_ratio is None


def test_what_matters_most_is_paid_first() -> None:
    """What finds no room is the end of the list; a smaller item does not slip past a larger."""
    budget = ByteBudget.full(0.001, 100)
    assert budget.take(Tier.DUMPED, np.array([60, 50, 10], np.int64)) == 1
    assert budget.left_bytes == 40


def test_bucket_fills_by_what_is_seen_and_survives_a_restart() -> None:
    """A restart is no way to a new budget."""
    budget = ByteBudget.full(0.5, 1_000, left_bytes=10)
    assert budget.room(Tier.DUMPED) == 10
    budget.see(100)
    assert budget.room(Tier.DUMPED) == 60
    budget.see(10_000)
    assert budget.room(Tier.DUMPED) == 1_000
    assert ByteBudget.full(0.5, 1_000, left_bytes=5_000).left_bytes == 1_000
