"""The page of one alert, over a real store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from alerts.config import AlertsConfig
from alerts.rows import Dollars, Owned
from alerts.rules.threshold import ThresholdConfig
from alerts.state.mirror import mirror
from alerts.state.sqlite import AlertStore, Update
from alerts.state.subject import Subject
from attribution.jobs.late.deferred import DeferredArrivals
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from dashboard.pages.alerts.detail import show
from dashboard.pages.explore.page import question_of
from dashboard.read.decisions.brush import sides
from dashboard.read.reader import Reader
from dashboard.read.scope import parse_scope
from dashboard.units import Zone
from tests.conftest import NOW_NS
from tests.support.alerts.builders import EPISODE, event, firing_state, rule
from tests.support.alerts.scene import HURT, write_arrived, write_seconds
from tests.support.dashboard.app import page_context
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS


def test_figure_of_now_says_what_is_missing_of_it(store: Connections, tmp_path: Path) -> None:
    """Every webhook leads here: what an hour costs is by the part that is there, and says so."""
    state, began_ns = AlertStore(tmp_path / "alerts.sqlite"), NOW_NS - 60 * NS_PER_S
    state.record([Update(firing_state(), event(at_ns=began_ns, started_ns=began_ns))])
    write_seconds(store.client(), began_ns + 40 * NS_PER_S, 20, HURT, 120)
    write_arrived(store.client(), began_ns, 60, HURT)
    DeferredArrivals(store).add(began_ns, NOW_NS, NOW_NS)
    with page_context(Reader(store), NOW_NS, alert_state=state) as context:
        found = show(context, EPISODE, Zone())
    state.close()
    note = json.dumps(
        found.shown["alert-risk-note.children"], default=lambda each: each.to_plotly_json()
    )
    assert found.shown["alert-risk-value.children"] == "$18,000 / h"
    assert "now, over its newest 60 s, without 40 s still to be attributed" in note


def test_alert_that_never_fired_would_have_paged_nobody(store: Connections, tmp_path: Path) -> None:
    """By this record it is settled whether a rule in shadow goes live."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    said = {}
    for name, started_ns in (("never", 0), ("once", NOW_NS)):
        changed = event(
            episode_id=name, to_state="unknown", started_ns=started_ns, is_shadow=True, region=name
        )
        subject = Subject("checkout", name)
        state.record([Update(replace(firing_state(), episode_id=name, subject=subject), changed)])
        with page_context(Reader(store), NOW_NS, alert_state=state) as context:
            shown = show(context, name, Zone()).shown["alert-state.children"]
        said[name] = json.dumps(shown, default=lambda each: each.to_plotly_json())
    state.close()
    assert '"unknown, in shadow"' in said["never"]
    assert '"unknown, would have paged"' in said["once"]
    assert '"/alerts?window=7d&action=checkout&region=once&rule=burn"' in said["once"]


def test_incident_is_one_sum_and_its_others_are_folded(store: Connections, tmp_path: Path) -> None:
    """Forty links without a dollar stood between the reason and what the rule says to do."""
    state, began_ns = AlertStore(tmp_path / "alerts.sqlite"), NOW_NS - 60 * NS_PER_S
    config = AlertsConfig(rules=(rule(note="call storage"),))
    for number in range(9):
        name, region = f"e{number}", f"r{number}"
        of = replace(firing_state(), episode_id=name, subject=Subject("checkout", region))
        fired = event(
            episode_id=name, region=region, at_ns=began_ns, started_ns=began_ns, incident_id="e0"
        )
        state.record([Update(of, fired)])
        write_seconds(store.client(), began_ns, 60, region, 110 + number)
    mirror(state, store)
    with page_context(Reader(store), NOW_NS, alert_state=state, alerts=config) as context:
        shown = show(context, "e0", Zone()).shown
    state.close()
    facts, others = (
        json.dumps(shown[name], default=lambda each: each.to_plotly_json())
        for name in ("alert-facts.children", "alert-others.children")
    )
    order = ["call storage", "Why", "9 alerts, 9 firing, $", "/alerts/e8", "/alerts/e4"]
    places = [facts.index(each) for each in order]
    assert places == sorted(places), "what to do first; of the others the dearest first"
    assert "/alerts/e3" not in facts
    assert shown["alert-others-summary.children"] == "3 more of the incident"
    assert others.index("/alerts/e3") < others.index("/alerts/e1")


