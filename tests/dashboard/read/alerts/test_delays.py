"""Experiments that delay what an alert is about are told with it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from alerts.config import AlertsConfig
from alerts.state.sqlite import AlertStore, Update
from attribution.sensitivity.registered import Arm, Experiment
from attribution.sensitivity.registry import write_experiment
from collector.core.times import NS_PER_HOUR, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.delays import InjectedDelay, delays_text
from dashboard.read.alerts.detail import read_alert
from dashboard.read.alerts.markdown import markdown
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference
from tests.support.alerts.builders import EPISODE, event, firing_state
from tests.support.dashboard.seed import TODAY_NS

AT_NS = TODAY_NS - 20 * NS_PER_S
HALF = Experiment(
    name="half", owner="ana", purpose="", arms=(Arm("slow", 0.5, 80.0), Arm("control", 0.5, 0.0)),
    targets={}, from_ns=TODAY_NS - NS_PER_HOUR, to_ns=TODAY_NS + NS_PER_HOUR,
    budget_usd=Decimal(1),
)  # fmt: skip


def put(store: Connections, count: int, action: str, experiment: str, delay_ms: int) -> None:
    """Store decisions of the seconds in which an alert fires."""
    names = [
        "ingress_ns", "decision_id", "action", "region", "end_ns", "received_ns", "experiment",
        "injected_delay_ns",
    ]  # fmt: skip
    rows = [
        [AT_NS + n, f"{action}-{experiment}-{delay_ms}-{n}", action, "eu", AT_NS + n, AT_NS + n,
         experiment, delay_ms * NS_PER_MS]
        for n in range(count)
    ]  # fmt: skip
    store.client().insert("decisions", rows, column_names=names)


@pytest.mark.parametrize(("scope", "decisions"), [(("buy", "eu"), 7), (("*", "*"), 9)])
def test_what_delayed_its_decisions_on_purpose_stands_with_an_alert(
    store: Connections, tmp_path: Path, scope: tuple[str, str], decisions: int
) -> None:
    """A responder looked for a fault that there was not. One that delays nothing is not named."""
    for each in (HALF, replace(HALF, name="asleep")):
        write_experiment(store, each, 1)
    put(store, 2, "buy", "half", 80)
    put(store, 1, "buy", "half", 25)
    put(store, 3, "buy", "half", 0)
    put(store, 1, "buy", "asleep", 0)
    put(store, 2, "sell", "", 0)
    fired = event(action=scope[0], region=scope[1], at_ns=AT_NS, started_ns=AT_NS)
    state = AlertStore(tmp_path / "alerts.sqlite")
    state.record([Update(firing_state(), fired, ())])
    reader, reference = Reader(store), Reference(80_000_000, {})
    found = read_alert(reader, state, AlertsConfig(), reference, EPISODE, TODAY_NS)
    state.close()

    assert found is not None
    assert found.delays == [InjectedDelay("half", "ana", 3, decisions, 80 * NS_PER_MS)]
    text = f"3 of {decisions} decisions, by up to 80 ms, by experiment half of ana"
    assert delays_text(found.delays) == text
    assert f"- Delayed on purpose: {text}\n" in markdown(found, TODAY_NS)
