"""Prometheus itself, over series of the spans that are stored: its rule and ours fire alike."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from alerts.config import AlertsConfig
from alerts.replay.spans import replay_spans
from alerts.replay.stored import read_spans
from alerts.replay.trial.file import TrialFile
from alerts.replay.trial.run import Outcome, run_trial
from alerts.replay.walk import Change, Instants
from alerts.rules.imports.found import Mapped
from alerts.rules.imports.read import RuleFile, read_rules
from alerts.rules.slo import Slo, SloConfig
from alerts.state.transitions import CLOSED, Phase
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.support.alerts.scene import START_NS
from tests.support.alerts.spans import write_spans
from tests.support.programs import program

pytestmark = pytest.mark.integration

BEGIN_NS = START_NS - START_NS % (60 * NS_PER_MINUTE)
MINUTES = 150
SAMPLE_S = 15
BOUNDS_MS = (100, 250, 500)
ACTIVE_PHASES = (Phase.FIRING, Phase.COOLING)

FAILED = 'sum(rate(http_requests_total{job="api",code=~"5.."}[5m]))'
ALL = 'sum(rate(http_requests_total{job="api"}[5m]))'
BY_JOB = {
    "failed": FAILED.replace("sum", "sum by (job)"),
    "all": ALL.replace("sum", "sum by (job)"),
}
# No limit but one is a share that so many requests can have: Prometheus' rounding decides there.
RULES: dict[str, dict[str, Any]] = {
    "Share": {"expr": f"{FAILED} / {ALL} > 0.051", "for": "2m", "keep_firing_for": "3m"},
    "Percent": {
        "expr": "100 * {failed} / {all} >= 20 and {all} > 1".format(**BY_JOB),
    },
    "Good": {
        "expr": f"({ALL} - {FAILED}) / {ALL} < 1 - 0.101",
        "for": "5m",
        "labels": {"severity": "ticket"},
    },
    "TwoWindows": {
        "expr": "(job:errors:rate5m > (14.4 * 0.01) and job:errors:rate1h > (14.4 * 0.01)) or "
        "(job:errors:rate5m > 0.41 and job:errors:rate1h > 0.01 * 41)",
        "keep_firing_for": "2m",
    },
    "Slow": {
        "expr": "histogram_quantile(0.9051, sum by (le) "
        '(rate(http_request_duration_seconds_bucket{job="api"}[10m]))) > 0.25',
        "for": "1m",
    },
    "NotFast": {
        "expr": 'sum(rate(http_request_duration_seconds_bucket{job="api",le="0.1"}[5m])) / '
        'sum(rate(http_request_duration_seconds_count{job="api"}[5m])) < 0.971',
    },
}
RECORDS = [
    {
        "record": f"job:errors:rate{window}",
        "expr": f"{FAILED} / {ALL}".replace("5m", window),
    }
    for window in ("5m", "1h")
]


def story(seed: int) -> list[tuple[int, int]]:
    """Return good and failed requests by second: calm, and incidents of many sizes."""
    draw = random.Random(seed)
    found: list[tuple[int, int]] = []
    while len(found) < MINUTES * 60:
        share = draw.choice([0.0, 0.0, 0.01, 0.08, 0.2, 0.6, 1.0])
        for _ in range(draw.randrange(60, 1_200)):
            failed = sum(draw.random() < share for _ in range(3))
            found.append((3 - failed, failed))
    return found[: MINUTES * 60]


def sampled(store: Connections) -> dict[str, list[int]]:
    """Return counters as a service exports them, of what is stored: a value every 15 s."""
    rows = (
        store.client()
        .query(
            "SELECT toUInt64(toUnixTimestamp64Nano(Timestamp)) + Duration,"
            " SpanAttributes['http.response.status_code'], Duration FROM otel_traces"
        )
        .result_rows
    )
    ends_ns = np.array([row[0] for row in rows], np.int64)
    codes = np.array([row[1] for row in rows])
    durations_ms = np.array([row[2] for row in rows], np.int64) / NS_PER_MS
    at = BEGIN_NS + np.arange(0, MINUTES * 60 + 1, SAMPLE_S, dtype=np.int64) * NS_PER_S

    def counter(which: Any) -> list[int]:  # noqa: ANN401  an array of flags
        found: list[int] = np.searchsorted(np.sort(ends_ns[which]), at, "right").tolist()
        return found

    name = "http_request_duration_seconds"
    return {
        **{
            f'http_requests_total{{job="api",code="{c}"}}': counter(codes == c)
            for c in ("200", "503")
        },
        **{
            f'{name}_bucket{{job="api",le="{bound / 1_000:g}"}}': counter(durations_ms <= bound)
            for bound in BOUNDS_MS
        },
        f'{name}_bucket{{job="api",le="+Inf"}}': counter(codes != ""),
        f'{name}_count{{job="api"}}': counter(codes != ""),
    }


def shown(changes: Iterable[Change]) -> Iterator[Phase]:
    """Yield the state of an alert at the end of each minute."""
    states = {change.transition.at_ns: change.transition.to_state for change in changes}
    phase = Phase.INACTIVE
    for minute in range(1, MINUTES + 1):
        phase = states.get(BEGIN_NS + minute * NS_PER_MINUTE, phase)
        yield phase


def in_trial(rules: Sequence[SloConfig], states: Mapping[str, list[Phase]], seed: int) -> Outcome:
    """Run `millworth rules test` over the same requests, which expects these states."""
    by_sample = np.array(story(seed)).reshape(-1, SAMPLE_S, 2).sum(axis=1)
    series = {"spans": by_sample.sum(axis=1), "bad": by_sample[:, 1]}
    inputs = [
        {"series": f'{name}{{service="api"}}', "values": " ".join(map(str, values))}
        for name, values in series.items()
    ]
    expected = [
        {
            "eval_time": f"{minute}m",
            "alertname": rule.name,
            "exp_alerts": [] if state in CLOSED else [{"state": state.value}],
        }
        for rule in rules
        for minute, state in enumerate(states[rule.name], 1)
    ]
    case = {"interval": f"{SAMPLE_S}s", "input_series": inputs, "alert_rule_test": expected}
    trial = TrialFile.model_validate({"nodata": "300d", "tests": [case]})
    return run_trial(trial, AlertsConfig(rules=tuple(rules), dead_man_seconds=0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_promtool_fires_when_our_replay_does(store: Connections, tmp_path: Path, seed: int) -> None:
    """Six rules of as many forms, minute by minute, over the same requests."""
    write_spans(store.client(), BEGIN_NS, story(seed), failed_ms=300)
    alerts = [{"alert": name, **rule} for name, rule in RULES.items()]
    document = {"groups": [{"name": "all", "interval": "1m", "rules": [*RECORDS, *alerts]}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(document))
    found = read_rules([RuleFile("rules.yaml", (tmp_path / "rules.yaml").read_text())])
    ends_ns = BEGIN_NS + np.arange(1, MINUTES + 1, dtype=np.int64) * NS_PER_MINUTE
    instants = Instants(ends_ns, ends_ns, 10**18)
    expected: list[dict[str, Any]] = []
    states: dict[str, list[Phase]] = {}
    rules = []
    for each in found:
        assert isinstance(each, Mapped), each
        [rule] = each.rules
        spans = read_spans(store, rule, BEGIN_NS, BEGIN_NS + 10**15, NS_PER_S)
        states[rule.name] = list(shown(replay_spans(Slo(rule), spans, instants)))
        rules.append(rule)
        labels = {
            **({"job": "api"} if each.origin.name == "Percent" else {}),
            **RULES[each.origin.name].get("labels", {}),
        }
        expected += [
            {
                "eval_time": f"{minute}m",
                "alertname": each.origin.name,
                "exp_alerts": [{"exp_labels": labels}] if state in ACTIVE_PHASES else [],
            }
            for minute, state in enumerate(states[rule.name], 1)
        ]
    assert [each.origin.name for each in found] == list(RULES)
    pairs = [pair for each in states.values() for pair in itertools.pairwise(each)]
    assert sum(one is not other for one, other in pairs) >= 12
    series = [
        {"series": name, "values": " ".join(map(str, values))}
        for name, values in sampled(store).items()
    ]
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {"interval": f"{SAMPLE_S}s", "input_series": series, "alert_rule_test": expected}
        ],
    }
    (tmp_path / "test.yaml").write_text(json.dumps(test))

    judged = subprocess.run(
        [program("promtool"), "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert judged.returncode == 0, judged.stdout[-4_000:] + judged.stderr[-4_000:]
    outcome = in_trial(rules, states, seed)
    assert (outcome.checked, outcome.failures) == (len(rules) * MINUTES, [])
