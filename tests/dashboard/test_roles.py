"""One role a process: what `up` does over an embedded store, four of them do over a server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from collector.clock import NS_PER_S
from collector.errors import AddressInUseError, ConfigError, MigrationError
from dashboard.cli import app
from dashboard.roles import Role, RoleProcess
from dashboard.settings import Settings
from tests.builders import decision_span, trace_request
from tests.collector.clickhouse_double import Double
from tests.collector.clients import WAIT_S, post
from tests.conftest import ManualClock

pytestmark = pytest.mark.integration


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Double]:
    """Yield a server without tables."""
    with Double(tmp_path / "server") as double:
        yield double


def settings(server: Double, directory: Path) -> Settings:
    """Return the settings that every role is given."""
    return Settings.model_validate(
        {
            "store": {"url": server.config("writer", "secret").url},
            "collector": {"grpc_port": 0, "http_port": 0, "wal_dir": directory / "wal"},
            "alerts": {"state_path": directory / "alerts.sqlite"},
            "dashboard": {"port": 0},
        }
    )


def get(url: str) -> Any:  # noqa: ANN401 - JSON
    """Return what is answered."""
    return httpx.get(url, trust_env=False, timeout=WAIT_S).raise_for_status()


def test_four_processes_do_together_what_one_does(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """A decision goes in at one, is attributed by another, and is read from a third."""
    given = settings(server, tmp_path)
    collect = RoleProcess(Role.COLLECT, given, clock, metrics_port=0)
    assert collect.start().startswith("OTLP on 127.0.0.1:")
    assert collect.collector is not None
    url = f"http://127.0.0.1:{collect.collector.http_port}"
    with httpx.Client(base_url=url, trust_env=False, timeout=WAIT_S) as http:
        root = decision_span(decision_id="d-1", duration_ns=7_000_000)
        assert post(http, trace_request(root)).status_code == 200
    assert collect.collector.flush(WAIT_S)
    metrics = get(f"http://127.0.0.1:{collect.metrics_port}/metrics").text
    assert 'millworth_stored_total{signal="traces"} 1.0' in metrics
    assert collect.stalled() == []

    clock.ns += 60 * NS_PER_S
    others = [RoleProcess(role, given, clock) for role in list(Role)[1:]]
    for other in others:
        other.start()
    attribute, alert, serve = others
    for loop in (*attribute.loops, *alert.loops):
        loop.run_now()
        assert loop.last_error == "", loop.name
    decision = get(f"http://127.0.0.1:{serve.dashboard_port}/api/v1/decisions/d-1").json()

    assert decision["attribution"]["total_ns"] == 7_000_000
    assert [sorted(loop.name for loop in other.loops) for other in others] == [
        ["attribution", "budgets", "experiments", "sizes", "slope"],
        ["alerts", "webhooks"],
        [],
    ]
    assert [other.stalled() for other in others] == [[], [], []]
    assert all(process.stop(WAIT_S) for process in (*others, collect))


def test_role_that_finds_no_schema_says_who_makes_it(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """Two processes that alter one table at once is what is avoided."""
    with pytest.raises(MigrationError, match="the store lacks 0001_create_otel_traces and"):
        RoleProcess(Role.SERVE, settings(server, tmp_path), clock).start()
    assert server.requests("CREATE TABLE") == []


def test_port_of_the_metrics_that_is_taken_is_named(
    server: Double, tmp_path: Path, clock: ManualClock
) -> None:
    """The rest is stopped again, so that another start finds nothing of it."""
    process = RoleProcess(Role.COLLECT, settings(server, tmp_path), clock, metrics_port=server.port)
    with pytest.raises(AddressInUseError, match=f"--metrics-port {server.port} is taken"):
        process.start()


@pytest.mark.parametrize("role", list(Role))
def test_embedded_store_has_one_owner(role: Role, tmp_path: Path) -> None:
    """The line says which command does the work there."""
    config = tmp_path / "millworth.toml"
    config.write_text(f'[store]\nurl = "chdb://{tmp_path}/store"\n')

    result = CliRunner().invoke(app, [str(role), "--config", str(config)])

    assert isinstance(result.exception, ConfigError)
    assert f"`millworth {role}` needs a server in store.url" in str(result.exception)
    assert not (tmp_path / "store").exists()
