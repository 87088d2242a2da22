"""A dollar has one owner: rules that overlap add up, and the narrower one pages."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from alerts.rows import Owned
from alerts.state.owned import explained_by, read_owned
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.listing import alerts_at_risk
from dashboard.read.reader import Reader
from dashboard.read.rows import Range
from tests.support.alerts.builders import TIER, rule
from tests.support.alerts.scene import (
    HURT,
    INCIDENT_S,
    WELL,
    Scene,
    write_seconds,
)

CLASSES = rule(budget_usd=5_000.0, keep_firing_s=20.0)
WHOLE = rule(name="whole", budget_for="all", budget_usd=5_000.0, keep_firing_s=20.0)


def owned(scene: Scene) -> dict[str, Owned]:
    """Return what each alert that fires owns, by its rule."""
    by_episode = read_owned(scene.job.alert_state)
    names = {state.episode_id: state.rule for state in scene.job.status().states}
    return {names[episode_id]: each for episode_id, each in by_episode.items()}


def fired(scene: Scene) -> list[tuple[str, str]]:
    """Return the rules that the receiver heard of, and what."""
    return [
        (each.message["data"]["rule"], each.message["type"]) for each in scene.receiver.deliveries
    ]


def lost(scene: Scene) -> Decimal:
    """Return what all classes lost in the window that made the alerts fire, and since."""
    [span] = {(each.since_ns, each.at_ns) for each in owned(scene).values()}
    query = (
        "SELECT sum(loss_usd) FROM revenue_cells FINAL"
        " WHERE second_ns >= {since_ns:UInt64} AND second_ns < {at_ns:UInt64}"
    )
    parameters = dict(zip(("since_ns", "at_ns"), span, strict=True))
    return Decimal(scene.client.query(query, parameters=parameters).result_rows[0][0])


def test_alert_on_everything_is_explained_by_the_region_that_hurts(scene: Scene) -> None:
    """One message, not two; the sum of what they own is what was lost, over a restart too."""
    rules = [WHOLE, CLASSES]
    scene.restart(rules=rules)
    scene.go_on(INCIDENT_S, slow_ms=120)

    for _ in range(3):
        scene.judge()
        scene.deliver()
        parts = owned(scene)
        assert set(parts) == {"burn", "whole"}
        assert sum(each.lost.usd for each in parts.values()) == lost(scene)
        assert parts["whole"].lost.usd == 0
        assert parts["burn"].at_risk.usd == lost(scene) * 60
        assert parts["whole"].explained_by == f"burn (checkout/{HURT})"
        scene.restart(rules=rules)
        scene.go_on(10, slow_ms=120)

    assert fired(scene) == [("burn", "alert.firing")]


SLOW = {"budget_share": 0.01, "long_window_s": 200, "short_window_s": 6}


@pytest.mark.parametrize(
    ("tiers", "later_s", "regions", "shown"),
    [
        pytest.param([TIER], 1, (HURT, WELL), "firing", id="burns"),
        pytest.param([TIER], 20, (HURT, WELL), "cooling", id="cools"),
        pytest.param([TIER | {"budget_share": 0.5}, SLOW], 1, (HURT, WELL), "firing", id="slow"),
        pytest.param([TIER], 80, (WELL,), "unknown", id="falls silent"),
    ],
)
def test_pages_and_the_ledger_have_one_figure_of_what_is_at_risk(
    scene: Scene, tiers: list[dict[str, float]], later_s: int, regions: tuple[str, ...], shown: str
) -> None:
    """A rule of a minute within one of five: the wide one's window made the loss a fifth of it."""
    narrow = rule(budget_usd=5_000.0, keep_firing_s=20.0, tiers=tiers)
    wide_tier = TIER | {"long_window_s": 300}
    whole = rule(name="whole", budget_for="all", budget_usd=5_000.0, tiers=[wide_tier])
    scene.restart(rules=[whole, narrow], nodata_s=30.0)
    write_seconds(scene.client, scene.end_ns, INCIDENT_S, WELL, 12)
    write_seconds(scene.client, scene.end_ns, INCIDENT_S, HURT, 120)
    scene.end_ns += INCIDENT_S * NS_PER_S
    scene.judge()
    for seconds in (later_s, 1):
        scene.go_on(seconds, slow_ms=120 if shown == "firing" else 0, regions=regions)
        scene.judge()

    assert scene.events()[-1] == shown
    parts = owned(scene)
    assert set(parts) == {"burn", "whole"}
    [end_ns] = {each.at_ns for each in parts.values()}
    seen = Range(end_ns - 900 * NS_PER_S, end_ns)
    _, found = alerts_at_risk(Reader(scene.store), seen)
    assert found.usd_per_h == sum(each.at_risk.usd for each in parts.values()) > 0
    chosen = (replace(seen, region=each) for each in (HURT, WELL))
    parts_usd = (alerts_at_risk(Reader(scene.store), each)[1].usd_per_h for each in chosen)
    assert sum(each or 0 for each in parts_usd) == found.usd_per_h


