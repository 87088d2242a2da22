from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.state.retry import RETRY_DELAYS_S, DeliveryStatus, Reply, next_step, retry_after_s
from collector.core.clock import NS_PER_S
from tests.conftest import NOW_NS

LAST = len(RETRY_DELAYS_S) + 1


@pytest.mark.parametrize(
    ("reply", "attempts", "status"),
    [
        pytest.param(Reply(200), 1, DeliveryStatus.DELIVERED, id="taken"),
        pytest.param(Reply(204), LAST, DeliveryStatus.DELIVERED, id="taken at last"),
        pytest.param(Reply(301), 1, DeliveryStatus.PENDING, id="a redirect is a failure"),
        pytest.param(Reply(400), 1, DeliveryStatus.PENDING, id="refused, perhaps by a bad release"),
        pytest.param(Reply(410), 1, DeliveryStatus.DISABLED, id="gone for good"),
        pytest.param(Reply(500), 1, DeliveryStatus.PENDING, id="broken"),
        pytest.param(Reply(None, error="refused"), 1, DeliveryStatus.PENDING, id="not there"),
        pytest.param(Reply(503), LAST, DeliveryStatus.DEAD, id="given up"),
    ],
)
def test_what_becomes_of_a_message(reply: Reply, attempts: int, status: DeliveryStatus) -> None:
    """Each row is one sentence of Standard Webhooks."""
    assert next_step(reply, attempts, "id", NOW_NS).status is status


@pytest.mark.parametrize("attempts", range(1, LAST))
def test_wait_follows_the_schedule_with_a_little_more(attempts: int) -> None:
    """Messages that failed together must not come back together."""
    waits = {
        (next_step(Reply(500), attempts, f"id-{n}", NOW_NS).due_ns - NOW_NS) / NS_PER_S
        for n in range(20)
    }

    delay_s = RETRY_DELAYS_S[attempts - 1]
    assert delay_s <= min(waits) < max(waits) <= 1.2 * delay_s


@pytest.mark.parametrize("code", [429, 502, 503, 504])
def test_patience_that_a_throttling_receiver_asks_for_is_given(code: int) -> None:
    """Sooner would only prolong what it suffers from."""
    assert next_step(Reply(code, "120"), 1, "id", NOW_NS).due_ns == NOW_NS + 120 * NS_PER_S


def test_patience_never_shortens_the_schedule() -> None:
    """`Retry-After: 0` is not an invitation to loop."""
    assert next_step(Reply(503, "0"), 2, "id", NOW_NS).due_ns >= NOW_NS + 300 * NS_PER_S


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
