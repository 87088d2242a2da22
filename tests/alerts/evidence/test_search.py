"""What an alert that fires already is blamed on, later or anew."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from alerts.evidence.search import SuspectSearch
from alerts.read.reader import AlertReader
from alerts.state.subject import Subject
from attribution.core.segments import SEGMENTS
from collector.core.clock import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.scene import HURT, INCIDENT_S, PER_SECOND, WELL, Scene, write_seconds


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
