"""A trace of ten thousand spans in the page."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.builders import decision_span, span, trace_request
from tests.support.service import RunningService, until

pytestmark = [pytest.mark.browser, pytest.mark.integration]

SPANS = 10_000
MS = 1_000_000


def spans_of(answer: httpx.Response) -> int:
    """Return of how many spans a decision is made, 0 before it is attributed."""
    found = answer.json().get("attribution") if answer.status_code == 200 else None
    return int(found["span_count"]) if found else 0


def test_ten_thousand_spans_are_drawn_and_read(tmp_path: Path, visit: Visit) -> None:
    """At a thousand the page drew nothing for minutes, and the tab hung."""
    began_ns = time.time_ns() - 60_000 * MS
    root = decision_span(decision_id="long", start_ns=began_ns, duration_ns=20_000 * MS)
    calls = [
        span(
            name=f"call {at}", trace_id=root.trace_id.hex(), parent_span_id=root.span_id.hex(),
            start_ns=began_ns + at * 2 * MS, duration_ns=MS, attributes={"call.number": at},
        )
        for at in range(SPANS - 1)
    ]  # fmt: skip
    with RunningService(tmp_path) as service:
        page, url = visit.page, f"http://127.0.0.1:{service.ready['http_port']}/v1/traces"
        headers = {"content-type": "application/x-protobuf"}
        for begin in range(0, SPANS, 2_000):
            request = trace_request(*([root, *calls][begin : begin + 2_000]))
            body = request.SerializeToString()
            answer = httpx.post(url, content=body, headers=headers, timeout=60, trust_env=False)
            assert answer.status_code == 200, answer.text
        asked = f"{service.url}/api/v1/decisions/long"
        until(lambda: spans_of(httpx.get(asked, timeout=60, trust_env=False)) == SPANS)
        page.goto(service.url + "/decision?id=long")
        tree = page.get_by_role("tree")
        expect(page.locator("#decision-waterfall")).to_contain_text("10,000 spans")
        expect(tree.get_by_role("treeitem").first).to_contain_text("20.00 s")
        assert tree.get_by_role("treeitem").count() <= 60, "only those in sight are there"

        tree.focus()
        page.keyboard.press("End")
        last = tree.get_by_role("treeitem", name=f"call {SPANS - 2},")
        expect(last).to_be_in_viewport()
        assert tree.get_by_role("treeitem").count() <= 60
        page.keyboard.press("/")
        page.keyboard.type("call 312")
        expect(page.locator("#decision-waterfall")).to_contain_text("11 of 10,000 spans")
        tree.get_by_role("treeitem", name="call 3120,").click()
        panel = page.get_by_role("region", name="Chosen span")
        expect(panel).to_contain_text("call.number")
        expect(panel).to_contain_text("3120")
        assert visit.console_errors == []
