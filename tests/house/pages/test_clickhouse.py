"""docs/operate/clickhouse.md: the move, from an embedded store to a server's double."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.core.clock import SystemClock
from tests.support.builders import span, trace_request
from tests.support.clickhouse.double import Double
from tests.support.docs.pages import PageShell, await_rows, blocks
from tests.support.docs.systemd import Machine

pytestmark = pytest.mark.integration

PAGE = "docs/operate/clickhouse.md"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Yield a machine whose log and alerts lie where the page says."""
    state = tmp_path / "state"
    there = Machine(
        tmp_path,
        MILLWORTH__COLLECTOR__WAL_DIR=str(state / "wal"),
        MILLWORTH__ALERTS__STATE_PATH=str(state / "alerts.sqlite"),
    )
    yield there
    there.close()


def send(machine: Machine, number: int) -> None:
    """Send one span."""
    one = span(trace_id=f"{number:032x}", start_ns=SystemClock().now_ns())
    httpx.post(
        f"{machine.http_url}/v1/traces",
        content=trace_request(one).SerializeToString(),
        headers={"content-type": "application/x-protobuf"},
        timeout=60,
    ).raise_for_status()


def test_keys_move_and_rows_stay(machine: Machine) -> None:
    """The new store begins empty, tokens are those of before, and the old store can be read."""
    shell = PageShell(machine.home, machine.environment, {"systemctl": machine.systemctl})
    move, _units, look = blocks(PAGE, "sh")
    shell.run("systemctl start millworth")
    send(machine, 1)
    await_rows(machine, "SELECT count() FROM otel_traces", 1)
    tokens = json.loads(shell.run("millworth identifiers tokens ana --json"))

    with Double(machine.home / "server") as server:
        secrets = machine.home / "secrets.env"
        printed = shell.run(
            move,
            SECRETS=secrets,
            SERVER=f"127.0.0.1:{server.port}",
            WRITER="writer:secret",
            READER="writer:secret",
        )
        assert '{"count()": 0}' in printed
        assert secrets.stat().st_mode & 0o077 == 0
        send(machine, 2)
        await_rows(machine, "SELECT count() FROM otel_traces", 1)
        assert json.loads(shell.run("millworth identifiers tokens ana --json")) == tokens
        assert '{"count()": 1}' in shell.run(look, OLD=machine.state / "store")
        shell.run("systemctl stop millworth")


def test_statements_of_the_page_are_clickhouses(tmp_path: Path) -> None:
    """The engine's own parser knows every right by name; users themselves are the server's."""
    statements = [each.strip() for each in "".join(blocks(PAGE, "sql")).split(";") if each.strip()]
    assert len(statements) == 8
    with Double(tmp_path) as server:
        for statement in statements:
            answer = httpx.post(
                f"http://127.0.0.1:{server.port}/", content=f"EXPLAIN AST {statement}", timeout=60
            )
            assert answer.status_code == 200, f"{statement}: {answer.text}"
        wrong = httpx.post(
            f"http://127.0.0.1:{server.port}/", content="EXPLAIN AST GRANT READD ON *.* TO a"
        )
        assert wrong.status_code != 200
