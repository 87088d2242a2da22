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
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from dashboard.read.alerts.delays import delays_text
from dashboard.read.alerts.detail import read_alert
from dashboard.read.alerts.markdown import markdown
from dashboard.read.reader import Reader
from dashboard.read.rows import Reference
from dashboard.units import utc_iso
from tests.support.alerts.builders import EPISODE, event, firing_state
from tests.support.dashboard.seed import ACTIONS, REGIONS, TODAY_NS

AT_NS = TODAY_NS - 20 * NS_PER_S
RUNS = Experiment(
    name="half", owner="ana", purpose="",
    arms=(Arm("slow", 0.3, 25.0), Arm("slower", 0.2, 80.0), Arm("control", 0.5, 0.0)),
    targets={"action": (ACTIONS[0],)}, from_ns=TODAY_NS - NS_PER_HOUR,
    to_ns=TODAY_NS + NS_PER_HOUR, budget_usd=Decimal(1),
)  # fmt: skip


@pytest.mark.parametrize("scope", [(ACTIONS[0], REGIONS[0]), ("*", "*")])
def test_what_delays_its_decisions_on_purpose_stands_with_an_alert(
    own_world: Connections, tmp_path: Path, scope: tuple[str, str]
) -> None:
    """Half of them wait for an experiment: a responder looked for a fault that there was not."""
    others = (
        replace(RUNS, name="elsewhere", targets={"action": ("another",)}),
        replace(RUNS, name="in another region", targets={"region": ("another",)}),
        replace(RUNS, name="over", to_ns=AT_NS - NS_PER_HOUR, from_ns=AT_NS - 2 * NS_PER_HOUR),
        replace(RUNS, name="stopped", stopped_ns=AT_NS - NS_PER_HOUR + 1, stopped_by="ana"),
        replace(RUNS, name="to come", from_ns=TODAY_NS + 1),
    )
    is_of_one = scope[0] == ACTIONS[0]
    for each in (RUNS, *(others if is_of_one else others[2:])):
        write_experiment(own_world, each, 1)
    fired = event(action=scope[0], region=scope[1], at_ns=AT_NS, started_ns=AT_NS)
    state = AlertStore(tmp_path / "alerts.sqlite")
    state.record([Update(firing_state(), fired, ())])
    reader, reference = Reader(own_world), Reference(80_000_000, {})
    found = read_alert(reader, state, AlertsConfig(), reference, EPISODE, TODAY_NS)
    state.close()

    assert found is not None
    told = "experiment half of ana delays 50.0 % of what it is about by up to 80 ms, "
    assert delays_text(found.delays, utc_iso).startswith(told)
    assert len(found.delays) == 1
    assert f"- Delayed on purpose: {told}" in markdown(found, TODAY_NS)
