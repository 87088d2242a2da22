"""`millworth migrate`: an operator sees each statement before it is sent."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from collector.store.connect import Connections
from dashboard.cli.main import app


def test_dry_run_prints_what_a_run_then_sends(empty_store: Connections, tmp_path: Path) -> None:
    """Nothing is there after it; after the run nothing is left to do."""
    settings = tmp_path / "millworth.toml"
    config = empty_store.config
    settings.write_text(
        f'[store]\nurl = "{config.url}"\ndatabase = "{config.database}"\n'
        "[retention]\npackets_days = 7\n"
    )

    def run(*options: str) -> str:
        result = CliRunner().invoke(app, ["migrate", *options, "--config", str(settings)])
        assert result.exit_code == 0, result.output
        return result.stdout

    printed = run("--dry-run")
    tables = empty_store.client().query("SHOW TABLES").result_rows
    planned = json.loads(run("--dry-run", "--json"))
    done = json.loads(run("--json"))

    assert tables == []
    assert "-- otlp/001_create_otel_traces\n" in printed
    assert "\nCREATE TABLE IF NOT EXISTS otel_traces  (\n" in printed
    assert "CREATE MATERIALIZED VIEW decisions_mv" in printed
    assert [one["name"] for one in planned["statements"]] == done["migrations"]
    assert printed.count(";\n") == len(done["migrations"])
    assert "packets" in done["retention"]
    assert run() == "nothing to do: the schema is current\n"
