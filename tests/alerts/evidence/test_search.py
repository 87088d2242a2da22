"""What an alert that fires already is blamed on, later or anew."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from alerts.evidence.search import SuspectSearch
from alerts.read.reader import AlertReader
from alerts.state.subject import Subject
from attribution.core.segments import SEGMENTS
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.builders import rule
from tests.support.alerts.scene import (
    HURT,
    INCIDENT_S,
    PER_SECOND,
    WELL,
    Scene,
    go_on_losing,
    write_seconds,
)


def _lose(scene: Scene, seconds: int) -> None:
    """Let the region lose while no segment takes longer than it did."""
    write_seconds(
        scene.client,
        scene.end_ns,
        seconds,
        HURT,
        late=PER_SECOND,
        loss_usd=Decimal(5),
        loss_low_usd=Decimal(3),
        loss_high_usd=Decimal(15),
        loss_squared=5.0,
    )


def _lose_without_a_cause(scene: Scene) -> None:
    """Let an alert fire while no segment takes longer than it did."""
    _lose(scene, INCIDENT_S)
    scene.go_on(INCIDENT_S, regions=())
    scene.go_on(1)
    assert scene.judge() == 1


def test_failures_are_the_cause_where_many_decisions_fail(scene: Scene) -> None:
    """Nothing is slower: the page said what was lost, and nowhere that decisions fail."""
    _lose(scene, INCIDENT_S)
    scene.go_on(INCIDENT_S, regions=())
    scene.go_on(1)
    scene.client.command(
        "INSERT INTO attributions SELECT * REPLACE (revision + 1 AS revision, 1 AS is_error)"
        " FROM attributions FINAL WHERE region = {region:String} AND cityHash64(decision_id) % 2",
        parameters={"region": HURT},
    )

    assert scene.judge() == 1

    reason = str(scene.last("reason"))
    assert re.match(r"[45]\d% of its decisions fail; \$", reason), reason
    assert "no segment stands out" in reason


def test_failures_that_carry_the_loss_are_what_it_is_about(scene: Scene) -> None:
    """A service that failed everything was paged as own code that is slower by 0.4 ms."""
    go_on_losing(scene, INCIDENT_S, failed=PER_SECOND)

    assert scene.judge() == 1

    assert scene.last("blamed_stage") == ""
    reason = str(scene.last("reason"))
    assert reason.startswith("100% of its decisions fail, 100% of the loss is of them; $")
    assert "; no segment stands out; path 32.7 ms, 32.3 before: ingress 8.5 (8.1)" in reason
    assert scene.deliver() == 1
    [got] = scene.receiver.deliveries
    data = got.message["data"]
    assert (data["blamed_segment"], data["excess_ms"]) == (None, None)
    assert data["reason"].startswith("100% of its decisions fail")
    failed = scene.client.query("SELECT decision_id FROM attributions FINAL WHERE is_error")
    assert {each["decision_id"] for each in data["exemplars"]} <= {
        row[0] for row in failed.result_rows
    }
    assert len(data["exemplars"]) == 3


def test_few_failures_that_carry_the_loss_are_in_the_first_message(scene: Scene) -> None:
    """When a fast alert begins, few of its window failed, and all dollars are theirs."""
    go_on_losing(scene, 60, failed=1, late=0)
    assert scene.judge() == 0
    scene.client.command(
        "INSERT INTO revenue_cells SELECT * REPLACE (2 AS revision, loss_usd * 5 AS loss_usd,"
        " loss_low_usd * 5 AS loss_low_usd, loss_high_usd * 5 AS loss_high_usd,"
        " loss_squared * 25 AS loss_squared) FROM revenue_cells FINAL WHERE failed = 1"
    )
    go_on_losing(scene, 1, failed=1)
    assert scene.judge() == 1
    assert str(scene.last("reason")).startswith("20% of its decisions fail, 100% of the loss")
    assert scene.last("blamed_class") == ""


def test_segment_that_makes_them_late_is_blamed_beside_failures(scene: Scene) -> None:
    """Calls that time out fail because the store takes long: it says both."""
    go_on_losing(scene, INCIDENT_S, failed=PER_SECOND, late=PER_SECOND, store_ms=900)

    assert scene.judge() == 1

    assert (scene.last("blamed_stage"), scene.last("blamed_class")) == ("decision", "store")
    reason = str(scene.last("reason"))
    assert reason.startswith("100% of its decisions fail, 100% of the loss is of them; $")
    assert "; decision/store takes longer than before; " in reason


def test_segment_is_blamed_where_lateness_carries_the_loss(scene: Scene) -> None:
    """One that fails beside four that are late by far is not what it is about."""
    go_on_losing(scene, INCIDENT_S, failed=1, late=4, slow_ms=480, store_ms=480)

    assert scene.judge() == 1

    assert (scene.last("blamed_stage"), scene.last("blamed_class")) == ("decision", "store")
    assert str(scene.last("reason")).startswith("$")


def test_failures_are_said_of_what_began_otherwise_and_of_what_is_over(scene: Scene) -> None:
    """What lasts is not what set it off; after its end the title said own code again."""
    _lose_without_a_cause(scene)
    go_on_losing(scene, INCIDENT_S, failed=PER_SECOND)
    assert scene.judge() == 1
    assert str(scene.last("reason")).startswith("100% of its decisions fail, ")
    assert scene.judge() == 0
    for _ in range(12):
        scene.go_on(10)
        scene.judge()
    assert scene.events() == ["firing", "firing", "cooling", "resolved"]
    assert str(scene.last("reason")).endswith("; 100% of its decisions failed")
    assert scene.last("blamed_stage") == ""


def test_loss_of_decisions_that_state_their_value_is_told_apart_exactly(
    store: Connections,
) -> None:
    """One that is worth forty dollars failed beside 39 late ones that lost one each."""
    client = store.client()
    client.insert(
        "revenue_cells",
        [[NOW_NS, "checkout", "eu", 1, 40, 39, 1, "expected", Decimal(79), 40.0]],
        column_names=[
            "second_ns", "action", "region", "revision", "decisions", "late", "failed", "basis",
            "loss_usd", "lost_share",
        ],
    )  # fmt: skip
    client.insert(
        "decisions",
        [[NOW_NS + at, f"d{at}", "checkout", "eu", NOW_NS, NOW_NS, int(at == 0),
          Decimal(40 if at == 0 else 2)] for at in range(40)],
        column_names=[
            "ingress_ns", "decision_id", "action", "region", "end_ns", "received_ns", "is_error",
            "value_usd",
        ],
    )  # fmt: skip
    client.insert(
        "attributions",
        [[1, NOW_NS + at, f"d{at}", "checkout", "eu", NS_PER_MS, int(at == 0)] for at in range(40)],
        column_names=[
            "revision", "ingress_ns", "decision_id", "action", "region", "total_ns", "is_error",
        ],
    )  # fmt: skip
    search = SuspectSearch(AlertReader(store, lambda *_: Decimal(1)))

    found = search.at(Subject("checkout", "eu"), (60,), NOW_NS + NS_PER_S)

    assert found.failing is not None
    assert found.failing.loss_share == 40 / 79
    assert found.is_of_failures


def test_segment_that_stands_out_later_is_blamed_then(scene: Scene) -> None:
    """What set an alert off is not always what keeps it alight; nobody is paged twice for that."""
    _lose_without_a_cause(scene)
    scene.go_on(INCIDENT_S, slow_ms=120)

    assert scene.judge() == 1
    assert scene.judge() == 0

    rows = scene.client.query(
        "SELECT seq, from_state, to_state, blamed_stage, blamed_class FROM alert_events FINAL"
        " WHERE region = {region:String} ORDER BY seq",
        parameters={"region": HURT},
    ).result_rows
    assert [row[1:] for row in rows] == [
        ("inactive", "firing", "", ""),
        ("firing", "firing", "decision", "store"),
    ]
    assert scene.deliver() == 1


def test_excess_is_that_of_now_and_not_thinned_by_what_went_well_before(scene: Scene) -> None:
    """An incident of minutes is a small part of a long window; who is paged asks how slow it is."""
    scene.go_on(30, slow_ms=120)

    assert scene.judge() == 1

    assert scene.last("window_s") == 60
    assert scene.last("blamed_excess_ns") == 120 * NS_PER_MS
    reason = str(scene.last("reason"))
    assert "decision/store takes longer than before; path 152.3 ms, 32.3 before: " in reason


def test_failures_of_a_wide_alert_are_those_of_the_class_that_loses_most(scene: Scene) -> None:
    """Half of all fail, and all of one region: its name is beside the share."""
    scene.restart(rules=[rule(budget_usd=5_000.0, budget_for="all")])
    go_on_losing(scene, INCIDENT_S, failed=3)
    assert scene.judge() == 1
    reason = str(scene.last("reason"))
    assert reason.startswith(f"60% of the decisions of checkout/{HURT} fail, 100% of the loss")
    go_on_losing(scene, INCIDENT_S, failed=PER_SECOND)
    assert scene.judge() == 1
    reason = str(scene.last("reason"))
    assert reason.startswith(f"100% of the decisions of checkout/{HURT} fail, 100% of the loss")


def test_failures_that_grow_are_told_beside_a_segment(scene: Scene) -> None:
    """Some failed when it was paged; it said so to the end, when all of them did."""
    go_on_losing(scene, INCIDENT_S, failed=3, late=PER_SECOND, store_ms=900)
    assert scene.judge() == 1
    reason = str(scene.last("reason"))
    assert "decision/store takes longer than before" in reason
    go_on_losing(scene, INCIDENT_S, failed=PER_SECOND, late=PER_SECOND, store_ms=900)

    assert scene.judge() == 1

    assert (scene.last("blamed_stage"), scene.last("blamed_class")) == ("decision", "store")
    reason = str(scene.last("reason"))
    assert reason.startswith("100% of its decisions fail, 100% of the loss is of them; $")
    assert "; decision/store takes longer than before; " in reason
    assert scene.judge() == 0
    assert scene.deliver() == 1


def test_fault_that_comes_again_is_measured_from_what_is_usual(scene: Scene) -> None:
    """The minutes before a second incident hold the first one, which is not what is usual."""
    for _ in range(2):
        scene.go_on(INCIDENT_S, slow_ms=120)
        assert scene.judge() == 1
        for _ in range(6):
            scene.go_on(20)
            scene.judge()
        assert scene.last("to_state") == "resolved"

    reasons = scene.client.query(
        "SELECT reason FROM alert_events FINAL WHERE to_state = 'firing'"
    ).result_rows
    assert len(reasons) == 2
    assert all(" path 152.3 ms, 32.3 before: " in reason for (reason,) in reasons)


def test_what_took_longer_before_is_blamed_and_not_what_always_does(scene: Scene) -> None:
    """A region far away is slower than others on any day; its store was not, minutes ago."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    # In the newest part of the window they lose as much, and the store is as fast as it was.
    _lose(scene, 20)
    write_seconds(scene.client, scene.end_ns, 20, WELL)
    scene.go_on(20, regions=())
    scene.client.command(
        "ALTER TABLE attributions UPDATE ingress_network_ns = ingress_network_ns + 10000000"
        f" WHERE region = '{HURT}'",
        settings={"mutations_sync": 2},
    )

    assert scene.judge() == 1

    assert (scene.last("blamed_stage"), scene.last("blamed_class")) == ("decision", "store")
    assert "decision/store takes longer than before" in str(scene.last("reason"))


