"""What a running process says of the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from alerts.state.sqlite import AlertStore, Update
from collector.core.clock import SystemClock
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S
from tests.support.alerts.builders import SECRET, event, firing_state, message
from tests.support.builders import decision_span, trace_request
from tests.support.collector.clients import post
from tests.support.programs import free_port
from tests.support.service import RunningService, until

pytestmark = pytest.mark.integration


def test_outcomes_of_no_decision_are_said(tmp_path: Path) -> None:
    """Of 60 that happened more than an hour ago 30 name decisions that never came."""
    began_ns = SystemClock().now_ns() - NS_PER_HOUR - 30 * NS_PER_MINUTE
    ids = [f"{at:032x}" for at in range(1, 61)]
    spans = [
        decision_span(start_ns=began_ns + at * NS_PER_S, trace_id=each)
        for at, each in enumerate(ids)
    ]
    file = tmp_path / "orders.json"
    named = [each if at < 30 else f"nobody{at}" for at, each in enumerate(ids)]
    file.write_text("\n".join(
        json.dumps({
            "outcome_id": f"o{at}", "decision_id": each, "revenue": 5,
            "occurred_at": began_ns + at * NS_PER_S + NS_PER_S // 2,
        })
        for at, each in enumerate(named)
    ))  # fmt: skip

    def items(service: RunningService) -> dict[str, dict[str, Any]]:
        found = httpx.get(f"{service.url}/api/v1/health", trust_env=False).json()["items"]
        return {item["name"]: item for item in found}

    def stored(service: RunningService) -> str:
        asked = {"sql": "SELECT count() AS decisions FROM decisions FINAL"}
        return httpx.post(f"{service.url}/api/v1/query", json=asked, trust_env=False).text

    with RunningService(tmp_path) as service:
        url = f"http://127.0.0.1:{service.ready['http_port']}"
        with httpx.Client(base_url=url, trust_env=False) as client:
            assert post(client, trace_request(*spans)).status_code == 200
        until(lambda: "60" in stored(service))
        assert "30 of 59 outcomes" in service.command("import", "outcomes", str(file)).stderr
        assert "outcomes.matched" not in items(service)
    # It looks as it starts, and every five minutes.
    with RunningService(tmp_path) as service:
        until(lambda: "outcomes.matched" in items(service))
        found = items(service)

    matched = found["outcomes.matched"]
    assert (matched["status"], matched["detail"][:17]) == ("warn", "30 of 59 outcomes")
    assert "outcomes.complete" not in found


def test_receiver_that_takes_nothing_is_named(tmp_path: Path) -> None:
    """Eight messages waited, "retried by schedule", and nobody said for whom until they died."""
    state = AlertStore(tmp_path / "alerts.sqlite")
    state.record([Update(firing_state(), event(), (message(),))])
    state.close()
    hooks = [{"name": "router", "url": f"http://127.0.0.1:{free_port()}/", "secret": SECRET}]

    def failing(service: RunningService) -> dict[str, Any]:
        found = httpx.get(f"{service.url}/api/v1/health", trust_env=False).json()["items"]
        return next(each for each in found if each["name"] == "alerts.receivers_failing")

    settings = {
        "MILLWORTH__ALERTS__WEBHOOKS": json.dumps(hooks),
        "MILLWORTH__ALERTS__ALLOWED_HOSTS": json.dumps(["127.0.0.1"]),
    }
    with RunningService(tmp_path, **settings) as service:
        until(lambda: failing(service)["value"])
        found = failing(service)
    assert (found["value"], found["status"]) == (1, "warn")
    assert found["detail"].startswith("not taken by router (")
