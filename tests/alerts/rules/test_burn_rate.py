from __future__ import annotations

import contextvars
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.rows import has_rate
from alerts.rules.burn_rate import Losses, Window, burn_of, effective_events, lower_bound
from alerts.state.transitions import Status
from attribution.core.money import state_in
from tests.support.alerts.builders import losses, rule, window

NOTHING = window(decisions=0, basis="", slope_source="")
DOLLARS = st.decimals(min_value=0, max_value=100_000, places=6)
LOSSES = st.lists(st.decimals(min_value="0.01", max_value=500, places=2), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        pytest.param(losses(NOTHING), Status.NO_DATA, id="silence is not health"),
        pytest.param(
            losses(window("500"), NOTHING), Status.NO_DATA, id="a silence just now is not health"
        ),
        pytest.param(
            losses(window(unvalued=1_000, basis="")),
            Status.NO_DATA,
            id="unknown value is not zero",
        ),
        pytest.param(losses(window("0")), Status.OK, id="nothing lost"),
        pytest.param(losses(window("99"), window("2")), Status.OK, id="lost less than the share"),
        pytest.param(losses(window("500"), window("2.49")), Status.OK, id="lost, but not any more"),
        pytest.param(
            losses(window("500"), window("2.50")), Status.BURNING, id="less than began it keeps it"
        ),
        pytest.param(
            losses(window("99"), window("99")), Status.BURNING, id="the newest alone keep it"
        ),
        pytest.param(losses(window("500"), window("10")), Status.BREACHED, id="burns in both"),
        pytest.param(
            losses(window("101")), Status.BURNING, id="over the threshold, but not surely"
        ),
        pytest.param(
            losses(window("5000", loss_squared=5000.0**2)),
            Status.BURNING,
            id="one large honest loss pages nobody",
        ),
        pytest.param(
            losses(window("300", loss_low_usd=Decimal(80))),
            Status.BURNING,
            id="the slope may be so flat that the budget holds",
        ),
        pytest.param(
            losses(window("300", unvalued=999)), Status.BREACHED, id="known values suffice"
        ),
    ],
)
def test_status(seen: Losses, status: Status) -> None:
    """Each row is one sentence of the specification."""
    assert burn_of(rule(), seen).status is status


def test_burn_says_the_same_alert_three_ways() -> None:
    """A burn rate explains itself to nobody; dollars an hour, a share and a time do."""
    seen = losses(
        window("310", loss_low_usd=Decimal(150), loss_high_usd=Decimal(600)),
        window("31"),
        spent_usd=Decimal(1_400),
    )

    burn = burn_of(rule(), seen)

    assert burn.risk_usd_per_h == Decimal(18_600)
    assert burn.budget_share == pytest.approx(0.031)
    assert burn.burn == pytest.approx(0.031 * 30 * 86_400 / 60)
    assert burn.exhaustion_s == pytest.approx(8_600 / 18_600 * 3_600)
    assert burn.reason.startswith(
        "$18,600/h at the rate of the last 6 s, 3.1% of the 30 d budget in 60 s, the rest of it"
        " gone in 28 min; "
    )
    assert has_rate(burn.reason)


def test_burn_is_told_in_the_currency_of_the_amounts() -> None:
    """It said dollars of what were yen."""

    def reason() -> str:
        state_in("JPY")
        return burn_of(rule(), losses(window("310"), window("310"))).reason

    said = contextvars.copy_context().run(reason)
    assert said.startswith("186,000 JPY/h at the rate of the last 6 s, ")
    assert "$" not in said


@pytest.mark.parametrize(
    ("loss", "spent_usd", "said"),
    [
        ("235000", None, "2,350% of the 30 d budget in 60 s, nothing of it is left; "),
        ("1234", Decimal(20_000), "12% of the 30 d budget in 60 s, nothing of it is left; "),
        ("9999", None, "100% of the 30 d budget in 60 s, the rest of it gone in "),
    ],
)
def test_burn_of_a_budget_that_is_overspent_says_so(
    loss: str, spent_usd: Decimal | None, said: str
) -> None:
    """`2.4e+03% of the budget ... gone in 0 s` was on the pages, of one long overspent."""
    reason = burn_of(rule(), losses(window(loss), window("310"), spent_usd)).reason
    assert said in reason


def test_burn_names_its_basis_interval_and_unknowns() -> None:
    """A dollar figure without its source and interval is a guess in a suit."""
    seen = losses(window("300", loss_low_usd=Decimal(150), loss_high_usd=Decimal(600), unvalued=37))

    reason = burn_of(rule(), seen).reason

    assert "margin basis, slope: assumed rate, 90% interval $150.00 to $600.00" in reason
    assert "37 of 1000 decisions have no known value" in reason
    refused = burn_of(rule(), losses(window("300", slope_source="unknown"))).reason
    assert "slope: unknown, lateness is in no figure" in refused


def test_many_events_are_bounded_by_the_low_slope() -> None:
    """At z = 1.645 and with sampling noise gone, the bound is the loss at the 5 % slope."""
    sure = window("1000", loss_low_usd=Decimal(300), loss_squared=1e-3)

    assert float(lower_bound(sure, 1.645)) == pytest.approx(300, rel=1e-3)


def test_effective_events_of_equal_losses_are_their_number() -> None:
    """The floor is about how many losses matter, whatever each is worth."""
    assert effective_events(of_losses([Decimal(3)] * 40)) == pytest.approx(40)


@given(LOSSES, LOSSES, st.integers(2, 50))
def test_the_same_losses_more_often_never_lower_the_status(
    long: list[Decimal], short: list[Decimal], times: int
) -> None:
    """A worse incident of the same kind is at least as much of an alert."""
    once = burn_of(rule(), losses(of_losses(long), of_losses(short)))
    more = burn_of(rule(), losses(of_losses(long * times), of_losses(short * times)))

    assert severity(more.status) >= severity(once.status)


@given(LOSSES, st.floats(1.001, 100))
def test_dearer_losses_never_lower_the_status(each: list[Decimal], factor: float) -> None:
    """What is worth more is judged no milder."""
    dearer = [loss * Decimal(factor) for loss in each]

    before = burn_of(rule(), losses(of_losses(each)))
    after = burn_of(rule(), losses(of_losses(dearer)))

    assert severity(after.status) >= severity(before.status)


@given(LOSSES, LOSSES)
def test_more_loss_never_ends_an_alert(each: list[Decimal], added: list[Decimal]) -> None:
    """However uneven what comes on top: burning or breached does not become OK."""
    before = burn_of(rule(), losses(of_losses(each)))
    after = burn_of(rule(), losses(of_losses(each + added)))

    assert (severity(before.status) >= 1) <= (severity(after.status) >= 1)


@given(DOLLARS, st.floats(0, 5), st.floats(0.001, 1))
def test_bound_is_between_nothing_and_the_loss(loss: Decimal, z: float, low: float) -> None:
    """A lower bound that is negative or above the loss would be no bound."""
    seen = window(loss, loss_low_usd=(loss * Decimal(low)).quantize(Decimal("0.000001")))

    assert 0 <= lower_bound(seen, z) <= loss


def of_losses(each: list[Decimal]) -> Window:
    """Return the window that a list of single losses makes."""
    total = sum(each, Decimal(0))
    return replace(
        window(total), loss_low_usd=total / 2, loss_squared=sum(float(x) ** 2 for x in each)
    )


def severity(status: Status) -> int:
    """Order what is no alert, what keeps one and what begins one."""
    return {Status.OK: 0, Status.BURNING: 1, Status.BREACHED: 2}[status]
