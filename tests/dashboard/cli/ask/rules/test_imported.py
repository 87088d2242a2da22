from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.config import AlertsConfig
from collector.core.times import NS_PER_S
from dashboard.cli.ask.rules.imported import asked, show_imported
from dashboard.cli.ask.rules.main import rules_app
from tests.conftest import NOW_NS
from tests.support.alerts.imported import PROMETHEUS, SLOTH
from tests.support.alerts.scene import HURT, write_seconds
from tests.support.alerts.spans import write_parts, write_spans
from tests.support.alerts.state_api import StateApi

REFUSED = "      - {alert: 'Up \\e[31m', expr: up == 0}\n".replace("'", '"')


def test_lines_that_are_printed_are_settings(tmp_path: Path) -> None:
    """What could not be mapped stands between them as comments, without what drives a terminal."""
    (tmp_path / "a.yaml").write_text(PROMETHEUS + REFUSED)
    (tmp_path / "b.yaml").write_text(SLOTH)
    files = [str(tmp_path / name) for name in ("a.yaml", "b.yaml")]
    answer = CliRunner().invoke(rules_app, ["import", *files, "--no-score"])
    assert answer.exit_code == 0, answer.output
    read = AlertsConfig.model_validate(tomllib.loads(answer.output)["alerts"])
    assert [rule.name for rule in read.rules] == [
        "high-error-rate", "slow-requests", "shop-availability",
    ]  # fmt: skip
    assert "# not mapped: " in answer.output
    assert "Up \\u001b[31m: up is compared as it is, without a rate" in answer.output
    assert "# 3 of 4 rules are mapped" in answer.output


def test_nothing_mapped_exits_with_one(tmp_path: Path) -> None:
    """A build can tell."""
    path = tmp_path / "a.yaml"
    path.write_text("groups: [{rules: [{alert: Up, expr: up == 0}]}]")
    answer = CliRunner().invoke(rules_app, ["import", str(path), "--no-score", "--json"])
    assert answer.exit_code == 1
    [found] = json.loads(answer.output)["found"]
    assert (found["rules"], found["line"]) == ([], 1)


def test_scores_stand_beside_those_of_dollars(
    state_api: StateApi, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a rule, and one of the dollar rule over the same decisions."""
    client, begin_ns = state_api.store.client(), NOW_NS - 3_000 * NS_PER_S
    write_seconds(client, begin_ns, 900, HURT)
    write_seconds(client, begin_ns + 900 * NS_PER_S, 600, HURT, slow_ms=120)
    write_seconds(client, begin_ns + 1_500 * NS_PER_S, 1_200, HURT)
    write_spans(client, begin_ns, [(5, 0)] * 2_700)
    write_parts(client, HURT, "api")
    body = {
        "files": [{"name": "f.yaml", "text": PROMETHEUS}],
        "last": "1h",
        "budget_usd": 5_000.0,
    }

    show_imported(asked(state_api.client, body, as_json=False), as_json=False)

    out = capsys.readouterr().out
    rule = next(line.split() for line in out.splitlines() if line.startswith("high-error-rate "))
    dollars = next(line.split() for line in out.splitlines() if line.startswith("  dollar burn"))
    assert rule[1:5] == ["0.0", "-", "0.00", "3,000.00"]
    assert "5,000.00 USD in 30 d" in " ".join(dollars)
    assert "3,000.00" in dollars
    assert rule[-1] == "api"
