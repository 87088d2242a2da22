"""What whoever starts it first sees: how to send, and the first trace of a plain SDK."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from playwright.sync_api import expect

from tests.browser.conftest import Visit
from tests.support.service import RunningService

pytestmark = [pytest.mark.browser, pytest.mark.integration]

# A first decision fills one column, which has no neighbour to take a width from.
CELL_IS_SEEN = """() => {
  const cells = document.querySelector("#overview-heatmap .hm image");
  return cells !== null && cells.getBoundingClientRect().width > 4;
}"""


def send(endpoint: str) -> None:
    """Send a request and the query in it, as any instrumented service does."""
    provider = TracerProvider(resource=Resource.create({"service.name": "basket"}))
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    with (
        tracer.start_as_current_span("GET /basket", kind=SpanKind.SERVER),
        tracer.start_as_current_span(
            "SELECT items", kind=SpanKind.CLIENT, attributes={"db.system.name": "postgresql"}
        ),
    ):
        pass
    provider.shutdown()


def test_first_trace_of_a_plain_sdk_is_a_decision_with_its_split(
    tmp_path: Path, visit: Visit
) -> None:
    """Nothing is configured and the page is not touched: it shows what comes as it comes."""
    page = visit.page
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    with RunningService(tmp_path, MILLWORTH__COLLECTOR__HTTP_PORT=port) as service:
        page.goto(service.url)
        code = page.locator("#overview-start-code")
        expect(code).to_contain_text("export OTEL_EXPORTER_OTLP_ENDPOINT=")
        # Five cards that know nothing would only hide how to begin.
        expect(page.locator("#page")).not_to_contain_text("unknown", use_inner_text=True)
        expect(page.locator("#overview-alerts")).to_be_hidden()
        endpoint = code.inner_text().partition("OTEL_EXPORTER_OTLP_ENDPOINT=")[2].split()[0]
        send(endpoint)
        expect(page.locator("#overview-start")).to_be_hidden()
        expect(page.locator("#overview-path-said")).to_contain_text("1 decision")
        expect(page.locator("#overview-latency-value")).to_contain_text("ms")
        for drawn in ("path", "heatmap"):
            expect(page.locator(f"#overview-{drawn} .js-plotly-plot")).to_be_visible()
        page.wait_for_function(CELL_IS_SEEN)
        # Of which nobody has said what it earns.
        expect(page.locator("#page")).not_to_contain_text("$0.00")
        page.get_by_role("link", name="Decisions").click()
        row = page.locator("#decisions-list .ag-row").first
        expect(row).to_contain_text("auto GET /basket")
        row.get_by_role("link").first.click()
        page.wait_for_url("**/decision?**id=**")
        spans = page.locator("#decision-waterfall").get_by_role("treeitem")
        expect(spans).to_have_count(2)
        expect(spans.last).to_contain_text("SELECT items")
    assert visit.foreign_requests == []
