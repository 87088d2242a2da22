"""The call behind an alert: named once the alert is told of, by decisions whose spans are kept."""

from __future__ import annotations

from decimal import Decimal

from clickhouse_connect.driver.exceptions import DatabaseError

from alerts.evidence.naming import Naming
from alerts.evidence.search import SuspectSearch
from alerts.read.reader import AlertReader
from alerts.rows import AlertEvent
from dashboard.read.alerts.listing import row_of
from dashboard.read.alerts.wording import cause_of
from tests.support.alerts.builders import moment
from tests.support.alerts.paths import PAY, fail_payments, write_paths
from tests.support.alerts.scene import (
    HURT,
    INCIDENT_S,
    PER_SECOND,
    WELL,
    Scene,
    write_seconds,
)


def events(scene: Scene) -> list[AlertEvent]:
    """Return what happened to the one alert of a scene."""
    [state] = [each for each in scene.job.alert_state.states().values() if each.started_ns]
    return scene.job.alert_state.events(state.episode_id)


def test_slow_call_is_named_beside_its_segment(scene: Scene) -> None:
    """Two services have a store: `store slower by 120 ms` was true of either."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    write_paths(scene.client)
    assert scene.judge() == 1
    fired, named = events(scene)
    assert fired.calls == ()
    # The window that it fired on begins before it was slow.
    assert named.calls == (f"slower is {PAY}, +120 ms in 47 of 100 decisions",)
    assert (named.at_ns, named.from_state, named.to_state) == (fired.at_ns, "firing", "firing")
    assert cause_of(row_of([fired, named])).endswith(
        f"store slower by 120 ms than normal, in {PAY}"
    )
    scene.go_on(5, slow_ms=120)
    write_paths(scene.client)
    assert scene.judge() == 0
    assert scene.last("slow_call") == named.slow_call, "the pages have it with the next pass"
    assert len(events(scene)) == 2, "it is named once"
    scene.go_on(60)
    assert scene.judge() == 1
    assert events(scene)[-1].calls == named.calls, "it cools, and was that"


def test_call_that_is_slower_than_elsewhere_is_held_against_elsewhere(scene: Scene) -> None:
    """Where nothing is known of before: the class is new, and slow from its first decision on."""
    new = {"action": "refund"}
    for region, slow_ms in ((HURT, 120), (WELL, 0)):
        write_seconds(scene.client, scene.end_ns, INCIDENT_S, region, slow_ms, **new)
    scene.go_on(INCIDENT_S)
    write_paths(scene.client)
    assert scene.judge() == 1
    named = events(scene)[-1]
    assert "takes longer than in other regions" in named.reason
    assert named.calls == (f"slower is {PAY}, +120 ms in 100 of 100 decisions",)


def test_first_to_fail_is_named(scene: Scene) -> None:
    """`16% of its decisions fail`, and the shop that only passed it on was all that was known."""
    from_ns = scene.end_ns
    write_seconds(
        scene.client, from_ns, INCIDENT_S, HURT, late=PER_SECOND, loss_usd=Decimal(5),
        loss_low_usd=Decimal(3), loss_high_usd=Decimal(15), loss_squared=5.0,
    )  # fmt: skip
    scene.go_on(INCIDENT_S, regions=(WELL,))
    write_paths(scene.client)
    fail_payments(scene.client, HURT, from_ns)
    assert scene.judge() == 1
    named = events(scene)[-1]
    assert named.calls == (f"first to fail is {PAY}, in 84 of 84 failed decisions",)
    assert f"of its decisions fail, first in {PAY}" in cause_of(row_of([named]))


def test_message_waits_for_no_name(scene: Scene) -> None:
    """It is in the outbox before a span is read, and spans that are not kept hold nothing back."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    assert scene.judge() == 1
    assert scene.deliver() == 1
    for _ in range(4):
        scene.go_on(1, slow_ms=120)
        assert scene.judge() == 0
    [fired] = events(scene)
    assert fired.calls == (), "sampled away: nothing is said"


class BrokenReader(AlertReader):
    """A reader of a store that gives no spans."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.store, lambda *_: Decimal(1))
        self.asked = 0

    def rows(self, name: str, of: str, **parameters: object) -> list[object]:
        """Raise what a store raises that is too slow."""
        self.asked += 1
        raise DatabaseError("Code: 159. Timeout exceeded")


def test_store_that_is_too_slow_is_asked_some_times_alone(scene: Scene) -> None:
    """The pass goes on, and after a few of them nobody asks any more."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    assert scene.judge() == 1
    reader = BrokenReader(scene)
    naming = Naming(reader, SuspectSearch(reader), scene.job.alert_state)
    for second in range(9):
        naming.run_once(moment(second))
    assert len(events(scene)) == 1
    assert 1 <= reader.asked <= 6


def test_what_was_usual_is_without_what_fired_before(scene: Scene) -> None:
    """A fault that comes and goes would be held against itself, and no call stood out."""
    for slow_ms, seconds in ((120, INCIDENT_S), (0, 60), (0, 30), (120, INCIDENT_S)):
        scene.go_on(seconds, slow_ms=slow_ms)
        write_paths(scene.client)
        scene.judge()
    [call] = events(scene)[-1].calls
    assert call.startswith(f"slower is {PAY}, +120 ms in ")
