"""Verdicts of the funding gate as cards: the low end of the gain, the cost, and the basis."""

from __future__ import annotations

import json

from attribution.core.config import AttributionConfig
from attribution.invest.job import InvestJob
from collector.store.connect import Connections
from dashboard.pages.answers.gate import cards
from dashboard.units import usd
from tests.support.dashboard.app import Api

OPTION = {
    "name": "managed edge",
    "capex_usd": "100",
    "opex_usd_per_quarter": 10,
    "gain_usd_per_quarter": {"low": 300, "median": 500.25, "high": "700"},
    "basis": "prior",
    "source": "the literature",
    "ramp": ["0.5", 1],
}


def test_verdict_that_rests_on_an_assumed_rate_says_so(store: Connections) -> None:
    """The figures are those that `/api/v1` keeps; what proves nothing is marked."""
    file = {"invest": {"rate": "0.4641"}, "options": [OPTION]}
    answer = Api(store).send("POST", "/api/v1/vram/gate", json={"file": file})
    assert answer.status_code == 200, answer.text
    told = answer.json()["document"]["verdict"]
    (row,) = InvestJob(AttributionConfig(), store).verdicts()
    shown = json.dumps(cards([row]), default=lambda each: each.to_plotly_json())
    assert "managed edge" in shown
    assert "tag-refuse" in shown
    assert '"children": "assumed rate", "className": "badge"' in shown
    assert told["reason"] in shown
    assert (
        f"By its file it gains at least {usd(float(told['gain_low_usd']))} with 80.0 % probability"
        in shown
    )
    assert f"millworth vram verdicts {row.sha256[:12]}" in shown
    assert "not signed" in shown


def test_without_a_verdict_the_way_to_one_is_said() -> None:
    """An empty panel would be a riddle."""
    assert "millworth vram gate" in str(cards([]))