def test_wide_alert_is_routed_where_no_part_explains_it(scene: Scene) -> None:
    """Its region loses what no narrower alert is about."""
    narrow = rule(region=HURT, budget_usd=5_000.0, keep_firing_s=20.0)
    scene.restart(rules=[WHOLE, narrow])
    write_seconds(scene.client, scene.end_ns, INCIDENT_S, WELL, 240)
    write_seconds(scene.client, scene.end_ns, INCIDENT_S, HURT, 120)
    scene.end_ns += INCIDENT_S * NS_PER_S

    scene.judge()
    scene.deliver()

    parts = owned(scene)
    assert parts["burn"].lost.usd * 3 == lost(scene) > 0
    assert parts["whole"].lost.usd == parts["burn"].lost.usd * 2
    assert parts["whole"].explained_by == ""
    assert sorted(fired(scene)) == [("burn", "alert.firing"), ("whole", "alert.firing")]


def test_wide_alert_is_routed_when_the_narrow_one_ends_and_it_fires_still(scene: Scene) -> None:
    """What explained it is gone; the other region goes on alone."""
    narrow = rule(region=HURT, budget_usd=5_000.0, keep_firing_s=0.0, reset_window_s=6)
    wide = rule(
        name="whole", budget_for="all", budget_usd=5_000.0, keep_firing_s=120.0, reset_window_s=6
    )
    scene.restart(rules=[wide, narrow])
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    scene.deliver()
    assert fired(scene) == [("burn", "alert.firing")]

    for _ in range(3):
        write_seconds(scene.client, scene.end_ns, 40, WELL, 120)
        write_seconds(scene.client, scene.end_ns, 40, HURT)
        scene.end_ns += 40 * NS_PER_S
        scene.judge()
        scene.deliver()

    assert set(owned(scene)) == {"whole"}
    assert sorted(fired(scene)[1:]) == [("burn", "alert.resolved"), ("whole", "alert.firing")]


def test_shadow_owns_nothing_and_explains_nothing(scene: Scene) -> None:
    """A rule that is tried beside the one in use takes none of its dollars."""
    shadow = rule(budget_usd=5_000.0, keep_firing_s=20.0, live=False)
    scene.restart(rules=[WHOLE, shadow])
    scene.go_on(INCIDENT_S, slow_ms=120)

    scene.judge()
    scene.deliver()

    parts = owned(scene)
    assert set(parts) == {"whole"}
    assert parts["whole"].lost.usd == lost(scene)
    assert fired(scene) == [("whole", "alert.firing")]


def test_late_loss_is_owned_as_soon_as_it_is_seen(scene: Scene) -> None:
    """A rewritten second changes the sum, whoever owned it before."""
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    before = owned(scene)["burn"].lost.usd
    assert before == lost(scene)

    late_ns = scene.end_ns - 5 * NS_PER_S
    write_seconds(scene.client, late_ns, 1, HURT, 360, revision=2)
    scene.go_on(1)
    scene.judge()

    # The second that was the newest is in it too by now.
    assert owned(scene)["burn"].lost.usd == before + 10 + 5 == lost(scene)


