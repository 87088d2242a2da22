"""What the README and the page on sending tell a newcomer to type has to work."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collector.core.clock import SystemClock
from collector.core.times import NS_PER_S
from collector.imports.outcomes import OutcomeRow, parse_outcomes
from dashboard.settings.settings import Settings
from tests.support.docs.pages import READ_NS, PageShell, await_rows, blocks, only
from tests.support.service import RunningService
from tests.support.tree import ROOT, text

LINES_MAX = 120
PICTURE_BYTES_MAX = 300_000
SEND = "docs/use/send.md"
PAGES = ["README.md", SEND]


def test_readme_is_read_in_a_minute() -> None:
    """What is longer belongs on a page of docs/; its picture loads on a slow line."""
    assert len(text("README.md").splitlines()) <= LINES_MAX
    [picture] = re.findall(r"!\[[^]]+\]\(([^)]+)\)", text("README.md"))
    assert (ROOT / picture).stat().st_size <= PICTURE_BYTES_MAX


def test_readme_names_targets_of_make() -> None:
    """The first two commands are those that a newcomer types."""
    named = set(re.findall(r"^make ([a-z-]+)", "\n".join(blocks("README.md", "sh")), re.MULTILINE))
    assert named == {"demo", "test", "install"}
    for target in named:
        assert re.search(rf"^{target}:", text("Makefile"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_settings_of_the_page_are_settings(page: str) -> None:
    """A key that was renamed would stop a newcomer's first start."""
    settings = Settings.model_validate(tomllib.loads(only(page, "toml")))

    assert settings.attributes.name("decision.action") == "shop.operation"
    assert settings.decisions.match[0].action == "checkout"


@pytest.mark.parametrize("page", PAGES)
def test_outcomes_of_the_page_are_imported_whole(page: str) -> None:
    """A refused line in the example would be copied."""
    rows = list(parse_outcomes(page, only(page, "csv").encode(), "USD", READ_NS))

    assert [row.outcome_id for row in rows if isinstance(row, OutcomeRow)] == ["A-1001", "A-1001-r"]


@pytest.mark.integration
@pytest.mark.parametrize("page", PAGES)
def test_walk_through_the_page(page: str, tmp_path: Path) -> None:
    """Settings, variables, SDK, import and question of the page, one after another as they stand.

    The ports are those of the test, the dates those of today, and the trace is the one that was
    sent: the page marks them as examples.
    """
    (tmp_path / "millworth.toml").write_text(only(page, "toml"))
    today = datetime.fromtimestamp(SystemClock().now_ns() // NS_PER_S, UTC).date().isoformat()
    orders = re.sub(r"\d{4}-\d\d-\d\dT1.:", f"{today}T00:", only(page, "csv"))
    (tmp_path / "orders.csv").write_text(orders)
    up, *later = [block for block in blocks(page, "sh") if "make demo" not in block]
    assert ".venv/bin/millworth up " in up
    [variables] = [block for block in later if "export OTEL_" in block]

    with RunningService(tmp_path, wrapper=("env", "-C", str(tmp_path))) as service:
        port = str(service.ready["dashboard_port"])
        shell = PageShell(tmp_path, {**service.environment, "MILLWORTH__DASHBOARD__PORT": port})
        at = variables.replace("4318", str(service.ready["http_port"]))
        trace_id = shell.run(at + _SEND_WITH_THE_SDK).split()[-1]
        await_rows(service, "SELECT count() FROM decisions", 1)
        answers = [
            shell.run(block.replace("0af7651916cd43dd8448eb211c80319c", trace_id))
            for block in later
            if block is not variables
        ]

    printed = "\n".join(answers)
    assert "2 imported" in printed
    assert {"ServiceName": "shop", "count()": 1} in [
        json.loads(line) for line in printed.splitlines() if line.startswith("{")
    ]


_SEND_WITH_THE_SDK = """
python - <<'CODE'
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
attributes = {"shop.operation": "checkout", "order.id": "order-1001"}
tracer = provider.get_tracer("test")
with tracer.start_as_current_span("POST /checkout", attributes=attributes) as span:
    print(format(span.get_span_context().trace_id, "032x"))
provider.shutdown()
CODE
"""
