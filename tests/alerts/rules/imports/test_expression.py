"""What expressions say of requests: the settings that each becomes, or why it becomes none."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.rules.imports.expression import Reading, Record
from alerts.rules.imports.found import UnmappableError
from alerts.rules.imports.rule import Meta, from_conditions

ERRORS = 'sum(rate(http_requests_total{job="api",code=~"5.."}[5m]))'
ALL = 'sum(rate(http_requests_total{job="api"}[5m]))'
QUANTILE = "histogram_quantile(0.99, sum(rate(http_request_duration_seconds_bucket[5m])) by (le))"
FIVE = [{"bad_share_max": 0.05, "long_window_s": 300}]
API = {"service": "api", "failed": True, "tiers": FIVE}
BY_SERVICE = "it compares each series by itself: here each service"


def read(text: str, **changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:  # noqa: ANN401  of Reading
    """Return the settings that an expression becomes, and the remarks."""
    rule, remarks = from_conditions(Reading(**changes).value(text), Meta("x"))
    settings = rule.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    for key in ("name", "keep_firing_s"):
        settings.pop(key)
    return settings, remarks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"{ERRORS} / {ALL} > 0.05", API, id="share"),
        pytest.param(f"{ERRORS} / {ALL} * 100 > 5", API, id="percent"),
        pytest.param(
            f"{ERRORS} / {ALL} >= 0.05",
            {**API, "tiers": [{"bad_share_max": 0.049999999, "long_window_s": 300}]},
            id="reached",
        ),
        pytest.param(f"5 < 100 * ({ERRORS} / {ALL})", API, id="turned"),
        pytest.param(f"1 - ({ERRORS} / {ALL}) < 0.95", API, id="complement"),
        pytest.param(f"({ALL} - {ERRORS}) / {ALL} < 1 - 0.05", API, id="what is left"),
        pytest.param(f"{ERRORS} / {ALL} > (14.4 * 0.001) / 14.4 * 50", API, id="constants"),
        pytest.param(f"({ERRORS} or vector(0)) / ({ALL} > 0) > 0.05", API, id="no series"),
        pytest.param(f"{ERRORS} / {ALL} > 0.05 and {ALL} > 0", API, id="some requests"),
        pytest.param(
            f"{ERRORS} / {ALL} > 0.05 and {ALL} > 0.5", {**API, "spans_min": 151}, id="enough"
        ),
        pytest.param(
            f"label_replace(max({ERRORS} / {ALL} > 0.05), 'a', 'b', 'c', 'd')", API, id="wrapped"
        ),
        pytest.param(
            'sum(increase(http_requests_total{job="api",status=~"2..|3.."}[5m])) / '
            'sum(increase(http_requests_total{job="api"}[5m])) < 0.95',
            {**API, "bad_statuses": [[100, 199], [400, 499]]},
            id="good statuses",
        ),
        pytest.param(
            'sum(rate(http_requests_total{code="429"}[5m])) by (job)'
            " / sum(rate(http_requests_total[5m])) by (job) > 0.05",
            {"bad_statuses": [[429, 429]], "tiers": FIVE},
            id="by service",
        ),
        pytest.param(
            'sum(rate(calls_total{span_name="GET /",status_code="STATUS_CODE_ERROR"}[5m]))'
            ' / sum(rate(calls_total{span_name="GET /"}[5m])) > 0.05',
            {"together": True, "span": "GET /", "failed": True, "tiers": FIVE},
            id="metrics of spans",
        ),
        pytest.param(
            f"{QUANTILE} > 0.5",
            {
                "together": True,
                "target_ms": 500.0,
                "tiers": [{"bad_share_max": 0.01, "long_window_s": 300}],
            },
            id="quantile",
        ),
        pytest.param(
            'sum(rate(http_request_duration_seconds_bucket{job="api",le="0.3",method="get"}[5m]))'
            ' / sum(rate(http_request_duration_seconds_count{job="api",method="get"}[5m])) < 0.95',
            {"service": "api", "method": "GET", "target_ms": 300.0, "tiers": FIVE},
            id="fast enough",
        ),
        pytest.param(
            'sum(rate(http_request_duration_seconds_bucket{job="api",code=~"2..",le="0.3"}[5m])) / '
            'sum(rate(http_request_duration_seconds_count{job="api",code=~"2.."}[5m])) < 0.95',
            {
                "service": "api",
                "counted_statuses": [[200, 299]],
                "target_ms": 300.0,
                "tiers": FIVE,
            },
            id="fast among the good",
        ),
        pytest.param(
            f"{ERRORS} / {ALL} > 0.05 and {ERRORS.replace('5m', '1h')} / {ALL.replace('5m', '1h')}"
            " > 0.05",
            {**API, "tiers": [{**FIVE[0], "long_window_s": 3_600, "short_window_s": 300}]},
            id="two windows",
        ),
        pytest.param(
            f"{ERRORS} / {ALL} > 0.05 or {ERRORS.replace('5m', '1h')} / {ALL.replace('5m', '1h')}"
            " > 0.01",
            {**API, "tiers": [*FIVE, {"bad_share_max": 0.01, "long_window_s": 3_600}]},
            id="alternatives",
        ),
    ],
)
def test_expression_becomes_settings(text: str, expected: dict[str, Any]) -> None:
    """Exactly: nothing of it is left out."""
    assert read(text) == (expected, ())


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        (
            'rate(http_requests_total{code=~"5.."}[5m]) / rate(http_requests_total[5m]) > 0.05',
            BY_SERVICE,
        ),
        (f"{ERRORS.replace('job', 'namespace')} / {ALL.replace('job', 'namespace')} > 0.05",
         'namespace="api" is left out'),
        (f"{ERRORS} by (instance) / {ALL} by (instance) > 0.05", "by (instance): here by service"),
        (f"{ERRORS} without (pod) / {ALL} without (pod) > 0.05", "without (pod): here by service"),
        (f"{ERRORS} / {ALL} > 0.05".replace("rate", "irate"), "irate sees"),
        (
            'sum(rate(grpc_server_handled_total{job="api",grpc_code!="OK"}[5m]))'
            ' / sum(rate(grpc_server_handled_total{job="api"}[5m])) > 0.05',
            "what the spans' status says",
        ),
        (
            'sum(rate(http_request_errors_total{job="api"}[5m])) / '
            'sum(rate(http_requests_total{job="api"}[5m])) > 0.05',
            "counts what failed",
        ),
        (
            ERRORS.replace("job", 'handler!="/metrics",job') + " / "
            + ALL.replace("job", 'handler!="/metrics",job') + " > 0.05",
            'handler!="/metrics" is left out',
        ),
    ],
)  # fmt: skip
def test_what_differs_is_said(text: str, remark: str) -> None:
    """A rule that is nearly the same is worth a look, and not to be taken for the same."""
    _, remarks = read(text)
    assert any(remark in each for each in remarks), remarks


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not PromQL"),
        ("up == 0", "up is compared as it is, without a rate"),
        ("absent(up)", "absent() has no counterpart"),
        (f"{ERRORS} / {ALL} > 0.05 unless {ALL} > 9", "`unless` takes alerts away"),
        (f"{ERRORS.replace(']', '] offset 1d')} / {ALL} > 0.05", "`offset` compares"),
        (f"{ERRORS.replace(']', '] @ 0')} / {ALL} > 0.05", "`@` evaluates at one instant"),
        (f"max_over_time(({ERRORS} / {ALL})[1h:1m]) > 0.05", "max_over_time()"),
        ("sum(http_requests_total[5m:1m]) > 1", "not PromQL"),
        (f"{ERRORS} / {ALL} > bool 0.05", "`bool` gives a value whether or not"),
        (f"{ERRORS} / {ALL} > NaN", "nan is not a number"),
        (f"{ERRORS} / {ALL} > Inf", "inf is not a number"),
        (f"{ERRORS} / {ALL} > 1 / 0", "1 / 0 is not a number"),
        (f"{ERRORS} / {ALL} > 5", "a share of 5, which no share of requests passes"),
        (f"{ERRORS} / {ALL} > -1", "a share of -1"),
        (f"{ERRORS} / {ALL} >= 0", "it fires always"),
        (f"{ERRORS} / ({ALL} * 0) > 0.1", "it multiplies by nothing"),
        (f"{ERRORS} / {ALL} * 0 > 0.1", "it multiplies by nothing"),
        (f"{ERRORS} / 1e-320 / ({ALL} / 1e320) > 0.1", "PromQL|inf|nothing|not a number"),
        (f"{ERRORS} / {ALL} < 0.05", "it fires where few requests fail"),
        (f"{ERRORS} / {ALL}", "it compares nothing"),
        (f"{ERRORS} > 5", "it counts requests"),
        (f"{ALL} < 5", "few requests"),
        (f"{ERRORS} / {ALL} == 0.05", "`==` is not a limit"),
        (f"{ALL} / {ALL} > 0.05", "select the same requests"),
        (f"{ERRORS} / {ALL.replace('5m', '1h')} > 0.05", "windows of different lengths"),
        (f"{ERRORS} / {ALL.replace('api', 'shop')} > 0.05", "the service of what it divides"),
        (f"{ERRORS} by (job) / {ALL.replace('5m', '6m')} > {ALL}", "compares two series|windows"),
        (ERRORS.replace('="api"', '=~"a|b"') + f" / {ALL} > 0.05", "names several services"),
        (f"{ERRORS} by (handler) / {ALL} by (handler) > 0.05", "grouped by handler"),
        (f"{ERRORS} * {ALL} > 0.05", "multiplies|makes no share"),
        ("rate(nginx_http_requests_total[5m]) / rate(nginx_http_requests_total[5m]) > 0.05",
         "of one product and the rule names no service"),
        ("rate(http_client_requests_total[5m]) > 1", "counts calls that are made"),
        ("rate(node_cpu_seconds_total[5m]) > 1", "does not count requests"),
        ("rate(http_request_duration_seconds_sum[5m]) > 1", "makes a mean of durations"),
        (QUANTILE.replace("0.99", "1.5") + " > 0.5", "is not a share of requests"),
        (QUANTILE + " > 0", "is not a duration"),
        (QUANTILE.replace("_seconds", "") + " > 0.5", "does not say the unit|product"),
        (
            'sum(rate(grpc_server_handled_total{job="a",grpc_code="ResourceExhausted"}[5m])) / '
            'sum(rate(grpc_server_handled_total{job="a"}[5m])) > 0.01', "which gRPC code",
        ),
        ("(" * 100 + "1" + ")" * 100 + " > bool 0", "nested more than"),
        ('sum(rate({__name__=~"http.*"}[5m])) / sum(rate({a="b"}[5m])) > 0.1', "names no metric"),
        (f"{ERRORS} / {ALL} > 0.05 and {ERRORS} / {ALL} > 0.01", "two different shares"),
        (f"quantile(0.9, {ERRORS} / {ALL}) > 0.05", "quantile() of requests"),
        ('"text"', "a text"),
    ],
)  # fmt: skip
def test_what_spans_have_no_counterpart_of_is_refused(text: str, reason: str) -> None:
    """Each with its reason: nobody has to guess what would be watched."""
    with pytest.raises(UnmappableError) as caught:
        read(text)
    assert any(each in str(caught.value) for each in reason.split("|")), str(caught.value)


def test_recorded_series_are_resolved() -> None:
    """By name and labels, in any number of steps, but not from themselves."""
    records = [
        Record("errors:rate5m", {"slo": "a"}, ERRORS),
        Record("errors:rate5m", {"slo": "b"}, ERRORS.replace("5..", "4..")),
        Record("ratio:rate5m", {}, f'errors:rate5m{{slo="a"}} / ignoring (slo) {ALL}'),
        Record("budget", {}, "vector(1 - 0.95)"),
        Record("loop", {}, "loop + 1"),
    ]
    assert read("ratio:rate5m > on () group_left () 0.05", records=records) == (API, ())
    for text, reason in (
        ("errors:rate5m > 1", "is recorded by 2 rules"),
        ('errors:rate5m{slo="c"} > 1', "is recorded by 0 rules"),
        ("loop > 1", "is recorded from itself"),
        ("ratio:rate5m offset 1h > 1", "`offset`"),
    ):
        with pytest.raises(UnmappableError, match=reason):
            read(text, records=records)


def test_service_may_be_given_from_outside() -> None:
    """Of what names none: the rules of one product are of one service."""
    failed = 'sum(rate(nginx_http_requests_total{status=~"5.."}[5m]))'
    text = f"{failed} / sum(rate(nginx_http_requests_total[5m])) > 0.05"
    assert read(text, service="edge") == ({**API, "service": "edge"}, ())
    assert read(f"{ERRORS} / {ALL} > 0.05", service="edge") == (API, ())