def test_rule_that_cannot_be_read_leaves_the_others_their_owner(scene: Scene) -> None:
    """A rule of another kind fails for hours: what explained an alert would hide it as long."""
    narrow = rule(region=HURT, budget_usd=5_000.0, keep_firing_s=0.0, reset_window_s=6)
    wide = rule(
        name="whole", budget_for="all", budget_usd=5_000.0, keep_firing_s=120.0, reset_window_s=6
    )
    scene.restart(rules=[wide, narrow], dead_man_seconds=3_600.0)
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.client.command("RENAME TABLE otel_metrics_sum TO otel_metrics_sum_away")
    with pytest.raises(ClickHouseError, match="otel_metrics_sum"):
        scene.judge()
    scene.deliver()
    assert owned(scene)["whole"].explained_by == f"burn (checkout/{HURT})"
    assert fired(scene) == [("burn", "alert.firing")]

    for _ in range(3):
        write_seconds(scene.client, scene.end_ns, 40, WELL, 120)
        write_seconds(scene.client, scene.end_ns, 40, HURT)
        scene.end_ns += 40 * NS_PER_S
        with pytest.raises(ClickHouseError, match="otel_metrics_sum"):
            scene.judge()
        scene.deliver()

    assert set(owned(scene)) == {"whole"}
    assert sorted(fired(scene)[1:]) == [("burn", "alert.resolved"), ("whole", "alert.firing")]


def test_explanation_that_is_not_renewed_hides_nothing(scene: Scene) -> None:
    """Passes go on and the ledger does not: after a minute of them the wide alert goes out."""
    scene.restart(rules=[WHOLE, CLASSES])
    scene.go_on(INCIDENT_S, slow_ms=120)
    scene.judge()
    [wide] = [each for each in read_owned(scene.job.alert_state).values() if each.explained_by]
    end_ns = wide.at_ns
    for later_s, explained in ((60, wide.explained_by), (61, "")):
        scene.job.alert_state.record([], end_ns + later_s * NS_PER_S, end_ns)
        assert explained_by(scene.job.alert_state, wide.episode_id) == explained


RESET_S = 6


class LedgerAway(Connections):
    """A store that answers all but the ledger, which asks nothing of the window of the end."""

    def reader(self) -> Client:
        """Return a reader of which that one question fails."""
        reader = super().reader()

        def query(statement: str, parameters: dict[str, Any]) -> object:
            starts_ns, end_ns = parameters.get("starts_ns", ()), parameters.get("end_ns", 0)
            if starts_ns and end_ns - RESET_S * NS_PER_S not in starts_ns:
                raise DatabaseError("memory limit exceeded")
            return reader.query(statement, parameters=parameters)

        return cast("Client", SimpleNamespace(query=query))


def test_ledger_that_cannot_be_read_holds_nothing_back(scene: Scene) -> None:
    """What alerts own is unknown then; that they fire is not."""
    store, scene.store = scene.store, LedgerAway(scene.store.config)
    scene.restart(rules=[rule(budget_usd=5_000.0, keep_firing_s=20.0, reset_window_s=RESET_S)])
    scene.go_on(INCIDENT_S, slow_ms=120)
    with pytest.raises(DatabaseError, match="memory limit"):
        scene.judge()
    scene.deliver()

    assert fired(scene) == [("burn", "alert.firing")]
    assert scene.events() == ["firing"]
    assert owned(scene) == {}
    assert scene.job.last_pass is not None
    assert scene.job.last_pass.failed == 1

    scene.store = store
    scene.restart(rules=[rule(budget_usd=5_000.0, keep_firing_s=20.0, reset_window_s=RESET_S)])
    scene.go_on(10, slow_ms=120)
    scene.judge()
    assert set(owned(scene)) == {"burn"}
