from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dashboard.cli.ask.rules.main import rules_app

TEXT = """
rules: [{name: limit, kind: threshold, figure: rejected, above: 5}]
tests:
  - name: many
    input_series: [{series: 'rejected{reason="[red]bad"}', values: 9x9}]
    alert_rule_test:
      - {eval_time: 5m, alertname: limit, exp_alerts: [{}]}
      - {eval_time: 90s, alertname: limit}
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_failed_expectation_is_printed_and_exits_with_one(tmp_path: Path, as_json: bool) -> None:
    """So that a build stops, and says why."""
    path = tmp_path / "t.yaml"
    path.write_text(TEXT)
    answer = CliRunner().invoke(rules_app, ["test", str(path), *(["--json"] * as_json)])
    assert answer.exit_code == 1
    if as_json:
        [file] = json.loads(answer.output)["files"]
        [failure] = file["failures"]
        assert (file["checked"], failure["at_ns"], failure["expected"]) == (2, 90 * 10**9, [])
        assert failure["got"][0]["labels"]["action"] == "[red]bad"
        return
    assert "many: limit at 1m30s:\n    expected no alert\n    got      firing" in answer.output
    assert "1 of 2 expectations hold" in answer.output


def test_file_whose_expectations_hold_exits_with_zero(tmp_path: Path) -> None:
    """As promtool does."""
    path = tmp_path / "t.yaml"
    path.write_text(TEXT.replace("90s", "0"))
    assert CliRunner().invoke(rules_app, ["test", str(path)]).exit_code == 0
