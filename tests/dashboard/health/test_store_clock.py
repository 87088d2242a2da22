"""Roles apart go by one clock, that of the server which they share."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from collector.core.clock import SystemClock
from collector.core.errors import StoreUnavailableError
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.health.store_clock import StoreClock
from dashboard.service.process import Service
from dashboard.service.role import Role
from dashboard.settings.settings import Settings
from tests.conftest import ManualClock
from tests.support.clickhouse.double import Double

pytestmark = pytest.mark.integration


@dataclass
class WrongClock:
    """A machine's clock that is off by some seconds."""

    off_s: float
    answer_s: float = 0.0  # how much longer each answer takes, by what never steps
    read: int = 0

    def now_ns(self) -> int:
        """Return the wrong time."""
        return time.time_ns() + round(self.off_s * NS_PER_S)

    def monotonic_ns(self) -> int:
        """Return what does not depend on it."""
        self.read += 1
        return SystemClock().monotonic_ns() + round(self.read * self.answer_s * NS_PER_S)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Double]:
    """Yield a server of this machine's time."""
    with Double(tmp_path / "server") as double:
        yield double


def off_s(clock: StoreClock) -> float:
    """Return by how much a clock is off this machine's."""
    return (clock.now_ns() - time.time_ns()) / NS_PER_S


@pytest.mark.parametrize("wrong_s", [-45.0, 35.0, 86_400.0])
def test_clock_that_is_off_goes_by_the_servers(server: Double, wrong_s: float) -> None:
    """What a collector received half a minute behind was stored, and never attributed."""
    machine = WrongClock(wrong_s)
    clock = StoreClock(machine, Connections(server.config("writer", "secret")))
    assert abs(off_s(clock)) < 1
    machine.off_s = 0.0
    clock.measure()
    assert clock.now_ns() <= time.time_ns()  # set by now, and taken as it is


def test_clock_under_ntp_is_taken_as_it_is(server: Double) -> None:
    """Every measurement is some milliseconds wrong, and time would step each minute."""
    clock = StoreClock(WrongClock(-0.4), Connections(server.config("writer", "secret")))
    assert -0.5 < off_s(clock) < -0.4


@pytest.mark.parametrize("wrong_s", [0.0, -45.0])
def test_server_that_answers_late_moves_no_clock(server: Double, wrong_s: float) -> None:
    """Half of the time that a busy server took would have been taken for the clock's error."""
    machine = WrongClock(wrong_s)
    clock = StoreClock(machine, Connections(server.config("writer", "secret")))
    machine.answer_s = 120.0
    clock.measure()
    assert abs(off_s(clock)) < 1


def test_server_that_is_away_changes_nothing(server: Double) -> None:
    """The job says so and asks again; what was found stays."""
    clock = StoreClock(WrongClock(-45.0), Connections(server.config("writer", "secret")))
    server.stop()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        clock.measure()
    assert abs(off_s(clock)) < 1


def test_roles_apart_have_it_and_who_records_has_not(server: Double, tmp_path: Path) -> None:
    """Stamps of packets are this machine's kernel's; and of `up` all clocks are one."""
    given = Settings.model_validate(
        {
            "store": {"url": server.config("writer", "secret").url},
            "collector": {"grpc_port": 0, "http_port": 0, "wal_dir": tmp_path / "wal"},
            "alerts": {"state_path": tmp_path / "alerts.sqlite"},
            "dashboard": {"port": 0},
            "packet": {"host": "web"},
        }
    )
    apart = {role: Service(given, {role}).clock for role in Role}
    assert [role for role in Role if not isinstance(apart[role], StoreClock)] == [Role.CAPTURE]
    assert not isinstance(Service(given).clock, StoreClock)
    assert isinstance(Service(given, {Role.SERVE}, ManualClock()).clock, ManualClock)
