from __future__ import annotations

import json
from pathlib import Path

import pytest

from alerts.replay.trial.run import Outcome, described, read_trial, run_trial
from collector.core.errors import InputError
from tests.support.tree import ROOT

HEAD = """
rules:
  - {name: errors, kind: slo, failed: true, keep_firing_s: 0,
     tiers: [{bad_share_max: 0.1, long_window_s: 300}]}
  - {name: rejects, kind: threshold, figure: rejected, above: 5, keep_firing_s: 120}
  - {name: quiet, kind: dead_man, silence_s: 120}
tests:
  - name: story
    input_series:
      - {series: 'spans{service="api"}', values: 100x29}
      - {series: 'bad{service="api"}', values: 0x9 50x4 0x14}
      - {series: 'rejected{reason="bad_id"}', values: 0x9 9 0x19}
      - {series: 'decisions{action="a"}', values: 1x19}
"""


def run(tmp_path: Path, text: str) -> Outcome:
    """Write a file and run its tests."""
    path = tmp_path / "t.yaml"
    path.write_text(text)
    return run_trial(*read_trial(path))


def test_every_kind_is_evaluated_by_its_own_code(tmp_path: Path) -> None:
    """Shares of spans, counts of items, silence of all data."""
    expected = """
    alert_rule_test:
      - {eval_time: 10m, alertname: errors}
      - {eval_time: 12m, alertname: errors, exp_alerts: [{reason: '20.000%'}]}
      - {eval_time: 25m, alertname: errors}
      - {eval_time: 11m, alertname: rejects, exp_alerts: [{exp_labels: {action: bad_id}}]}
      - {eval_time: 16m, alertname: rejects, exp_alerts: [{state: cooling}]}
      - {eval_time: 18m, alertname: rejects}
      - {eval_time: 40m, alertname: quiet, exp_alerts: [{}]}
"""
    outcome = run(tmp_path, HEAD + expected)
    assert [(each.rule, described(each.got)) for each in outcome.failures] == []
    assert outcome.checked == 7


@pytest.mark.parametrize("at", range(1, 30, 4))
@pytest.mark.parametrize("down", ["0", "90s"])
def test_restart_changes_no_alert(tmp_path: Path, at: int, down: str) -> None:
    """States are stored and read back, wherever a restart falls."""
    times = [minute for minute in range(30) if not at <= minute <= at + 2]
    tests = "\n".join(
        f"      - {{eval_time: {minute}m, alertname: {rule}, exp_alerts: [{{state: pending}}]}}"
        for minute in times
        for rule in ("errors", "rejects")
    )
    without = run(tmp_path, f"{HEAD}    alert_rule_test:\n{tests}")
    again = run(
        tmp_path, f"{HEAD}    restart: [{{at: {at}m, down: {down}}}]\n    alert_rule_test:\n{tests}"
    )

    def shown(outcome: Outcome) -> list[tuple[int, str, list[str]]]:
        return [(f.at_ns, f.rule, [alert.state for alert in f.got]) for f in outcome.failures]

    assert shown(again) == shown(without)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        pytest.param("[{}, {}]", 1, id="one too many"),
        pytest.param("[]", 1, id="one too few"),
        pytest.param("[{state: resolved}]", 1, id="another state"),
        pytest.param("[{exp_labels: {action: shop}}]", 1, id="another label"),
        pytest.param("[{loss_usd: 1}]", 1, id="another loss"),
        pytest.param("[{reason: because}]", 1, id="another reason"),
    ],
)
def test_failure_says_what_was_expected_and_what_there_is(
    tmp_path: Path, expected: str, got: int
) -> None:
    """Each is a line, with the reason of the rule."""
    test = f"{{eval_time: 12m, alertname: errors, exp_alerts: {expected}}}"
    [failure] = run(tmp_path, f"{HEAD}    alert_rule_test: [{test}]").failures
    assert (failure.test, failure.rule, failure.at_ns) == ("story", "errors", 720 * 10**9)
    [line] = described(failure.got)
    assert line.startswith("firing action='api' region='' rule='errors' severity='page'")
    assert "bad are 20.000% of 500 spans in 5 min, above 0.1" in line
    assert len(failure.got) == got


def test_rules_may_come_from_the_settings_of_a_service(tmp_path: Path) -> None:
    """Those that are live, named beside the file."""
    (tmp_path / "millworth.toml").write_text(
        '[alerts]\ndead_man_seconds = 60\n[[alerts.rules]]\nname = "burn"\nbudget_usd = 5.0\n'
    )
    text = (
        "rule_files: [millworth.toml]\ntests: [{alert_rule_test: [{eval_time: 1m, alertname: %s}]}]"
    )
    for name in ("burn", "burn-ticket", "dead-man"):
        assert run(tmp_path, text % name).failures == []
    with pytest.raises(InputError, match="no rule is called 'other'; there are dead-man, burn"):
        run(tmp_path, text % "other")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("figure: rejected", "figure: nothing", r"t.yaml:5: rules.1.*figure"),
        ("kind: dead_man", "kind: dead", r"t.yaml:6: rules.2: .*kind 'dead' is not one of"),
        ("name: quiet", "name: errors", r"t.yaml: alerts.*rule errors is there twice"),
        ("tests:", "rule_files: [none.toml]\ntests:", r"none.toml: cannot be read: No such file"),
        ("tests:", "rule_files: [t.yaml]\ntests:", r"t.yaml: is not TOML"),
    ],
)
def test_mistake_in_the_rules_names_where_it_is(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """The line of the file, or the file that it names."""
    tests = "    alert_rule_test: [{eval_time: 1m, alertname: errors}]"
    with pytest.raises(InputError, match=message):
        run(tmp_path, (HEAD + tests).replace(old, new, 1))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    """Whatever is named by mistake, a store of gigabytes too."""
    path = tmp_path / "t.yaml"
    path.write_bytes(b"a: \xff")
    with pytest.raises(InputError, match="is not UTF-8 text at byte 3"):
        read_trial(path)
    path.write_bytes(b"a" * 10_000_000)
    with pytest.raises(InputError, match="has more than 1,048,576 bytes"):
        read_trial(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_trial(tmp_path)


def test_example_of_the_documents_holds() -> None:
    """It is what readers begin from."""
    outcome = run_trial(*read_trial(ROOT / "docs" / "use" / "rules-test.yaml"))
    assert (outcome.checked, outcome.failures) == (11, [])
    assert json.dumps([described(each.got) for each in outcome.failures]) == "[]"
