"""Tests of what waits for a receiver: what is dropped, and what it has to hear."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.rows import Message
from alerts.state.deliveries import Deliveries, Due
from alerts.state.retry import DeliveryStatus, Step
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from alerts.state.transitions import first_state
from tests.conftest import NOW_NS
from tests.support.alerts.builders import event, message

STATE = first_state("burn", Subject("checkout", "eu-west"), NOW_NS)


@pytest.fixture
def alert_state(tmp_path: Path) -> Iterator[AlertStore]:
    """A fresh file."""
    alert_state = AlertStore(tmp_path / "alerts.sqlite")
    yield alert_state
    alert_state.close()


def post(alert_state: AlertStore, *messages: Message) -> Deliveries:
    """Put messages into the outbox."""
    alert_state.record([Update(STATE, event(), messages)])
    return Deliveries(alert_state)


def next_one(deliveries: Deliveries) -> Due:
    """Return what is sent next."""
    due = deliveries.next("router", NOW_NS)
    assert due is not None
    return due


def settle(deliveries: Deliveries, status: DeliveryStatus) -> None:
    """Write the result of an attempt at what is sent next."""
    deliveries.settle(next_one(deliveries), Step(status, NOW_NS, ""), "http://r.test/", NOW_NS)


def statuses(alert_state: AlertStore) -> list[str]:
    """Return the status of each message, in order."""
    return [row[0] for row in alert_state.rows("SELECT status FROM deliveries ORDER BY seq")]


def test_message_behind_which_a_later_one_waits_is_not_sent(alert_state: AlertStore) -> None:
    """A receiver that was away for a day would get one an hour of the same alert."""
    deliveries = post(alert_state, message(1), message(2), message(3, kind="alert.resolved"))

    assert deliveries.drop_superseded(next_one(deliveries))
    assert next_one(deliveries).message.seq == 2
    assert not deliveries.drop_superseded(next_one(deliveries)), "the end says something else"
    for due in deliveries.unseen_ends():
        assert not deliveries.drop_unseen(due), "the second is sent, and has an end"


def test_message_that_was_tried_is_sent_though_a_later_one_waits(alert_state: AlertStore) -> None:
    """It may have been taken, and its retry is dropped by its id."""
    deliveries = post(alert_state, message(1), message(2))
    settle(deliveries, DeliveryStatus.PENDING)

    assert not deliveries.drop_superseded(next_one(deliveries))


def test_end_of_what_was_delivered_is_sent_though_a_later_message_was_held(
    alert_state: AlertStore,
) -> None:
    """The receiver would keep decisions away for ever."""
    deliveries = post(alert_state, message(1), message(2), message(3, kind="alert.resolved"))
    settle(deliveries, DeliveryStatus.DELIVERED)
    deliveries.hold(next_one(deliveries), "a silence", NOW_NS)

    for due in deliveries.unseen_ends():
        assert not deliveries.drop_unseen(due)
    assert statuses(alert_state) == ["delivered", "silenced", "pending"]


def test_message_of_an_alert_that_its_receiver_knows_is_not_held(alert_state: AlertStore) -> None:
    """A silence is for people: the router goes on, or all comes home into trouble."""
    deliveries = post(alert_state, message(1), message(2), message(2, "pager"))
    assert not deliveries.is_known(next_one(deliveries))
    settle(deliveries, DeliveryStatus.DELIVERED)
    deliveries.hold_all("episode", "a silence", NOW_NS, [])

    assert deliveries.is_known(next_one(deliveries))
    assert statuses(alert_state) == ["delivered", "pending", "held"]
