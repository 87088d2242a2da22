"""A real Prometheus: it scrapes us, alerts on how our alerting fares, and pushes that to us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from collector.auth.tokens import hash_text
from tests.support.programs import free_port, program, running, within
from tests.support.service import RunningService

pytestmark = pytest.mark.integration

WAIT_S = 60
TOKEN = "mwt_" + "p" * 43
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: millworth
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: ["{target}"]}}]
alerting:
  alertmanagers:
    - authorization: {{credentials: {token}}}
      static_configs: [{{targets: ["{target}"]}}]
"""
RULES = """
groups:
  - name: millworth
    rules:
      - alert: MillworthEvaluates
        expr: millworth_alerts_evaluation_lag_seconds < 3600
        labels: {severity: ticket}
        annotations: {summary: "windows end {{ $value }} s ago"}
"""


def samples(prometheus: str, query: str) -> list[dict[str, Any]]:
    """Return what Prometheus answers to an instant query."""
    said = httpx.get(f"{prometheus}/api/v1/query", params={"query": query})
    if said.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return []  # it listens before it has read its own store
    answer = said.json()
    found: list[dict[str, Any]] = answer["data"]["result"]
    return found


@pytest.mark.alone
def test_prometheus_scrapes_us_and_pushes_to_us(tmp_path: Path) -> None:
    """So it can tell when we are dead, and its alerts stand beside the money."""
    port = free_port()
    token = (
        f'[{{"name": "prometheus", "hash": "{hash_text(TOKEN)}", "scopes": ["read", "alerts"]}}]'
    )
    with RunningService(tmp_path, MILLWORTH__ACCESS__TOKENS=token) as service:
        target = service.url.removeprefix("http://")
        (tmp_path / "prometheus.yml").write_text(CONFIG.format(target=target, token=TOKEN))
        (tmp_path / "rules.yml").write_text(RULES)
        command = [
            program("prometheus"),
            f"--config.file={tmp_path / 'prometheus.yml'}",
            f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        prometheus = f"http://127.0.0.1:{port}"

        def external() -> list[dict[str, Any]]:
            answer = httpx.get(
                f"{service.url}/api/v1/alerts", headers={"authorization": f"Bearer {TOKEN}"}
            )
            found: list[dict[str, Any]] = answer.json()["external"]
            return found

        with running(command, port, tmp_path / "prometheus.log"):
            up = 'up{job="millworth"} == 1'
            assert within(WAIT_S, lambda: len(samples(prometheus, up)) == 1)
            for metric in (
                "millworth_alerts_evaluation_lag_seconds",
                "millworth_alerts_rules",
                "millworth_alerts_last_evaluation_timestamp_seconds",
                "millworth_job_runs_total",
            ):
                assert within(WAIT_S, lambda name=metric: samples(prometheus, name) != [])  # type: ignore[misc]  # mypy infers no type for a default
            assert within(WAIT_S, lambda: external() != [])
            [alert] = external()
    assert alert["labels"] == {
        "alertname": "MillworthEvaluates",
        "severity": "ticket",
        "instance": target,
        "job": "millworth",
    }
    assert alert["annotations"]["summary"].startswith("windows end ")
    assert (alert["sender"], alert["is_firing"]) == ("token prometheus", True)
    assert alert["generator_url"].endswith("tab=1")
