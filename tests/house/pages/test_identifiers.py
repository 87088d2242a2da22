"""docs/operate/identifiers.md: how a decision is found whose id a rule has replaced."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from collector.core.clock import SystemClock
from tests.support.builders import span, trace_request
from tests.support.docs.pages import PageShell, await_rows, only
from tests.support.service import RunningService

PAGE = "docs/operate/identifiers.md"


@pytest.mark.integration
def test_decision_is_found_by_the_token_of_its_id(tmp_path: Path) -> None:
    """With a rule on `decision.id`, the id itself finds nothing, and the page says what does."""
    (tmp_path / "millworth.toml").write_text(only(PAGE, "toml"))
    attributes = {"decision.action": "offer", "decision.id": "dec-43"}
    one = span(start_ns=SystemClock().now_ns(), attributes=attributes)
    with RunningService(tmp_path, wrapper=("env", "-C", str(tmp_path))) as service:
        httpx.post(
            f"http://127.0.0.1:{service.ready['http_port']}/v1/traces",
            content=trace_request(one).SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
            timeout=60,
        ).raise_for_status()
        await_rows(service, "SELECT count() FROM decisions", 1)
        port = str(service.ready["dashboard_port"])
        shell = PageShell(tmp_path, {**service.environment, "MILLWORTH__DASHBOARD__PORT": port})
        assert service.command("trace", "dec-43").returncode != 0
        tokens = json.loads(shell.run("millworth identifiers tokens dec-43 --json"))["tokens"]
        found = [service.command("trace", token).returncode == 0 for token in tokens]

    assert any(found)
