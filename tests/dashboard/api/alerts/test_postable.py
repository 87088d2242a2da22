from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.people.external import PostedAlert
from collector.core.errors import InputError
from collector.core.times import NS_PER_S
from dashboard.api.alerts.postable import ALERTS_MAX, LABEL_MAX, PAIRS_MAX, parse_alerts

GOOD: dict[str, Any] = {
    "labels": {"alertname": "HighErrors", "team": ""},
    "annotations": {"summary": "5 % of requests fail"},
    "generatorURL": "http://prometheus.example/graph",
    "startsAt": "2033-05-18T03:33:20.000000001Z",
    "endsAt": "2033-05-18T05:33:30+02:00",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(list(GOOD.values())),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner),
)


def test_alert_is_read_as_prometheus_sends_it() -> None:
    """An empty label is none; instants keep their nanoseconds."""
    alerts, problems = parse_alerts(json.dumps([GOOD]).encode())

    assert problems == []
    assert alerts == [
        PostedAlert(
            labels={"alertname": "HighErrors"},
            annotations={"summary": "5 % of requests fail"},
            generator_url="http://prometheus.example/graph",
            starts_ns=2_000_000_000 * NS_PER_S + 1,
            ends_ns=2_000_000_010 * NS_PER_S,
        )
    ]


def test_instants_may_be_left_out() -> None:
    """Go sends the year 1 for a time that is not there."""
    for left_out in ({}, {"startsAt": "0001-01-01T00:00:00Z", "endsAt": ""}):
        [alert], _ = parse_alerts(json.dumps([{"labels": {"a": "b"}, **left_out}]).encode())
        assert (alert.starts_ns, alert.ends_ns) == (None, None)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param({"labels": {}}, "no labels", id="no labels"),
        pytest.param({"labels": {"a": ""}}, "no labels", id="an empty label is none"),
        pytest.param({"labels": {"a": 1}}, "labels.a is a int", id="a number"),
        pytest.param({"labels": {"a": "b" * (LABEL_MAX + 1)}}, "characters", id="too long"),
        pytest.param({"labels": {"a\n": "b"}}, "control characters", id="a name with a newline"),
        pytest.param({"labels": {"": "b"}}, "is empty", id="no name"),
        pytest.param(
            {"labels": {str(n): "b" for n in range(PAIRS_MAX + 1)}}, "65 pairs", id="too many"
        ),
        pytest.param({"startsAt": "yesterday"}, "startsAt", id="no instant"),
        pytest.param({"startsAt": "2033-05-18T03:33:20"}, "startsAt", id="whose clock?"),
        pytest.param({"endsAt": "2033-05-18T03:33:10Z"}, "before", id="an end before its start"),
        pytest.param({"generatorURL": "x" * 3_000}, "characters", id="a long address"),
    ],
)
def test_alert_that_is_wrong_is_said_and_the_others_are_kept(
    broken: dict[str, Any], said: str
) -> None:
    """As Alertmanager does: a 400 is not that nothing happened."""
    alerts, [problem] = parse_alerts(json.dumps([{**GOOD, **broken}, GOOD]).encode())
    assert len(alerts) == 1
    assert problem.startswith("alert 0: ")
    assert said in problem


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[" * 100_000, b"\xff", b'"x"'])
def test_what_is_no_list_is_refused(content: bytes) -> None:
    """Nothing of it can be kept."""
    with pytest.raises(InputError, match=r"JSON|list"):
        parse_alerts(content)


def test_list_is_bounded() -> None:
    """A request takes a moment, whatever is in it."""
    with pytest.raises(InputError, match="1,001 alerts"):
        parse_alerts(json.dumps([GOOD] * (ALERTS_MAX + 1)).encode())


@given(JSON)
def test_any_json_is_read_or_refused(found: object) -> None:
    """No sender's text ends a request in any other way."""
    try:
        alerts, _ = parse_alerts(json.dumps(found).encode())
    except InputError:
        return
    for alert in alerts:
        assert alert.labels
        assert len(alert.fingerprint) == 32
