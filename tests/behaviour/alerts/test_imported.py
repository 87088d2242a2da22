"""Rules of other tools, imported: live as all others, and scored on what is stored."""

from __future__ import annotations

from decimal import Decimal

from alerts.replay.imported import compare
from alerts.replay.run import replay_rules
from alerts.replay.spans import replay_spans
from alerts.replay.stored import read_instants, read_spans
from alerts.rules.imports.found import Mapped
from alerts.rules.imports.read import RuleFile, read_rules
from alerts.rules.slo import Slo, SloConfig
from collector.core.times import NS_PER_S
from tests.support.alerts.imported import PROMETHEUS
from tests.support.alerts.scene import CALM_S, HURT, START_NS, WELL, Scene, write_seconds
from tests.support.alerts.spans import write_parts, write_spans

RULE = PROMETHEUS.replace("for: 10m", "for: 1m").replace("keep_firing_for: 5m", "")


def imported(text: str = RULE) -> SloConfig:
    """Return the first rule of a file."""
    found = read_rules([RuleFile("f.yaml", text)])[0]
    assert isinstance(found, Mapped)
    return found.rules[0].model_copy(update={"live": True})


def test_imported_rule_fires_resolves_and_is_replayed_alike(scene: Scene) -> None:
    """Over errors, a restart among them, an end and a silence: every transition is the same."""
    rule = imported()
    scene.restart(rules=[rule], nodata_s=60.0)
    for seconds, failed in ((120, 0), (150, 2), (300, 0), (90, None), (60, 0)):
        for _ in range(0, seconds, 10):
            if failed is not None:
                write_spans(scene.client, scene.end_ns, [(5, failed)] * 10)
            scene.go_on(10)
            scene.judge()
        if failed == 2:
            scene.restart(rules=[rule], nodata_s=60.0)
    made = scene.client.query(
        "SELECT at_ns, from_state, to_state, action, region, basis, reason FROM alert_events FINAL"
        " WHERE rule = 'high-error-rate' ORDER BY at_ns, seq"
    ).result_rows
    states = [row[2] for row in made]
    assert states[:3] == ["pending", "firing", "resolved"]
    assert "unknown" in states
    assert {row[3:6] for row in made} == {("api", "", "unknown")}
    assert "spans in 5 min, above 0.05" in made[1][6]

    begin_ns = START_NS + CALM_S * NS_PER_S
    spans = read_spans(scene.store, rule, begin_ns, scene.end_ns, NS_PER_S)
    at = read_instants(scene.job.alert_state, begin_ns, scene.end_ns + NS_PER_S, 5.0, 60.0)
    replayed = [
        (c.transition.at_ns, str(c.transition.from_state), str(c.transition.to_state))
        for c in replay_spans(Slo(rule), spans, at)
    ]

    assert replayed == [row[:3] for row in made if row[0] < scene.end_ns]
    config = scene.config(rules=[rule], nodata_s=60.0)
    [report] = replay_rules(
        config, scene.store, scene.job.alert_state, begin_ns, scene.end_ns + NS_PER_S
    )
    assert report.live_transitions == report.equal_transitions == len(made)
    assert [page.action for page in report.pages] == ["api"] * states.count("firing")
    assert {page.lost_usd for page in report.pages} == {report.caught_usd} == {None}
    assert "above 0.05" in report.pages[0].reason


def test_imported_rule_is_scored_beside_a_dollar_rule(scene: Scene) -> None:
    """Errors cost money once, and once they are of requests that nobody pays for."""
    client, begin_ns = scene.client, START_NS + 3_600 * NS_PER_S
    story = (
        (1_800, 0, 0),
        (600, 120, 2),
        (1_800, 0, 0),
        (600, 0, 2),
        (1_800, 0, 0),
        (600, 60, 0),
        (60, 0, 0),
    )
    at_ns = begin_ns
    for seconds, slow_ms, failed in story:
        write_seconds(client, at_ns, seconds, HURT, slow_ms)
        write_seconds(client, at_ns, seconds, WELL)
        write_spans(client, at_ns, [(5, failed)] * seconds)
        at_ns += seconds * NS_PER_S
    write_parts(client, HURT, "api")
    done: list[int] = []

    [found] = compare(
        [imported()], scene.store, begin_ns, at_ns, 300.0, budget_usd=10_000.0, progress=done.append
    )

    assert done == [1]
    assert (found.services, found.classes) == (["api"], [f"checkout/{HURT}"])
    ours, dollars = found.imported, found.proposal
    assert dollars is not None
    assert (ours.alerts, ours.actionable_share) == (2, 0.5)
    assert (dollars.alerts, dollars.actionable_share) == (2, 1.0)
    assert (ours.caught_usd, ours.missed_usd) == (Decimal(3_000), Decimal(1_500))
    assert (dollars.caught_usd, dollars.missed_usd) == (Decimal(4_500), Decimal(0))
    assert ours.earlier_p50_s is not None
    assert dollars.earlier_p50_s == -ours.earlier_p50_s
    for each in (ours, dollars):
        assert each.caught_usd is not None
        assert each.missed_usd is not None
        assert each.within_usd is not None
        assert each.caught_usd + each.missed_usd + each.within_usd == Decimal(4_500)


def test_rule_of_a_service_without_decisions_has_no_dollars(scene: Scene) -> None:
    """Its alerts are counted; what they are worth is unknown, not nothing."""
    begin_ns = START_NS + 3_600 * NS_PER_S
    write_spans(scene.client, begin_ns, [*[(5, 0)] * 600, *[(1, 4)] * 600])
    [found] = compare([imported()], scene.store, begin_ns, begin_ns + 1_200 * NS_PER_S, 300.0)
    assert (found.services, found.classes, found.proposal) == (["api"], [], None)
    assert (found.imported.alerts, found.imported.caught_usd) == (1, None)
    [other] = compare(
        [imported(RULE.replace('"api"', '"none"'))], scene.store, begin_ns, begin_ns + 10**12, 300.0
    )
    assert (other.services, other.imported.alerts) == ([], 0)


def test_budget_is_a_thousandth_of_what_decisions_are_worth(scene: Scene) -> None:
    """Where none is given: an SLO of 99.9 %, in dollars."""
    client, begin_ns = scene.client, START_NS + 3_600 * NS_PER_S
    write_seconds(client, begin_ns, 600, HURT)  # 500 USD a second
    write_spans(client, begin_ns, [(5, 0)] * 600)
    write_parts(client, HURT, "api")
    [found] = compare([imported()], scene.store, begin_ns, begin_ns + 600 * NS_PER_S, 300.0)
    assert found.budget_usd == Decimal(500 * 600) / 1_000 * 30 * 144
