from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.state.retry import (
    ASIDE_ATTEMPTS,
    BACKOFF_FIRST_S,
    BACKOFF_MAX_S,
    BACKOFF_MIN_S,
    GIVE_UP_NS,
    Attempt,
    DeliveryStatus,
    Reply,
    Step,
    next_step,
    retry_after_s,
)
from collector.core.times import NS_PER_S
from tests.conftest import NOW_NS


def step(
    reply: Reply, number: int = 1, failures: int = 0, age_ns: int = 0, name: str = "id"
) -> Step:
    """Return the next step of a message of an age."""
    return next_step(reply, Attempt(name, number, NOW_NS - age_ns, failures), NOW_NS)


@pytest.mark.parametrize(
    ("reply", "age_ns", "status"),
    [
        pytest.param(Reply(200), 0, DeliveryStatus.DELIVERED, id="taken"),
        pytest.param(Reply(204), GIVE_UP_NS, DeliveryStatus.DELIVERED, id="taken at last"),
        pytest.param(Reply(301), 0, DeliveryStatus.PENDING, id="a redirect is a failure"),
        pytest.param(Reply(400), 0, DeliveryStatus.PENDING, id="refused, perhaps by a bad release"),
        pytest.param(Reply(410), 0, DeliveryStatus.DISABLED, id="gone for good"),
        pytest.param(Reply(500), 0, DeliveryStatus.PENDING, id="broken"),
        pytest.param(Reply(500), GIVE_UP_NS - 1, DeliveryStatus.PENDING, id="nearly given up"),
        pytest.param(Reply(None, error="refused"), 0, DeliveryStatus.PENDING, id="not there"),
        pytest.param(Reply(503), GIVE_UP_NS, DeliveryStatus.DEAD, id="given up"),
    ],
)
def test_status_of_a_message(reply: Reply, age_ns: int, status: DeliveryStatus) -> None:
    """Each row is one sentence of Standard Webhooks."""
    assert step(reply, age_ns=age_ns).status is status


@pytest.mark.parametrize("failures", [0, 3, 6, 7, 40])
def test_rest_is_drawn_from_the_whole_of_a_time_that_doubles(failures: int) -> None:
    """Receivers that failed together must not be called together; ten minutes is the most."""
    rests = [
        (step(Reply(500), failures=failures, name=f"id-{n}").rests_until_ns - NOW_NS) / NS_PER_S
        for n in range(400)
    ]

    most_s = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2**failures)
    assert min(rests) >= BACKOFF_MIN_S
    assert max(rests) <= most_s
    assert max(rests) > 0.9 * most_s
    if most_s > 30:
        assert min(rests) < 0.1 * most_s


@pytest.mark.parametrize(
    ("code", "number", "is_aside"),
    [
        pytest.param(500, 1, False, id="broken"),
        pytest.param(429, 1, False, id="too many"),
        pytest.param(408, 1, False, id="too slow"),
        pytest.param(None, 1, False, id="not there"),
        pytest.param(400, 1, True, id="refused"),
        pytest.param(500, ASIDE_ATTEMPTS, True, id="broken by this one alone, perhaps"),
    ],
)
def test_message_steps_aside_only_for_what_is_its_own(
    code: int | None, number: int, is_aside: bool
) -> None:
    """Else it keeps its place in the order: it is the receiver that has to rest."""
    after = step(Reply(code), number)
    assert (after.due_ns > NOW_NS) == is_aside
    assert after.rests_until_ns > NOW_NS


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_patience_that_a_throttling_receiver_asks_for_is_given(code: int) -> None:
    """Sooner would only prolong what it suffers from."""
    assert step(Reply(code, "120")).rests_until_ns == NOW_NS + 120 * NS_PER_S


def test_patience_never_shortens_the_rest() -> None:
    """`Retry-After: 0` is not an invitation to loop."""
    assert step(Reply(503, "0")).rests_until_ns == step(Reply(503)).rests_until_ns > NOW_NS


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0),
        ("120", 120),
        ("99999999999999999999", 86_400),
        ("-3", 0),
        ("soon", 0),
        (email.utils.formatdate(NOW_NS / NS_PER_S + 90, usegmt=True), 90),
        (email.utils.formatdate(NOW_NS / NS_PER_S - 90, usegmt=True), 0),
    ],
)
def test_retry_after(header: str, seconds: int) -> None:
    """Seconds or a date; nonsense asks for nothing."""
    assert retry_after_s(header, NOW_NS) == seconds


@given(st.text())
def test_any_retry_after_is_bounded(header: str) -> None:
    """A receiver cannot stop the outbox, nor hold a message for ever."""
    assert 0 <= retry_after_s(header, NOW_NS) <= 86_400
