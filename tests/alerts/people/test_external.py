from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alerts.people import external
from alerts.people.external import ExternalAlerts, PostedAlert
from alerts.state.sqlite import AlertStore
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from tests.conftest import NOW_NS

ALERT = PostedAlert({"alertname": "HighErrors"}, {"summary": "x"}, "", NOW_NS, None)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[AlertStore]:
    """A fresh file."""
    memory = AlertStore(tmp_path / "alerts.sqlite")
    yield memory
    memory.close()


def test_alert_without_an_end_lapses_after_five_minutes(memory: AlertStore) -> None:
    """Unless it is sent again: whoever sent it may be gone."""
    alerts = ExternalAlerts(memory)
    alerts.put([ALERT], "token vmalert", NOW_NS)
    again_ns = NOW_NS + 4 * NS_PER_MINUTE
    assert alerts.firing(again_ns) == 1
    alerts.put([replace(ALERT, starts_ns=again_ns)], "token vmalert", again_ns)

    assert alerts.firing(again_ns + 5 * NS_PER_MINUTE - 1) == 1
    assert alerts.firing(again_ns + 5 * NS_PER_MINUTE) == 0
    [alert] = alerts.seen(NOW_NS, again_ns)
    assert (alert.starts_ns, alert.sender, alert.source) == (NOW_NS, "token vmalert", "external")


def test_end_that_was_sent_is_the_end(memory: AlertStore) -> None:
    """What ended in the window is seen still, behind what fires."""
    alerts = ExternalAlerts(memory)
    other = replace(ALERT, labels={"alertname": "Other"}, starts_ns=NOW_NS + 1)
    alerts.put([ALERT, other], "", NOW_NS)
    end_ns = NOW_NS + NS_PER_MINUTE
    alerts.put([replace(ALERT, ends_ns=end_ns)], "", end_ns)

    seen = alerts.seen(NOW_NS, end_ns + 1)
    assert [(each.labels["alertname"], each.is_firing) for each in seen] == [
        ("Other", True),
        ("HighErrors", False),
    ]
    assert alerts.seen(end_ns + 6 * NS_PER_MINUTE, end_ns + 7 * NS_PER_MINUTE) == []


def test_alert_that_fires_anew_has_a_new_start(memory: AlertStore) -> None:
    """It was over in between."""
    alerts = ExternalAlerts(memory)
    alerts.put([ALERT], "", NOW_NS)
    later_ns = NOW_NS + NS_PER_HOUR
    alerts.put([replace(ALERT, starts_ns=None)], "", later_ns)

    [alert] = alerts.seen(later_ns, later_ns)
    assert alert.starts_ns == later_ns


def test_there_is_room_for_so_many_and_what_is_over_makes_more(memory: AlertStore) -> None:
    """A sender that makes a label of a request id must not fill the disk."""
    alerts = ExternalAlerts(memory)
    many = [replace(ALERT, labels={"n": str(number)}) for number in range(external.ALERTS_MAX + 2)]
    assert alerts.put(many, "", NOW_NS) == 2
    assert alerts.put(many[:1], "", NOW_NS + NS_PER_S) == 0  # one that is known goes on
    assert alerts.put(many[-1:], "", NOW_NS + 25 * NS_PER_HOUR) == 0


def test_it_survives_a_restart(tmp_path: Path) -> None:
    """It was on disk before it was acknowledged."""
    path = tmp_path / "restarted.sqlite"
    memory = AlertStore(path)
    ExternalAlerts(memory).put([ALERT], "", NOW_NS)
    before = ExternalAlerts(memory).seen(NOW_NS, NOW_NS)
    memory.close()
    memory = AlertStore(path)
    assert ExternalAlerts(memory).seen(NOW_NS, NOW_NS) == before
    memory.close()