def _revise(scene: Scene, from_ns: int, computed_ns: int) -> None:
    """Move what the store took in the hurt region to the network, as late spans would show it."""
    names = [f"{stage}_{latency_class}_ns" for stage, latency_class in SEGMENTS]
    moved = {"decision_store_ns": "decision_network_ns", "decision_network_ns": "decision_store_ns"}
    scene.client.command(
        f"INSERT INTO attributions (revision, ingress_ns, decision_id, action, region, total_ns,"
        f" {', '.join(names)}) SELECT 2, ingress_ns, decision_id, action, region, total_ns,"
        f" {', '.join(moved.get(name, name) for name in names)} FROM attributions FINAL"
        f" WHERE ingress_ns >= {from_ns} AND region = '{HURT}'"
    )
    scene.client.command(
        "INSERT INTO attribution_revisions (ingress_ns, decision_id, revision, action, region,"
        f" computed_ns) SELECT ingress_ns, decision_id, 2, action, region, {computed_ns}"
        f" FROM attributions FINAL WHERE ingress_ns >= {from_ns} AND region = '{HURT}'"
    )


def test_alert_follows_decisions_that_late_spans_split_otherwise(scene: Scene) -> None:
    """It says what it had said if the spans had come in time; nobody is paged twice for that."""
    from_ns = scene.end_ns
    scene.go_on(INCIDENT_S, slow_ms=120)
    assert scene.judge() == 1
    scene.go_on(5, slow_ms=120)
    assert scene.judge() == 0

    _revise(scene, from_ns, scene.clock.ns)
    assert scene.judge() == 1
    assert scene.judge() == 0
    scene.restart()
    assert scene.judge() == 0
    rows = scene.client.query(
        "SELECT seq, from_state, to_state, blamed_stage, blamed_class, blamed_excess_ns"
        " FROM alert_events FINAL ORDER BY seq"
    ).result_rows
    first, second = (row[1:] for row in rows)
    assert first[:-1] == ("inactive", "firing", "decision", "store")
    assert second[:-1] == ("firing", "firing", "decision", "network")
    assert first[-1] == second[-1]
    assert scene.deliver() == 1


