from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.vram.allocation import Allocation, Ranked, allocate, order
from collector.core.errors import InputError
from tests.support.examples import examples


def usd(found: Allocation) -> dict[str, str]:
    """Return what each gets."""
    return {each.name: str(each.usd) for each in found.shares}


SEARCH = Ranked("search", "paid", 1.2341, 0.4)
EMAIL = Ranked("email", "owned", 1.2339, 0.4)


def test_owned_ranks_before_paid_of_the_same_figure() -> None:
    """Figures are shown to three digits: what is below is noise, and no reason to buy visitors."""
    dearer = Ranked("tv", "paid", 1.25, 0.1)
    unsaid = Ranked("a", "", 1.2342, 0.4)
    ranking = sorted([SEARCH, EMAIL, dearer, unsaid], key=order)
    assert [each.name for each in ranking] == ["tv", "email", "a", "search"]


@pytest.mark.parametrize(
    ("budget", "reserve", "step", "expected", "kept"),
    [
        ("1000", "0.1", "900", {"email": "900.00", "search": "0.00"}, "100.00"),
        ("1000", "0.1", "300", {"email": "600.00", "search": "300.00"}, "100.00"),
        ("1000", "0.1", None, {"email": "450.00", "search": "450.00"}, "100.00"),
        ("0.03", "0", None, {"email": "0.02", "search": "0.01"}, "0.00"),
        ("0.05", "0.1", None, {"email": "0.02", "search": "0.02"}, "0.01"),
        ("1000", "0", "400", {"email": "600.00", "search": "400.00"}, "0.00"),
        ("1000", "1", None, {"email": "0.00", "search": "0.00"}, "1000.00"),
        ("0", "0.1", None, {"email": "0.00", "search": "0.00"}, "0.00"),
    ],
    ids=[
        "one step", "the odd step", "a hundredth", "the odd cent", "a part of a cent is kept",
        "the rest is a step", "all is kept", "nothing to give",
    ],
)  # fmt: skip
def test_owned_is_funded_before_paid_on_ties(
    budget: str, reserve: str, step: str | None, expected: dict[str, str], kept: str
) -> None:
    """By hand; the steps, the rest and the reserve sum to the budget."""
    found = allocate(
        [SEARCH, EMAIL], Decimal(budget), Decimal(reserve), None if step is None else Decimal(step)
    )
    assert usd(found) == expected
    assert (str(found.reserve_usd), str(found.unallocated_usd), found.reason) == (kept, "0.00", "")


def test_shares_follow_what_is_sure_and_nothing_is_sure_of_a_slope_of_none() -> None:
    """A luckier group gets what its low end says; where all ends are nothing, nobody gets any."""
    lucky = Ranked("lucky", "owned", 90.0, 1.0)
    steady = Ranked("steady", "paid", 4.0, 3.0)
    nothing = Ranked("nothing", "owned", 5.0, 0.0)
    found = allocate([lucky, steady, nothing], Decimal(400), Decimal(0))
    assert usd(found) == {"lucky": "100.00", "nothing": "0.00", "steady": "300.00"}
    found = allocate([nothing], Decimal(400), Decimal("0.25"))
    assert [found.allocated_usd, found.unallocated_usd, found.reserve_usd] == [0, 300, 100]
    assert found.reason == "no group brings more than nothing at its low end"
    assert allocate([], Decimal(1), Decimal(0)).unallocated_usd == 1


@pytest.mark.parametrize(
    ("budget", "reserve", "step", "wrong"),
    [
        ("-1", "0", None, "budget -1: is not 0 to"),
        ("1.001", "0", None, "budget 1.001: is not 0 to 1000000000000, to the cent"),
        ("1E+999999999", "0", None, "is not 0 to"),
        ("1", "-0.1", None, "reserve -0.1: is not a share of 0 to 1; write 0.1 for 10 %"),
        ("1", "10", None, "reserve 10: is not a share"),
        ("1", "0", "0", "step 0: is not a cent or more"),
        ("1", "0", "0.005", "step 0.005: is not a cent"),
        ("1000000", "0", "0.01", "step 0.01: makes over 10000 steps; take 100.00 or more"),
    ],
)
def test_number_out_of_bounds_is_refused(
    budget: str, reserve: str, step: str | None, wrong: str
) -> None:
    """With the bound."""
    with pytest.raises(InputError) as refused:
        allocate(
            [EMAIL], Decimal(budget), Decimal(reserve), None if step is None else Decimal(step)
        )
    assert wrong in str(refused.value)


figures = st.floats(0, 1e9, allow_nan=False)
groups = st.lists(
    st.builds(
        Ranked, st.text(max_size=3), st.sampled_from(["paid", "owned", ""]), figures, figures
    ),
    max_size=8,
)


@settings(max_examples=examples(200))
@given(
    groups,
    st.decimals(0, 10**9, places=2),
    st.decimals(0, 1, places=4),
    st.none() | st.integers(1, 10**6),
)
def test_allocation_sums_to_budget_less_reserve(
    given_groups: list[Ranked], budget: Decimal, reserve: Decimal, steps: int | None
) -> None:
    """To the cent, whatever is asked; who brings as much gets as much, and owned no less."""
    step = None if steps is None else max(Decimal(steps) / 100, round(budget / 5_000, 2))
    found = allocate(given_groups, budget, reserve, step)
    given_usd = sum((each.usd for each in found.shares), Decimal(0))
    assert given_usd == found.allocated_usd
    assert given_usd + found.unallocated_usd + found.reserve_usd == budget
    assert found.reserve_usd - budget * reserve < Decimal("0.01")
    assert found.reserve_usd >= budget * reserve
    assert bool(found.unallocated_usd) == bool(found.reason)
    assert all(each.usd >= 0 for each in found.shares)
    ranking = sorted(given_groups, key=order)
    for (first, low), (second, high) in zip(
        zip(found.shares, ranking, strict=True),
        list(zip(found.shares, ranking, strict=True))[1:],
        strict=False,
    ):
        if low.low_usd_per_ms == high.low_usd_per_ms and not (
            high.kind == "owned" and low.kind != "owned"
        ):
            assert first.steps >= second.steps
