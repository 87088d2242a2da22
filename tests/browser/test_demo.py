"""The demo as a newcomer meets it: an alert on the page, a decision behind it, and the summary.

One run of `millworth demo` serves both tests, in order: the browser looks while it runs, and the
summary is judged when it has been ended.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.demo.demo import FAULT_FROM_S
from dashboard.settings.settings import ReferenceConfig
from tests.browser.conftest import Visit
from tests.support.dashboard.demo import RunningDemo

pytestmark = [pytest.mark.browser, pytest.mark.integration, pytest.mark.alone]

# The incident begins at 30 s; the rest is time to find its alert and to look behind it.
RUN_S = 180
ALERT_WAIT_MS = 75_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    """Start the demo; end it if a test did not."""
    with RunningDemo(tmp_path_factory.mktemp("demo") / "demo", RUN_S) as running:
        yield running


def test_alert_leads_to_a_decision_and_its_waterfall(demo: RunningDemo, visit: Visit) -> None:
    """Cause, cost and evidence within three clicks, with nothing fetched from elsewhere."""
    page = visit.page
    page.goto(demo.url)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("#overview-path .js-plotly-plot")).to_be_visible()
    alert = page.locator("#overview-alerts a.alert-link", has_text="eu-west").first
    alert.wait_for(timeout=ALERT_WAIT_MS)
    # A busy machine may raise one before the incident, which blames nothing.
    expect(page.locator("#overview-alerts")).to_contain_text(
        "store slower by", timeout=ALERT_WAIT_MS
    )
    expect(page.locator("#overview-alerts")).to_contain_text("eu-west")

    alert.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("store slower by")
    page.locator("#alert-exemplars a").first.click()

    page.wait_for_url(re.compile(r"/decision\?id="))
    rows = page.get_by_role("tree").get_by_role("treeitem")
    expect(rows.first).to_contain_text("decide offer")
    expect(page.locator("#decision-packets-note")).not_to_have_text("")
    page.get_by_role("link", name="Health").click()
    expect(page.locator("#health-said")).to_contain_text("stored and attributed")
    expect(page.locator("#health-flow")).to_contain_text("Attribute")
    page.get_by_text("Service: every figure").click()
    expect(page.locator("#health-items")).to_contain_text("packets", ignore_case=True)
    page.get_by_role("link", name="Velocity").click()
    expect(page.locator("main")).to_contain_text("value over decisions with an outcome")
    expect(page.locator("main")).not_to_contain_text("Partial: ")
    assert visit.foreign_requests == []
    assert visit.console_errors == []


def test_demo_that_is_ended_sums_up(demo: RunningDemo) -> None:
    """Every figure is read from what was stored; the blamed segment is the injected one."""
    stdout, stderr = demo.interrupt()

    assert demo.process.returncode == 0, stderr
    summary: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    # The incident was on the page, so all that is decided before it begins is here. How much more
    # depends on how soon its alert came.
    assert summary["decisions"] >= FAULT_FROM_S * ReferenceConfig().rate_per_s
    assert summary["attributed"] == summary["decisions"]
    assert summary["sum_exact_ratio"] == 1.0
    assert summary["spans_stored"] == summary["spans_acked"]
    assert summary["provenance_ok"] == summary["decisions"]
    assert summary["provenance_bad"] == 0
    assert summary["alerts_fired"] >= 1
    assert summary["webhooks_delivered"] >= 1
    assert summary["revenue_at_risk_usd_per_h"] > 0
    assert summary["injected_segment"] == "decision/store"
    assert summary["blamed_segment"] == summary["injected_segment"]
    if os.geteuid() == 0:
        assert summary["packets_linked"] > 0
    else:
        assert summary["packets_linked"] is None
