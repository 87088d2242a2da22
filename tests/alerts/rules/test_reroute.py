from __future__ import annotations

import pytest

from alerts.rules.burn_rate import Losses, Window
from alerts.rules.reroute import propose
from alerts.state.proposal import Move
from alerts.state.subject import Subject
from tests.support.alerts.builders import losses, rule, window

HURT = Subject("checkout", "eu-west")
TROUBLE = losses(window("500"), window("300"))


def well(loss_usd: str = "1", **changes: object) -> Losses:
    """Return the windows of a class that loses next to nothing."""
    seen: Window = window(loss_usd, **changes)
    return losses(seen, seen)


@pytest.mark.parametrize(
    ("others", "to_region"),
    [
        pytest.param({"us-east": well()}, "us-east", id="a healthy region"),
        pytest.param({"us-east": well("9"), "ap-south": well("2")}, "ap-south", id="the best"),
        pytest.param({}, None, id="no other region"),
        pytest.param({"us-east": TROUBLE}, None, id="in the same trouble"),
        pytest.param({"us-east": well("90")}, None, id="not well enough"),
        pytest.param({"us-east": well(decisions=0)}, None, id="silence is not health"),
        pytest.param({"us-east": well(unvalued=1_000)}, None, id="unknown value is not health"),
        pytest.param({"": well()}, None, id="a region without a name"),
        pytest.param({"lab": well(decisions=99)}, None, id="next to nothing is decided there"),
        pytest.param({"lab": well(decisions=100)}, "lab", id="a tenth is enough"),
        pytest.param(
            {"a": well("0"), "b": well("0", decisions=2_000)},
            "b",
            id="as well, with more decisions",
        ),
    ],
)
def test_region_to_move_to(others: dict[str, Losses], to_region: str | None) -> None:
    """A proposal names a place that is known to be better, or none."""
    seen = {HURT: TROUBLE} | {Subject("checkout", name): w for name, w in others.items()}

    move = propose(rule(), HURT, seen)

    assert (move.to_region if move else None) == to_region


def test_another_action_is_no_refuge() -> None:
    """That browsing is fast in a region says nothing of its checkout."""
    seen = {HURT: TROUBLE, Subject("browse", "us-east"): well()}

    assert propose(rule(), HURT, seen) is None


def test_class_that_loses_nothing_now_is_not_moved() -> None:
    """It is healthy again, whatever its long window remembers."""
    over = losses(window("500"), window("0"))
    seen = {HURT: over, Subject("checkout", "us-east"): losses(window("0"), window("0"))}

    assert propose(rule(), HURT, seen) is None


def test_region_that_is_closed_is_no_refuge() -> None:
    """Somebody works there."""
    others = {Subject("checkout", name): well(loss) for name, loss in (("a", "0"), ("b", "1"))}

    move = propose(rule(), HURT, {HURT: TROUBLE, **others}, lambda each: each.region == "a")

    assert move is not None
    assert move.to_region == "b"


def test_move_names_what_is_moved() -> None:
    """A machine acts on these four fields."""
    seen = {HURT: TROUBLE, Subject("checkout", "us-east"): well()}

    assert propose(rule(), HURT, seen) == Move(
        action="checkout", region="eu-west", from_route="", to_region="us-east"
    )


@pytest.mark.parametrize(
    ("bound", "to_region"),
    [
        pytest.param({}, "a", id="the best"),
        pytest.param({"a": 1_000}, "b", id="the next one, which would get its own once more"),
        pytest.param({"a": 1_000, "b": 1_000}, "a", id="each would get as many"),
        pytest.param({"a": 1_000, "b": 500}, "b", id="the next one would get fewer"),
        pytest.param({"a": 9_500, "b": 9_500}, None, id="more than ten times their own"),
    ],
)
def test_cause_of_many_regions_does_not_fill_one(
    bound: dict[str, int], to_region: str | None
) -> None:
    """The best of 139 regions was to get what came to 57 others."""
    others = {Subject("checkout", name): well(loss) for name, loss in (("a", "0"), ("b", "1"))}
    seen = {HURT: TROUBLE, **others}
    move = propose(rule(), HURT, seen, bound=lambda each: bound.get(each.region, 0) / 6)
    assert (move.to_region if move else None) == to_region