def test_segment_that_no_longer_stands_out_is_taken_back(scene: Scene) -> None:
    """What late spans clear of blame is not blamed any more."""
    from_ns = scene.end_ns
    scene.go_on(INCIDENT_S, slow_ms=120)
    assert scene.judge() == 1
    _revise(scene, from_ns, scene.clock.ns)
    scene.client.command(
        "ALTER TABLE attributions UPDATE decision_network_ns = ingress_network_ns WHERE 1",
        settings={"mutations_sync": 2},
    )
    assert scene.judge() == 1
    rows = scene.client.query(
        "SELECT blamed_stage, reason FROM alert_events FINAL ORDER BY seq DESC LIMIT 1"
    ).result_rows
    assert rows[0][0] == ""
    assert "; no segment stands out; path " in rows[0][1]


def test_class_that_falls_silent_before_it_is_blamed_stops_no_update(scene: Scene) -> None:
    """One alert without a cause and without decisions must not keep all others from firing."""
    _lose_without_a_cause(scene)
    for _ in range(20):
        scene.go_on(10, regions=(WELL,))
        scene.judge()
    assert scene.events() == ["firing", "unknown"]


@pytest.mark.parametrize(
    ("failed", "shown"),
    [(0, ["d99", "d98", "d97"]), (19, ["d99", "d98", "d97"]), (20, ["d19", "d18", "d17"])],
)
def test_decisions_that_show_it_failed_where_many_did(
    store: Connections, failed: int, shown: list[str]
) -> None:
    """Half of a class failed, and of nine examples eight had succeeded: they were slower."""
    store.client().insert(
        "attributions",
        [
            [1, NOW_NS + at, f"d{at:02}", "checkout", "eu", NS_PER_MS + at, int(at < failed)]
            for at in range(100)
        ],
        column_names=[
            "revision", "ingress_ns", "decision_id", "action", "region", "total_ns", "is_error",
        ],
    )  # fmt: skip
    search = SuspectSearch(AlertReader(store, lambda *_: Decimal(1)))

    assert search.exemplars(Subject("checkout", "eu"), 60, NOW_NS + NS_PER_S) == shown
