"""Pure: which spans a selector of a request metric stands for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from alerts.rules.imports.found import UnmappableError
from alerts.rules.imports.outcomes import (
    ERROR,
    FLAG,
    GRPC,
    HTTP,
    SUCCESS,
    Universe,
    is_negative,
    is_pattern,
    spelled,
)

# Of each metric whose name says nothing of one product: its requests are those of any service.
_OF_ANY_SERVICE: Final = frozenset({
    "http_requests", "http_request", "http_request_duration_seconds",
    "http_requests_duration_seconds", "http_request_duration_milliseconds",
    "http_request_duration_ms", "http_server_requests", "http_server_requests_seconds",
    "http_server_request_duration_seconds", "http_server_duration",
    "http_server_duration_milliseconds", "http_server_duration_seconds", "http_response",
    "http_responses", "http_response_time_seconds", "http_request_latency_seconds", "requests",
    "request", "response", "request_duration_seconds", "request_latency_seconds",
    "response_latency_ms", "grpc_server_handled", "grpc_server_handling_seconds",
    "rpc_server_duration", "rpc_server_duration_milliseconds", "rpc_server_duration_seconds",
    "rpc_server_call_duration_seconds", "connect_server_requests",
    "connect_server_requests_duration_seconds", "calls", "duration_milliseconds",
    "duration_seconds", "traces_spanmetrics_calls", "traces_spanmetrics_latency",
    "traces_spanmetrics_latency_seconds", "traces_spanmetrics_duration_milliseconds",
    "traces_spanmetrics_duration_seconds", "traces_span_metrics_calls",
    "traces_span_metrics_duration_milliseconds", "traces_span_metrics_duration_seconds",
    "istio_requests", "istio_request_duration_milliseconds", "traefik_service_requests",
    "traefik_service_request_duration_seconds",
})  # fmt: skip
_SPANMETRICS: Final = ("calls", "traces_span", "duration_milliseconds", "duration_seconds")
_SUFFIXES: Final = ("_total", "_count", "_bucket")
# Before the others: `service_name` is OpenTelemetry's own, `job` is what scrapes are called.
SERVICES: Final = (
    "service_name", "destination_service_name", "destination_service", "destination_workload",
    "destination_canonical_service", "service", "app", "application", "app_kubernetes_io_name",
    "exported_service", "exported_app", "deployment", "container", "exported_job", "job",
)  # fmt: skip
_ROUTES: Final = (
    "span_name", "http_route", "route", "handler", "path", "uri", "endpoint", "http_target", "url",
    "operation", "rpc_method", "grpc_method",
)  # fmt: skip
_METHODS: Final = ("method", "http_method", "http_request_method", "verb", "request_method")
_HTTP_STATUSES: Final = (
    "code", "status", "status_code", "response_code", "http_status_code", "http_status",
    "http_response_status_code", "statuscode", "http_code",
)  # fmt: skip
_GRPC_STATUSES: Final = ("grpc_code", "rpc_grpc_status_code", "grpc_status", "grpc_response_status")
_RESULTS: Final = ("result", "outcome", "classification")
# Where a request ran: spans know it too, but a rule of kind slo does not ask.
PLACES: Final = frozenset({
    "instance", "pod", "namespace", "cluster", "host", "hostname", "node", "zone", "region", "env",
    "environment", "kubernetes_namespace", "destination_workload_namespace", "availability_zone",
})  # fmt: skip
_SAYS_NOTHING: Final = frozenset({"grpc_type", "le", "__name__"})


@dataclass(frozen=True, slots=True)
class Selection:
    """The spans that a selector stands for.

    Args:
        metric: its name without the suffix.
        counts_errors: its name says that it counts what failed.
        target_ms: of a bucket, the duration up to which a span is in it; None: any.
        unit_ms: of a histogram's durations; None: nobody knows.
        window_s: None where no rate was taken of it.
        per_service: each service is compared by itself.
    """

    metric: str
    counts_errors: bool
    is_bucket: bool
    universe: Universe
    outcomes: frozenset[int]
    service: str = ""
    span: str = ""
    method: str = ""
    target_ms: float | None = None
    unit_ms: float | None = None
    window_s: int | None = None
    per_service: bool = True
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def with_remark(self, remark: str) -> Selection:
        """Return the selection with one remark more."""
        return self if remark in self.remarks else replace(self, remarks=(*self.remarks, remark))


def select(name: str, matchers: list[Any], service: str = "") -> Selection:
    """Return the spans that a selector stands for.

    Args:
        name: of the metric.
        matchers: of its labels.
        service: of what names no service itself.

    Raises:
        UnmappableError: its requests have no counterpart among spans.
    """
    metric = next((name.removesuffix(each) for each in _SUFFIXES if name.endswith(each)), name)
    _refuse_others(name, metric)
    found = Selection(
        metric=metric,
        counts_errors=any(
            word in metric.split("_") for word in ("errors", "error", "failed", "failures")
        ),
        is_bucket=name.endswith("_bucket"),
        universe=_universe(metric),
        outcomes=_universe(metric).all,
        unit_ms=_unit_ms(metric),
    )
    for matcher in sorted(matchers, key=lambda each: _rank(each.name)):
        found = _narrowed(found, matcher)
    if not found.service and service:
        found = replace(found, service=service)
    if not found.service and metric not in _OF_ANY_SERVICE:
        raise UnmappableError(
            f"{name} counts requests of one product and the rule names no service; say which "
            "service they are of (--service)"
        )
    return found


def _refuse_others(name: str, metric: str) -> None:
    if name.endswith("_sum"):
        raise UnmappableError(
            f"{name} makes a mean of durations; state the share that takes longer than a target"
        )
    words = set(metric.replace(":", "_").split("_"))
    if "client" in words:
        raise UnmappableError(f"{name} counts calls that are made, not requests that are answered")
    counts = {"request", "requests", "handled", "handling", "response", "responses", "calls"}
    if metric in _OF_ANY_SERVICE or words & counts:
        return
    raise UnmappableError(f"{name} does not count requests: spans have no counterpart of it")


def _universe(metric: str) -> Universe:
    if metric.startswith(("grpc_", "rpc_", "connect_")):
        return GRPC
    return FLAG if metric.startswith(_SPANMETRICS) else HTTP


def _unit_ms(metric: str) -> float | None:
    if metric.endswith("_seconds") or metric == "traces_spanmetrics_latency":
        return 1_000.0
    if metric.endswith(("_milliseconds", "_ms")) or metric in (
        "http_server_duration",
        "rpc_server_duration",
    ):
        return 1.0
    return None


def _rank(label: str) -> int:
    return SERVICES.index(label) if label in SERVICES else len(SERVICES)


def _narrowed(found: Selection, matcher: Any) -> Selection:  # noqa: ANN401, C901  a matcher of the parser; one branch a family of labels
    label, value = str(matcher.name), str(matcher.value)
    if label == "le":
        return _in_bucket(found, matcher)
    if label == "span_kind":
        servers = ("SPAN_KIND_SERVER", "server", "Server")
        if is_negative(matcher) == any(spelled(matcher, servers)):
            raise UnmappableError(f"{matcher}: only spans of the kind server are counted here")
        return found
    if label == "reporter":
        if value == "source" and not is_negative(matcher):
            raise UnmappableError(f"{matcher} counts calls that are made, not those answered")
        return found
    if label == "quantile":
        raise UnmappableError(f"{matcher} is a quantile that was computed elsewhere")
    if label in _SAYS_NOTHING or _matches_all(matcher):
        return found
    if universe := _outcome_label(found, label):
        return _with_outcomes(found, universe, matcher)
    if label in SERVICES:
        return _of_service(found, matcher)
    if label in _METHODS and found.universe is not GRPC:
        return _exactly(found, matcher, "method", value.upper())
    if label in _ROUTES or label in _METHODS:
        return _exactly(found, matcher, "span", value)
    if label == "grpc_service" and not is_negative(matcher) and not is_pattern(matcher):
        # OpenTelemetry names the spans of gRPC package.Service/Method.
        return (
            replace(found, span=f"{value}/{found.span}")
            if found.span
            else found.with_remark(f"{matcher} is left out: all spans of the service count")
        )
    return found.with_remark(f"{matcher} is left out: spans are not asked for it")


def _outcome_label(found: Selection, label: str) -> Universe | None:
    if label in _GRPC_STATUSES or (found.universe is GRPC and label in ("code", "status_code")):
        return GRPC
    if label in _HTTP_STATUSES:
        return found.universe if found.universe in (HTTP, FLAG) else HTTP
    if label in ("error", "is_error"):
        return ERROR
    if label == "success":
        return SUCCESS
    return FLAG if label in _RESULTS else None


def _with_outcomes(found: Selection, universe: Universe, matcher: Any) -> Selection:  # noqa: ANN401  a matcher of the parser
    before = found.outcomes if universe is found.universe else universe.all
    if universe is not found.universe and found.outcomes != found.universe.all:
        raise UnmappableError(f"{matcher} is the second label that says how requests ended")
    outcomes = before & universe.selected(matcher)
    if not outcomes:
        raise UnmappableError(f"{matcher} selects no outcome that requests of its kind have")
    return replace(found, universe=universe, outcomes=outcomes)


def _of_service(found: Selection, matcher: Any) -> Selection:  # noqa: ANN401  a matcher of the parser
    if is_negative(matcher):
        return found.with_remark(f"{matcher} is left out: that service is compared too")
    if is_pattern(matcher):
        raise UnmappableError(
            f"{matcher} names several services; a rule is of one, of each by itself or of all"
        )
    if found.service:
        if found.service == matcher.value:
            return found
        return found.with_remark(f"{matcher} is left out: the service is {found.service}")
    return replace(found, service=str(matcher.value))


def _exactly(found: Selection, matcher: Any, setting: str, value: str) -> Selection:  # noqa: ANN401  a matcher of the parser
    if is_negative(matcher):
        return found.with_remark(f"{matcher} is left out: such spans count too")
    if is_pattern(matcher):
        raise UnmappableError(f"{matcher} names several; a rule is of one {setting}, or of all")
    if setting == "method":
        return replace(found, method=value)
    return replace(found, span=value)


def _in_bucket(found: Selection, matcher: Any) -> Selection:  # noqa: ANN401  a matcher of the parser
    if is_negative(matcher) or is_pattern(matcher):
        raise UnmappableError(f"{matcher} names several buckets; a target is one")
    if matcher.value in ("+Inf", "Inf"):
        return replace(found, target_ms=None)
    if found.unit_ms is None:
        raise UnmappableError(f"{found.metric} does not say the unit of its durations")
    try:
        bound = float(matcher.value)
    except ValueError as error:
        raise UnmappableError(f"{matcher} is not a duration") from error
    if not 0 < bound * found.unit_ms < 1e9:
        raise UnmappableError(f"{matcher} is not a duration that a target can be")
    return replace(found, target_ms=bound * found.unit_ms)


def _matches_all(matcher: Any) -> bool:  # noqa: ANN401  a matcher of the parser
    return str(matcher.value) in (".*", ".+") and not is_negative(matcher)
