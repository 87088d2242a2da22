"""The rule over shares of bad spans: which spans count and which are bad, and the comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rules import slo
from alerts.rules.kinds import rule_of
from alerts.rules.slo import NO_SPANS, Slo, SloConfig, SpanCount, SpanFacts, span_filter
from alerts.state.subject import ALL, Subject
from alerts.state.transitions import Status, first_state
from collector.core.sql import sql
from collector.core.times import NS_PER_MS, NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.alerts.builders import moment
from tests.support.builders import span, store_blocks, trace_request
from tests.support.examples import examples

API = Subject("api", "")
PAIR = {"bad_share_max": 0.1, "long_window_s": 3_600, "short_window_s": 300}


def config(**changes: object) -> SloConfig:
    """Return a rule that fires where more than a tenth of an hour and of five minutes failed."""
    fields: dict[str, Any] = {"name": "errors", "failed": True, "tiers": [PAIR], **changes}
    return SloConfig.model_validate(fields)


def facts(store: Connections, rule: SloConfig) -> SpanFacts:
    """Return what the rule reads now."""
    return Slo(rule).read(AlertReader(store, Calendars(()).budget_factor), moment(), {})


def answer(store: Connections, ago_s: float, service: str = "api", **changes: Any) -> None:  # noqa: ANN401  any field of a span
    """Store one span that ended some seconds ago."""
    duration_ns = changes.pop("duration_ns", 5 * NS_PER_MS)
    start_ns = NOW_NS - round(ago_s * NS_PER_S) - duration_ns
    made = span(start_ns=start_ns, duration_ns=duration_ns, **changes)
    store_blocks(store, trace_request(made, service=service))


def count(found: SpanFacts, seconds: int, subject: Subject = API) -> tuple[int, int]:
    """Return the spans and the bad ones of one window."""
    window = found.by_subject[subject].window(seconds)
    return window.spans, window.bad


def test_spans_count_in_the_windows_in_which_they_ended(store: Connections) -> None:
    """A minute, ten minutes and two hours ago; those of other kinds are calls of the same work."""
    answer(store, 60, error=True)
    answer(store, 600)
    answer(store, 7_200, error=True)
    answer(store, 60, kind="client", error=True)
    answer(store, 60, kind="internal")
    answer(store, 60, kind="consumer")
    answer(store, 60, service="shop")

    found = facts(store, config())

    assert count(found, 300) == (2, 1)
    assert count(found, 3_600) == (3, 1)
    assert found.by_subject[API].window(300).newest_ns == NOW_NS - 60 * NS_PER_S
    assert set(Slo(config()).subjects(found)) == {API, Subject("shop", "")}
    together = facts(store, config(together=True))
    assert count(together, 300, Subject(ALL, "")) == (3, 1)
    assert set(facts(store, config(service="shop")).by_subject) == {Subject("shop", "")}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, (5, 1), id="failed"),
        pytest.param({"failed": False, "target_ms": 100}, (5, 1), id="slow"),
        pytest.param({"target_ms": 100}, (5, 2), id="failed or slow"),
        pytest.param({"failed": False, "bad_statuses": [[429, 429]]}, (5, 1), id="a status"),
        pytest.param({"failed": False, "bad_statuses": [[429, 599]]}, (5, 2), id="of either name"),
        pytest.param({"counted_statuses": [[200, 299], [500, 599]]}, (3, 1), id="some count"),
        pytest.param({"span": "GET /price"}, (4, 1), id="name"),
        pytest.param({"span": "/cart"}, (1, 0), id="route"),
        pytest.param({"method": "POST"}, (1, 0), id="method"),
    ],
)
def test_settings_say_which_spans_are_bad(
    store: Connections, changes: dict[str, object], expected: tuple[int, int]
) -> None:
    """Five spans: one failed, one slow, one refused, one of another route, one without a status."""
    answer(store, 60, error=True, attributes={"http.response.status_code": "503"})
    answer(store, 60, duration_ns=200 * NS_PER_MS, attributes={"http.status_code": "200"})
    answer(store, 60, attributes={"http.status_code": "429"})
    cart = {"http.route": "/cart", "http.request.method": "POST", "http.status_code": "200"}
    answer(store, 60, name="POST /cart", attributes=cart)
    answer(store, 60, attributes={"http.status_code": "none"})
    assert count(facts(store, config(**changes)), 300) == expected


@pytest.mark.parametrize(
    ("changes", "needs"),
    [
        pytest.param({}, False, id="failed"),
        pytest.param({"bad_statuses": [[429, 429]]}, True, id="a status"),
    ],
)
def test_attributes_are_read_where_they_are_asked_for(
    store: Connections, changes: dict[str, object], needs: bool
) -> None:
    """They are most of a span: days of them once a minute is what nobody should pay for nothing."""
    answer(store, 60)
    instants = {"from_ns": 0, "end_ns": NOW_NS, "starts_ns": [0]}
    plan = store.client().query(
        f"EXPLAIN header = 1 {sql('span_rings', slo.__file__)}",
        parameters={**instants, **span_filter(config(**changes))},
    )
    lines = [str(line) for (line,) in plan.result_rows]
    reads = next(at for at, line in enumerate(lines) if "ReadFrom" in line)
    assert any("SpanAttributes" in line for line in lines[reads:]) is needs


@dataclass(frozen=True)
class Counts:
    """Windows by their length."""

    of: Mapping[int, SpanCount]

    def window(self, seconds: int) -> SpanCount:
        """Return one."""
        return self.of.get(seconds, NO_SPANS)


def judged(rule: SloConfig, long: SpanCount, short: SpanCount) -> tuple[Status, str]:
    """Return the verdict of one evaluation."""
    found = SpanFacts(moment(), {API: Counts({3_600: long, 300: short})})
    evaluation = Slo(rule).evaluate(found, first_state(rule.name, API, NOW_NS))
    return evaluation.seen.status, evaluation.reason


@pytest.mark.parametrize(
    ("changes", "long", "short", "status", "reason"),
    [
        pytest.param(
            {}, (100, 11), (10, 2), Status.BREACHED,
            "bad are 11.000% of 100 spans in 60 min and 20.000% of 10 spans in 5 min, above 0.1",
            id="both windows",
        ),
        pytest.param({}, (100, 10), (10, 2), Status.OK, "not above 0.1", id="at the limit"),
        pytest.param({}, (100, 50), (10, 0), Status.OK, "0.000% of 10", id="over by now"),
        pytest.param(
            {}, (100, 50), (0, 0), Status.NO_DATA, "0 spans in 5 min, fewer than 1", id="no spans"
        ),
        pytest.param(
            {"spans_min": 20}, (100, 50), (10, 9), Status.NO_DATA, "fewer than 20", id="too few"
        ),
        pytest.param(
            {"tiers": [{"bad_share_max": 0, "long_window_s": 300}]}, (9, 0), (9, 1),
            Status.BREACHED, "bad are 11.111% of 9 spans in 5 min, above 0", id="any at all",
        ),
    ],
)  # fmt: skip
def test_share_is_compared_in_every_window(
    changes: dict[str, object],
    long: tuple[int, int],
    short: tuple[int, int],
    status: Status,
    reason: str,
) -> None:
    """An alert says what it counted."""
    found = judged(config(**changes), SpanCount(*long, NOW_NS), SpanCount(*short, NOW_NS))
    assert found[0] is status
    assert reason in found[1]


def test_service_that_answers_nothing_is_unknown() -> None:
    """Nobody calls it: that is neither good nor bad."""
    state = first_state("errors", API, NOW_NS)
    later = moment(seconds=301)
    evaluation = Slo(config()).evaluate(SpanFacts(later, {}), state)
    assert evaluation.seen.is_silent
    assert not Slo(config()).evaluate(SpanFacts(moment(299), {}), state).seen.is_silent


COUNTS = st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)).map(
    lambda pair: SpanCount(max(pair), min(pair), NOW_NS)
)


@settings(max_examples=examples(60))
@given(COUNTS, COUNTS, st.integers(1, 50))
def test_one_more_bad_span_never_ends_an_alert(
    long: SpanCount, short: SpanCount, more: int
) -> None:
    """The status is monotone in what is bad."""
    before = judged(config(), long, short)[0]
    worse = [SpanCount(c.spans, min(c.spans, c.bad + more), NOW_NS) for c in (long, short)]
    after = judged(config(), *worse)[0]
    assert (before, after) != (Status.BREACHED, Status.OK)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"failed": False}, "no span is bad; set failed", id="nothing is bad"),
        pytest.param({"service": "a", "together": True}, "leave service empty", id="together"),
        pytest.param({"bad_statuses": [[500, 700]]}, "not a range of HTTP statuses", id="status"),
        pytest.param(
            {"tiers": [{**PAIR, "short_window_s": 3_600}]}, "less than long_window_s", id="windows"
        ),
        pytest.param({"tiers": [{**PAIR, "bad_share_max": 1}]}, "less than 1", id="share"),
        pytest.param({"tiers": []}, "at least 1 item", id="no tier"),
    ],
)
def test_mistake_in_the_settings_is_named(changes: dict[str, object], message: str) -> None:
    """Before the start, not at night."""
    with pytest.raises(ValidationError, match=message):
        config(**changes)


def test_pages_and_tickets_of_one_entry_are_two_rules() -> None:
    """As of a dollar burn."""
    slower = {"bad_share_max": 0.01, "long_window_s": 86_400, "severity": "ticket"}
    page, ticket = config(tiers=[PAIR, slower]).by_severity
    assert [(each.name, each.severity, each.windows_s) for each in (page, ticket)] == [
        ("errors", "page", (300, 3_600)),
        ("errors-ticket", "ticket", (86_400,)),
    ]
    assert rule_of(page).window_s == 3_600
    assert rule_of(page).wording(API).subject == "spans of service api"
    assert rule_of(page).wording(API).shorts == {3_600: 300}


def test_rule_covers_what_it_names() -> None:
    """A class of decisions is not a service."""
    assert config().covers(API)
    assert not config().covers(Subject("checkout", "eu-west"))
    assert not config().covers(Subject(ALL, ""))
    assert config(service="api").covers(API)
    assert config(service="api").expects(API)
    assert not config(service="shop").covers(API)
    assert config(together=True).covers(Subject(ALL, ""))
    assert not config(together=True).covers(API)
