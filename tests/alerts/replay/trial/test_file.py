from __future__ import annotations

import pytest

from alerts.replay.trial.file import parse_trial
from collector.core.errors import InputError

TESTS = """tests:
  - name: one
    input_series:
      - {series: decisions, values: 1x5}
    alert_rule_test:
      - {eval_time: 5m, alertname: x}
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("- 1", "f.yaml: is not one mapping", id="a list"),
        pytest.param("a: 1\n---\nb: 2", "is not one mapping", id="two documents"),
        pytest.param("tests: []", "f.yaml:1: tests: should have at least 1", id="no test"),
        pytest.param(TESTS + "x: 1", "f.yaml:1: x: is not known here", id="unknown key"),
        pytest.param(
            TESTS.replace("decisions", "decision"), "f.yaml:4: .*'decision' is not one of arrivals",
            id="unknown series",
        ),
        pytest.param(
            TESTS.replace("decisions", "'decisions{a=\"b\"}'"), "has the labels action, region",
            id="unknown label",
        ),
        pytest.param(TESTS.replace("decisions", "1 + 1"), "is not a series", id="no series"),
        pytest.param(TESTS.replace("decisions", "'{'"), "is not PromQL", id="no PromQL"),
        pytest.param(TESTS.replace("1x5", "-1"), "a value is below zero", id="negative"),
        pytest.param(TESTS.replace("1x5", ".nan"), "'nan' is not a number", id="NaN"),
        pytest.param(TESTS.replace("5m", "5"), "f.yaml:6: .*'5' is not a length", id="5"),
        pytest.param(
            TESTS.replace("5m", "300d") + "evaluation_interval: 1s", "evaluations, more than",
            id="too many",
        ),
        pytest.param(TESTS + "evaluation_interval: 0", "less than a second", id="no interval"),
        pytest.param(TESTS.replace("1x5", "[1, 2]"), "is not a value", id="a list of values"),
        pytest.param(TESTS.replace("name: one", "name: [é]"), "tests.0.name", id="wrong type"),
    ],
)  # fmt: skip
def test_mistake_in_a_file_names_line_and_key(text: str, message: str) -> None:
    """A file of a thousand lines is searched by nobody."""
    with pytest.raises(InputError, match=message):
        parse_trial("f.yaml", text)


def test_file_is_read() -> None:
    """Times are in the units that they name."""
    trial = parse_trial("f.yaml", TESTS)
    assert trial.tests[0].ends_ns == 300 * 10**9
    assert trial.tests[0].input_series[0].values == [1.0] * 6