def test_late_decisions_lead_to_what_they_share(own_world: Connections, tmp_path: Path) -> None:
    """Explore had to be opened, and its box be drawn, by who had just read of when and where."""
    state, at_ns = AlertStore(tmp_path / "alerts.sqlite"), TODAY_NS - 20 * NS_PER_S
    fired = event(at_ns=at_ns, started_ns=at_ns, action=ACTIONS[0], region=REGIONS[0], window_s=60)
    state.record([Update(firing_state(), fired)])
    with page_context(Reader(own_world), TODAY_NS, alert_state=state) as context:
        shown = show(context, EPISODE, Zone()).shown["alert-exemplars-note.children"]
        assert isinstance(shown, list)
        late, _, shared = shown
        scope = parse_scope(urlsplit(shared.href).query)
        asked = question_of(scope, TODAY_NS)
        before, inside, _ = sides(asked.criteria, asked.brush, asked.against)
        found = context.compare(before, inside, rest=True)
    state.close()
    assert (late.children, shared.children) == ("all late ones", "what do they share?")
    assert (scope.action, scope.region, scope.filter("brush_ms")) == (
        ACTIONS[0],
        REGIONS[0],
        "80..",
    )
    assert found.decisions_after == 5, "those that are late, and in its time"


def test_slow_decisions_lead_to_all_over_the_latency_of_their_rule(
    store: Connections, tmp_path: Path
) -> None:
    """A rule of 250 ms led to `all late ones`, which are those over the target."""
    slow = ThresholdConfig(name="slow", figure="slow_ratio", above=0.1, target_ms=250)
    state = AlertStore(tmp_path / "alerts.sqlite")
    fired = event(rule="slow", at_ns=TODAY_NS - NS_PER_S, started_ns=TODAY_NS - NS_PER_S)
    state.record([Update(firing_state(), fired)])
    config = AlertsConfig(rules=(slow,))
    with page_context(Reader(store), TODAY_NS, alert_state=state, alerts=config) as context:
        shown = show(context, EPISODE, Zone()).shown
    state.close()
    ways: Any = shown["alert-exemplars-note.children"]
    (way,) = ways
    assert (way.children, "low_ms=250" in way.href) == ("all over 250 ms", True)
    none: Any = shown["alert-exemplars.children"]
    assert none.children == "No decision of its time took over 250 ms."


def test_rule_without_dollars_is_not_called_ignorant_of_them(
    store: Connections, tmp_path: Path
) -> None:
    """`Nobody knows what this costs` stood beside the alert of the same class that said it."""
    state, began_ns = AlertStore(tmp_path / "alerts.sqlite"), NOW_NS - 60 * NS_PER_S
    fired = event(
        rule="failed", at_ns=began_ns, started_ns=began_ns, basis="unknown", slope_source="unknown"
    )
    state.record([Update(firing_state(), fired)])
    with page_context(Reader(store), NOW_NS, alert_state=state) as context:
        shown = show(context, EPISODE, Zone()).shown
    state.close()
    assert shown["alert-risk-note.children"] == "this rule counts no money"
    assert shown["alert-lost-note.children"] == (
        "alerts of a rule of kind dollar_burn say what decisions lose"
    )


def test_alert_that_others_explain_says_so(store: Connections, tmp_path: Path) -> None:
    """Two rows of one incident looked like two losses; and its name is no expression."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    wide = Update(firing_state(), event(at_ns=NOW_NS, started_ns=NOW_NS, region="~eu.*"))
    none = Dollars()
    why = Owned(EPISODE, NOW_NS, NOW_NS, none, none, "burn (checkout/eu-west)")
    state.record([wide], NOW_NS, NOW_NS, [why])
    with page_context(Reader(store), NOW_NS, alert_state=state) as context:
        found = show(context, EPISODE, Zone())
    state.close()
    shown = json.dumps(found.shown, default=lambda each: each.to_plotly_json())
    assert "burn (checkout/eu-west), which tell of its loss" in shown
    assert 'region=\\"~eu.*\\"' in shown
