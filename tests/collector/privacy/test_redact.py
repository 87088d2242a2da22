"""Personal data never reaches the log: by an attribute's name, or by what a value looks like."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.otlp.values import Request
from collector.privacy.pseudonyms import Tokeniser, is_token
from collector.privacy.rules import DEFAULT_RULES, Action
from tests.conftest import NOW_NS
from tests.support.builders import (
    any_value,
    key_values,
    logs_request,
    metrics_request,
    span,
    trace_request,
)
from tests.support.collector.redact import ALICE, KEYS, SHIPPED, TOKENS, one_span, rewritten, rules


def test_request_without_personal_data_is_the_bytes_that_came() -> None:
    """Nearly every request: nothing of it may be altered, and it may cost no more than a look."""
    body = trace_request(
        span(attributes={"http.request.method": "GET", "decision.ts.ingress": str(NOW_NS)})
    ).SerializeToString()
    assert SHIPPED.rewrite(Signal.TRACES, body, NOW_NS) is body


def test_actions_of_the_rules() -> None:
    """Each does what it says, and what has no rule stays."""
    by = rules(("crm.*", "hash"), ("crm.tier", "keep"), ("badge", "tokenise"), ("note", "drop"))
    found = one_span({"crm.no": "77", "crm.tier": "gold", "badge": "B1", "note": "x", "a": "b"}, by)
    assert found == {
        "crm.no": TOKENS.lasting("77"),
        "crm.tier": "gold",
        "badge": TOKENS.rotating("B1", NOW_NS),
        "a": "b",
    }


def test_own_rule_goes_before_a_shipped_one() -> None:
    """Whoever needs an attribute says so; nobody has to switch all others off."""
    assert one_span({"user.id": "7"}, rules(("user.*", "keep"))) == {"user.id": "7"}
    assert one_span({"user.id": "7"}, rules(defaults=False)) == {"user.id": "7"}
    assert one_span({"user.id": ALICE}, rules(enabled=False)) == {"user.id": ALICE}


@pytest.mark.parametrize("rule", DEFAULT_RULES, ids=lambda rule: str(rule.attribute))
def test_shipped_rule_takes_its_value_away(rule: object) -> None:
    """The list is a promise: each name of it, on a span."""
    name = str(getattr(rule, "attribute", "")).replace("*", "any")
    found = one_span({name: "personal"})
    if getattr(rule, "action", None) is Action.DROP:
        assert found == {}
    else:
        assert found == {name: TOKENS.rotating("personal", NOW_NS)}


def test_same_value_has_the_same_token_whatever_its_attribute_and_type() -> None:
    """A span and a log record of one user are found together."""
    assert one_span({"user.id": 42})["user.id"] == one_span({"enduser.id": "42"})["enduser.id"]


def test_value_that_nests_is_replaced_leaf_by_leaf() -> None:
    """A list of addresses stays a list, and a record keeps its keys."""
    request = rewritten(
        trace_request(
            span(attributes={"email": ["a", "b"], "billing.address": {"age": 7, "x": ["y"]}})
        )
    )
    pairs = request.resource_spans[0].scope_spans[0].spans[0].attributes  # type: ignore[union-attr]  # a trace request

    def token(value: str) -> str:
        return TOKENS.rotating(value, NOW_NS)

    assert pairs[0].value == any_value([token("a"), token("b")])
    assert pairs[1].value == any_value({"age": token("7"), "x": [token("y")]})


def test_name_inside_a_value_is_found() -> None:
    """A log body is often one record: its keys are names as those of attributes are."""
    record = LogRecord(body=any_value({"order": 1, "user.email": "x", "deep": [{"email": "y"}]}))
    body = rewritten(logs_request(record)).resource_logs[0].scope_logs[0].log_records[0].body  # type: ignore[union-attr]  # a logs request
    token = TOKENS.rotating
    assert body == any_value(
        {"order": 1, "user.email": token("x", NOW_NS), "deep": [{"email": token("y", NOW_NS)}]}
    )


def everywhere(value: str, name: str) -> list[Request]:
    """Return requests with a value under a name in every place that has attributes."""
    pairs = key_values({name: value})
    exemplar = Exemplar(filtered_attributes=pairs)
    number = NumberDataPoint(attributes=pairs, exemplars=[exemplar])
    histogram = HistogramDataPoint(attributes=pairs, exemplars=[exemplar])
    exponential = ExponentialHistogramDataPoint(attributes=pairs, exemplars=[exemplar])
    kinds = [
        Metric(name="g", metadata=pairs, gauge=Gauge(data_points=[number])),
        Metric(name="s", sum=Sum(data_points=[number])),
        Metric(name="h", histogram=Histogram(data_points=[histogram])),
        Metric(name="e", exponential_histogram=ExponentialHistogram(data_points=[exponential])),
        Metric(name="u", summary=Summary(data_points=[SummaryDataPoint(attributes=pairs)])),
    ]
    traced = span(
        attributes={name: value},
        events=[Span.Event(name="e", attributes=pairs)],
        links=[Span.Link(attributes=pairs)],
    )
    named = {name: value}
    requests: list[Request] = [
        trace_request(traced, resource=named),
        logs_request(LogRecord(attributes=pairs, body=any_value({name: value})), resource=named),
        *(metrics_request(metric, resource=named) for metric in kinds),
    ]
    requests[0].resource_spans[0].scope_spans[0].scope.attributes.extend(pairs)  # type: ignore[union-attr]  # a trace request
    requests[1].resource_logs[0].scope_logs[0].scope.attributes.extend(pairs)  # type: ignore[union-attr]  # a logs request
    requests[2].resource_metrics[0].scope_metrics[0].scope.attributes.extend(pairs)  # type: ignore[union-attr]  # a metrics request
    return requests


def texts_everywhere(value: str) -> list[Request]:
    """Return requests with a value in texts that are no attributes."""
    record = LogRecord(
        body=any_value(f"sent to {value}."), severity_text=value, event_name=value,
        attributes=key_values({f"k {value}": [value, value.encode()]}),
    )  # fmt: skip
    traced = span(name=f"GET /u/{value}", events=[Span.Event(name=value)])
    traced.status.CopyFrom(Status(message=f"no such user: {value}"))
    traced.links.add(trace_state=f"a={value}")
    return [
        trace_request(traced, scope=value),
        logs_request(record),
        metrics_request(Metric(name=f"m {value}", description=value, gauge=Gauge())),
    ]


@pytest.mark.parametrize("name", ["user.id", "cookie"])
def test_rule_reaches_every_place(name: str) -> None:
    """A value that is left in one place is left."""
    for request in everywhere("s3cret-value", name):
        assert b"s3cret-value" not in rewritten(request).SerializeToString()


@pytest.mark.parametrize(
    "value",
    [ALICE, "4111 1111 1111 1111", "5500-0000-0000-0004", "https://u:pw-9@db.example/x",
     "https://h.example/cb?a=1&token=pw-9"],
)  # fmt: skip
def test_pattern_reaches_every_text(value: str) -> None:
    """What is personal by itself is so in a name, a message and a body too."""
    for request in [*everywhere(value, "any"), *texts_everywhere(value)]:
        left = rewritten(request).SerializeToString()
        assert value.encode() not in left
        assert b"pw-9" not in left
        assert b"@example.com" not in left


def test_name_is_ruled_however_it_is_capitalised() -> None:
    """Frameworks write the headers and fields of their own language."""
    found = one_span({"User.Id": "u-1", "http.request.header.Cookie": "s", "EMAIL": "x", "a": "1"})
    assert found == {
        "User.Id": TOKENS.rotating("u-1", NOW_NS),
        "EMAIL": TOKENS.rotating("x", NOW_NS),
        "a": "1",
    }
    own = rules(("Loyalty.*", "drop"), ("USER.ID", "keep"))
    assert one_span({"loyalty.tier": "gold", "user.id": "u-1"}, own) == {"user.id": "u-1"}
    with pytest.raises(ValueError, match="send the identifier under a name of its own"):
        rules(("Decision.Action", "drop"))


def test_join_key_keeps_its_token_over_a_rotation() -> None:
    """A decision and what it earned meet weeks later, whatever the rule says."""
    by = rules(("decision.id", "tokenise"), ("outcome.key", "hash"))
    later_ns = NOW_NS + 90 * NS_PER_DAY
    for name in ("decision.id", "outcome.key", "shop.decision.id"):
        token = TOKENS.lasting("order-9")
        assert one_span({name: "order-9"}, by) == {name: token}
        assert by.replace(name, "order-9", later_ns) == token
    assert by.replace("outcome.key", ALICE, later_ns) == TOKENS.lasting(ALICE)
    assert SHIPPED.replace("outcome.id", f"for {ALICE}", NOW_NS) == f"for {TOKENS.lasting(ALICE)}"


def test_retry_gives_the_same_bytes_until_the_key_is_another() -> None:
    """The store knows a repetition by its ids, which are never touched; within a period by all."""
    body = trace_request(span(attributes={"user.id": "7"})).SerializeToString()
    start_ns = NOW_NS // (30 * NS_PER_DAY) * 30 * NS_PER_DAY
    first, retry = (SHIPPED.rewrite(Signal.TRACES, body, start_ns + ns) for ns in (0, NS_PER_DAY))
    late = SHIPPED.rewrite(Signal.TRACES, body, start_ns + 30 * NS_PER_DAY)
    assert first == retry
    assert late != first
    spans = [
        Signal.TRACES.request_class.FromString(one).resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]  # a trace request
        for one in (first, late)
    ]
    assert spans[0].span_id == spans[1].span_id
    assert spans[0].trace_id == spans[1].trace_id


def test_rewritten_request_is_left_alone_the_second_time() -> None:
    """A collector may stand before ours, and what was rejected comes back by a replay."""
    request = trace_request(span(attributes={"user.id": "7", "note": f"to {ALICE}"}))
    once = SHIPPED.rewrite(Signal.TRACES, request.SerializeToString(), NOW_NS)
    assert SHIPPED.rewrite(Signal.TRACES, once, NOW_NS + 400 * NS_PER_DAY) == once


def test_unknown_field_goes_with_what_is_rewritten() -> None:
    """No column has it, and nobody can say what is in it."""
    body = trace_request(span(attributes={"user.id": "7"})).SerializeToString()
    left = SHIPPED.rewrite(Signal.TRACES, body + b"\xca\x3e\x04bob!", NOW_NS)
    assert b"bob!" not in left


def test_body_that_is_no_request_is_left_to_the_check() -> None:
    """What cannot be read cannot be judged; the check refuses it, so it goes nowhere."""
    for body in (b"\xff\xff", b"\x0a\x7f", ALICE.encode(), b"\x0a\x06\x0a\x04\x0a\x02\x0a\xff"):
        assert SHIPPED.rewrite(Signal.TRACES, body, NOW_NS) == body


@pytest.mark.parametrize(
    "name",
    [
        "decision.action",
        "decision.*",
        "provenance.tag",
        "provenance.producer",
        "service.name",
        "decision.value_usd",
        "outcome.revenue",
        "outcome.m*",
    ],
)
def test_rule_on_what_is_sealed_or_summed_or_grouped_by_is_refused(name: str) -> None:
    """Its seal would never verify again, and no figure would be of anything."""
    with pytest.raises(ValueError, match="send the identifier under a name of its own"):
        rules((name, "tokenise"))


names = st.sampled_from(["user.id", "email", "cookie", "a", "url.query", "decision.region"])
words = st.sampled_from(
    [
        ALICE,
        "4111111111111111",
        "x",
        "",
        "token=1",
        "https://a:b@c.example/",
        "https://a:b@c@d.example/",
        "https://c.example/p?key=7",
        "https://c.example/p?a=1;sid=7",
        "https://c.example/p#jwt=7",
        "/users/a.b%40c.example/x",
        "josé@c.example",
        "jo@münchen.de",
        "https://a:b@münchen.de/",
        "+491701234567",
        "+44 (0)20 7946 0958",
        "4111.1111.1111.1111",
        "/o/4111111111111111",
        "card=4111111111111111",
        "Bearer abcdef0123456789",
        "Authorization: Basic abcdefgh",
        "eyJhbGciOiJ9.eyJzdWIiOiJ9.dozjgNry",
        "Users#show",
    ]
)
texts = st.lists(words | st.text(max_size=20), max_size=4).map(" ".join)
leaves = (
    texts | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.booleans() | st.binary(max_size=40)
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=6)


@given(st.dictionaries(names, values, max_size=5), texts, texts)
def test_look_at_the_bytes_misses_nothing(
    attributes: dict[str, object], name: str, message: str
) -> None:
    """Whatever a walk over every text would change, the look at the bytes lets through to it."""
    request = trace_request(span(name=name, attributes=attributes))
    request.resource_spans[0].scope_spans[0].spans[0].status.message = message
    body = request.SerializeToString()
    once = SHIPPED.rewrite(Signal.TRACES, body, NOW_NS)
    # A neighbour with a pattern makes every span be walked.
    both = trace_request(span(attributes={"n": {"m": ALICE}}))
    both.resource_spans[0].scope_spans[0].spans.extend(
        request.resource_spans[0].scope_spans[0].spans
    )
    walked = rewritten(both)
    assert isinstance(both, Message)
    left = Signal.TRACES.request_class.FromString(once)
    assert (
        left.resource_spans[0].scope_spans[0].spans[0]  # type: ignore[union-attr]  # a trace request
        == walked.resource_spans[0].scope_spans[0].spans[1]  # type: ignore[union-attr]  # a trace request
    )


@pytest.mark.parametrize("value", ["4111111111111111", "a@b.ee", "https://a:b@c.dd/", "u?sig=1"])
def test_value_is_found_whatever_stands_before_and_behind_it_on_the_wire(value: str) -> None:
    """A text's length is a byte in front of it, and may be a digit, a blank or a sign itself."""
    for length in range(len(value) + 2, 140):
        text = f"{value} {'y' * length}"[:length]
        attributes = {"decision.region": text, "next": "4"}
        record = LogRecord(body=any_value(text), attributes=key_values(attributes))
        for request in (trace_request(span(attributes=attributes)), logs_request(record)):
            assert value.encode() not in rewritten(request).SerializeToString(), length


@given(st.data(), texts)
def test_mutated_request_is_rewritten_or_left_for_the_check(data: st.DataObject, text: str) -> None:
    """Whatever comes over the wire, nothing but bytes comes out, and twice is the same as once."""
    nested = {"m": [text, {"user.id": text}]}
    request = trace_request(span(name=text, attributes={"user.id": text, "n": nested}))
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "double"])):
            case "flip":
                body[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del body[at : at + 3]
            case _:
                body[at:at] = body[max(0, at - 9) : at]
        body = body or bytearray(b"\n")
    for signal in Signal:
        once = SHIPPED.rewrite(signal, bytes(body), NOW_NS)
        assert SHIPPED.rewrite(signal, once, NOW_NS) == once


@given(st.text(max_size=40), st.integers(0, 2**63 - 1))
def test_token_tells_nothing_and_is_known_again(value: str, now_ns: int) -> None:
    """It is as long for any value, holds no part of it, and is not made a token once more."""
    for token in (TOKENS.rotating(value, now_ns), TOKENS.lasting(value)):
        assert is_token(token)
        assert TOKENS.lasting(token) == TOKENS.rotating(token, now_ns) == token
    assert TOKENS.lasting(value) != Tokeniser(KEYS[:1], 30).lasting(value) or is_token(value)


def test_period_and_key_are_named_by_the_token() -> None:
    """So whoever has the keys can say which one a row is of."""
    assert TOKENS.rotating("7", 31 * NS_PER_DAY).startswith("tok_k2-1_")
    assert Tokeniser(KEYS, 0).rotating("7", 31 * NS_PER_DAY).startswith("tok_k2_")
    assert TOKENS.lasting("7").startswith("key_k1_")
