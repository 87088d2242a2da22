from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.bench.hostile.mutations import MUTATIONS
from collector.bench.spans import make_requests
from collector.core.config import AttributesConfig
from collector.core.errors import DecodeError
from collector.core.key_files import parse_keys
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal, check, limits_at
from collector.privacy.pseudonyms import Tokeniser
from collector.privacy.redact import Identifiers
from collector.privacy.rules import IdentifiersConfig
from collector.receive.plain_spans import PlainSpans, PlainSpanScanner
from tests.conftest import NOW_NS
from tests.support.builders import key_values, span, trace_request
from tests.support.collector.golden import whole_spans
from tests.support.collector.rendering import ATTRIBUTES, SCALARS, TEXTS
from tests.support.collector.spans import odd_spans

LIMITS = limits_at(NOW_NS, 30, AttributesConfig())
RULES = Identifiers(IdentifiersConfig(), Tokeniser(parse_keys("a:" + "01" * 32, "keys"), 0), {})
# The default shapes of SDKs, and everything that the other way has to be asked about.
SETS = st.dictionaries(
    TEXTS
    | st.sampled_from(
        [
            "user.id",
            "User.Id",
            "url.query",
            "url.fragment",
            "decision.ts.ingress",
            "decision.ts.decision",
            "http.route",
        ]
    ),
    SCALARS
    | st.sampled_from(
        [0, 1, NOW_NS, str(NOW_NS - 1), str(NOW_NS // 1_000), NOW_NS + 2 * NS_PER_DAY]
    )
    | st.sampled_from(["a@b.example", "4111111111111111"])
    | st.sampled_from(["/a%40b.example", "x#jwt=1", "x?a;sid=1", "jwt=1", "é@b.example"])
    | st.sampled_from([4_111_111_111_111_111, 4_111_111_111_111_111.0, 6_200_000_000_000_000_000]),
    max_size=5,
)


@pytest.fixture(scope="module")
def scanner() -> PlainSpanScanner:
    """Return one look for all tests: it learns names."""
    return PlainSpanScanner(RULES.has_rule, LIMITS.stamp_names)


def hold_to_the_other_way(scanner: PlainSpanScanner, body: bytes) -> PlainSpans | None:
    """Look; what is taken for plain has to come out of the other way as it went in."""
    plain_spans = scanner.scan(body, LIMITS)
    if plain_spans is None or (
        RULES.may_hold_pattern(body)
        if plain_spans.doubtful is None
        else RULES.holds_pattern(plain_spans.doubtful)
    ):
        return None
    # The same bytes, though nobody promises that they were never walked.
    assert RULES.rewrite(Signal.TRACES, body, NOW_NS) == body
    checked = check(Signal.TRACES, body, LIMITS)
    assert checked.payload is body
    assert (checked.accepted, checked.trace_id) == (plain_spans.spans, plain_spans.trace_id)
    assert not checked.refused
    return plain_spans


@given(st.lists(whole_spans(SETS | ATTRIBUTES) | odd_spans(), min_size=1, max_size=3), SETS)
def test_what_is_plain_is_what_the_other_way_leaves_alone(
    scanner: PlainSpanScanner, spans: list[Span], resource: dict[str, object]
) -> None:
    """A wrong yes would store what a rule forbids, or what the sender should have been told."""
    for number, one in enumerate(spans, 1):
        one.trace_id = one.trace_id or number.to_bytes(16)
        one.span_id = one.span_id or number.to_bytes(8)
    body = trace_request(*spans, resource=resource).SerializeToString()

    hold_to_the_other_way(scanner, body)


CARDS = ["4111111111111111", "4111.1111.1111.1111", "5500 0000 0000 0004", "3400-000000-00009",
         "6011000000000004", "2223000048400011", "4222222222222"]  # fmt: skip


@given(
    st.lists(
        st.sampled_from([*CARDS, "a", " ", "-", ".", "+", "7", "é", "@", "?", "=", "token"])
        | st.text("0123456789 -.+", max_size=20),
        max_size=6,
    ).map("".join)
)
def test_no_card_is_overlooked(scanner: PlainSpanScanner, text: str) -> None:
    """Whatever stands around it: what the patterns replace is never plain."""
    hold_to_the_other_way(scanner, request_of({"note": text}))


@pytest.mark.parametrize("number", [4_111_111_111_111_111, 4_111_111_111_111_111.0])
def test_number_is_no_card(scanner: PlainSpanScanner, number: float) -> None:
    """A number is never text."""
    assert hold_to_the_other_way(scanner, request_of({"n": number})) is not None


@pytest.mark.parametrize(
    "text",
    ["+491701234567", "call +49 170 1234567 now", "card 4111.1111.1111.1111 paid",
     "Bearer mwt_0123456789abcdef", "authorization=Basic dXNlcjpwYXNzd29yZA==",
     "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN", "of anna@münchen.de"],
)  # fmt: skip
def test_every_pattern_is_seen(scanner: PlainSpanScanner, text: str) -> None:
    """What the patterns know and the module does not would be stored as it is."""
    assert RULES.rewrite(Signal.TRACES, request_of({"note": text}), NOW_NS) != request_of(
        {"note": text}
    )
    assert hold_to_the_other_way(scanner, request_of({"note": text})) is None


@pytest.mark.parametrize(
    "text", ["Users#show", "a;b=c", "Mozilla/5.0 (X11; Linux x86_64)", "color: #fff"]
)
def test_hash_and_semicolon_alone_are_no_doubt(scanner: PlainSpanScanner, text: str) -> None:
    """Names of code and of browsers have them in nearly every span."""
    found = scanner.scan(request_of({"note": text}), LIMITS)

    assert found is not None
    assert found.doubtful == ()


@pytest.mark.parametrize("text", ["ab12345678901234", "1795605322981007976", "550e8400-e29b-41d4"])
def test_ids_and_instants_are_no_cards(scanner: PlainSpanScanner, text: str) -> None:
    """They stand in every span; to look for a card in each request costs as much as the rest."""
    found = scanner.scan(request_of({"note": text}), LIMITS)

    assert found is not None
    assert found.doubtful == ()


@pytest.mark.parametrize("has_decisions", [False, True])
def test_what_an_sdk_sends_is_plain(scanner: PlainSpanScanner, has_decisions: bool) -> None:
    """Otherwise nothing is gained."""
    for body in make_requests(3, 64, 640, NOW_NS, decisions=has_decisions):
        found = hold_to_the_other_way(scanner, body)
        assert found is not None
        assert (found.spans, found.doubtful) == (64, ())


def test_no_mutant_is_taken_for_what_it_is_not(scanner: PlainSpanScanner) -> None:
    """4,000 requests that were changed on the wire, a length that lies among them."""
    draw = Random(7)
    sources = list(make_requests(5, 8, 64, NOW_NS, decisions=True))
    plain = 0
    for number in range(4_000):
        _, mutation = MUTATIONS[number % len(MUTATIONS)]
        plain += hold_to_the_other_way(scanner, mutation(draw, draw.choice(sources))) is not None
    assert 0 < plain < 2_000


def flipped(body: bytes, at: int, bit: int) -> bytes:
    """Return bytes of which one bit is another."""
    return body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :]


def test_no_flipped_bit_is_overlooked(scanner: PlainSpanScanner) -> None:
    """Every bit of a request with a value of each kind: the two ways agree on all of them."""
    body = trace_request(
        span(
            parent_span_id="03" * 8,
            attributes={"s": "té", "i": 300, "d": 1.5, "b": True, "y": b"\x01", "z": ""},
            events=[Span.Event(time_unix_nano=7, name="e", attributes=key_values({"k": 1}))],
            links=[Span.Link(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)],
        ),
        resource={"service.name": "shop"},
    ).SerializeToString()
    assert hold_to_the_other_way(scanner, body) is not None

    for index in range(len(body)):
        for bit in range(8):
            hold_to_the_other_way(scanner, flipped(body, index, bit))


def request_of(
    attributes: Mapping[str, object] | None = None,
    change: Callable[[Span], object] = lambda _: None,
) -> bytes:
    """Return a request with one span that was changed."""
    one = span(attributes={"a": 1, **(attributes or {})})
    change(one)
    return trace_request(one).SerializeToString()


def late(one: Span) -> None:
    """Put a span's end beyond what is taken."""
    one.end_time_unix_nano = NOW_NS + 2 * NS_PER_DAY


def deep_list(levels: int) -> list[object]:
    """Return an array in an array, and so on."""
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return inner


STAMPED = {"decision.ts.ingress": NOW_NS, "decision.ts.decision": NOW_NS - 1}
STAMP = key_values({"decision.ts.ingress": NOW_NS})
TAIL_OF_NOBODY = b"\xfa\x3e\x01x"  # field 1007


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(ExportTraceServiceRequest().SerializeToString(), id="no span"),
        pytest.param(request_of(change=late), id="late"),
        pytest.param(request_of(change=lambda one: one.ClearField("span_id")), id="no id"),
        pytest.param(request_of({"user_id": "u"}), id="rule"),
        pytest.param(request_of({"m": {"a": {"user.id": "u"}}}), id="rule inside a value"),
        pytest.param(request_of({"m": [deep_list(40)]}), id="deeper than is looked"),
        pytest.param(request_of(STAMPED), id="stamps out of order"),
        pytest.param(
            request_of({name: str(at) for name, at in STAMPED.items()}), id="stamps as text"
        ),
        pytest.param(request_of({"decision.ts.egress": NOW_NS // 1_000_000}), id="stamp in ms"),
        pytest.param(
            request_of({"decision.ts.ingress": NOW_NS + 2 * NS_PER_DAY}), id="stamp ahead"
        ),
        pytest.param(
            request_of(change=lambda one: one.attributes.extend([*STAMP, *STAMP])),
            id="stamp twice",
        ),
        pytest.param(request_of() + TAIL_OF_NOBODY, id="unknown field"),
        pytest.param(request_of() + b"\x0a", id="cut off"),
        pytest.param(
            request_of(
                change=lambda one: one.attributes.append(KeyValue(value=AnyValue(int_value=1)))
            ),
            id="no name",
        ),
    ],
)
def test_what_has_something_to_it_goes_the_other_way(
    scanner: PlainSpanScanner, body: bytes
) -> None:
    """The other way says what, to the sender."""
    assert scanner.scan(body, LIMITS) is None


def test_own_names_of_stamps_go_the_other_way() -> None:
    """Of two names of one stage the first counts, and the module does not look back."""
    limits = limits_at(NOW_NS, 30, AttributesConfig(map={"decision.ts.egress": "shop.out"}))
    scanner = PlainSpanScanner(RULES.has_rule, limits.stamp_names)

    assert scanner.scan(request_of({"shop.out": NOW_NS}), limits) is None
    assert scanner.scan(request_of({"decision.ts.ingress": NOW_NS}), limits) is not None


def test_an_events_stamp_is_not_its_spans(scanner: PlainSpanScanner) -> None:
    """It would hide one that is out of order."""
    names = {"decision.ts.decision": NOW_NS}
    event = Span.Event(time_unix_nano=1, name="e", attributes=key_values(names))

    def with_event(one: Span) -> None:
        one.events.append(event)

    assert scanner.scan(request_of(STAMPED, with_event), LIMITS) is None


def test_names_that_senders_make_up_fill_nothing() -> None:
    """Ten thousand names, in requests of ten: each is judged, and the table stays as large."""
    scanner = PlainSpanScanner(RULES.has_rule, LIMITS.stamp_names)
    taken = 0
    for number in range(1_000):
        made_up: Mapping[str, object] = {f"n{number}.{each}": 1 for each in range(10)}
        taken += scanner.scan(request_of(made_up), LIMITS) is not None
    assert taken > 950  # those that find no place go the other way


def test_garbage_is_no_request(scanner: PlainSpanScanner) -> None:
    """Bytes at random, of every length up to a few hundred."""
    draw = Random(1)
    for size in range(400):
        body = draw.randbytes(size)
        try:
            check(Signal.TRACES, body, LIMITS)
        except DecodeError:
            assert scanner.scan(body, LIMITS) is None


def test_url_query_is_looked_at_wherever_it_stands(scanner: PlainSpanScanner) -> None:
    """A query has no question mark of its own by which one would know it."""
    secret, plain = {"url.query": "token=abc"}, {"url.query": "page=2"}

    def on_event(one: Span) -> None:
        event = Span.Event(time_unix_nano=1, name="e", attributes=key_values(secret))
        one.events.append(event)

    assert hold_to_the_other_way(scanner, request_of(plain)) is not None
    assert hold_to_the_other_way(scanner, request_of(secret)) is None
    assert hold_to_the_other_way(scanner, request_of(plain, on_event)) is None


def test_more_doubtful_texts_than_are_listed_are_not_forgotten(
    scanner: PlainSpanScanner,
) -> None:
    """The last of them may be the one that matters."""
    spans = [span(attributes={"url.full": f"https://a.example/?page={n}"}) for n in range(80)]
    harmless = trace_request(*spans).SerializeToString()
    spans[79].attributes[0].value.string_value = "https://a.example/?token=abc"
    found = scanner.scan(harmless, LIMITS)

    assert found is not None
    assert found.doubtful is None
    assert hold_to_the_other_way(scanner, harmless) is not None
    assert hold_to_the_other_way(scanner, trace_request(*spans).SerializeToString()) is None


def test_a_large_request_is_plain_as_well(scanner: PlainSpanScanner) -> None:
    """Of 8,192 spans one always has an id of digits alone; the request was walked for it."""
    (body,) = make_requests(3, 8192, 8192, NOW_NS)

    assert hold_to_the_other_way(scanner, body) is not None


NESTED = {
    "process.command_args": ["java", "-jar", "a.jar"],
    "m": {"a": [1, {"b": None, "c": b"x"}], "d": 1.5},
    "e": [],
    "f": {},
}


def test_values_that_nest_are_plain_as_well(scanner: PlainSpanScanner) -> None:
    """Java's agent sends the command line of its process with every request."""
    body = trace_request(span(attributes=NESTED), resource=NESTED).SerializeToString()

    assert hold_to_the_other_way(scanner, body) is not None


@pytest.mark.parametrize(
    "value",
    [["x", "4111111111111111"], {"a": ["a@b.example"]}, [[b"a@b.example"]], {"a@b.example": 1}],
)
def test_what_is_inside_a_value_is_looked_at(scanner: PlainSpanScanner, value: object) -> None:
    """The rules apply to texts and names at any depth."""
    assert hold_to_the_other_way(scanner, request_of({"v": value})) is None


def test_query_in_a_list_is_a_query_behind_pairs_too(scanner: PlainSpanScanner) -> None:
    """The name that counts is that of the attribute, not the last one that was read."""
    assert hold_to_the_other_way(scanner, request_of({"url.query": ["page=2"]})) is not None
    assert hold_to_the_other_way(scanner, request_of({"url.query": ["token=abc"]})) is None
    behind = request_of({"url.query": [{"a": 1}, "token=abc"]})
    assert hold_to_the_other_way(scanner, behind) is None


def test_stamp_inside_a_value_is_none(scanner: PlainSpanScanner) -> None:
    """A list under a stamp's name is no stamp, nor is what is in a list."""
    inside = {"decision.ts.ingress": [1], "m": {"decision.ts.egress": 1}}

    assert hold_to_the_other_way(scanner, request_of(inside)) is not None


@given(st.integers(0, 80), st.sampled_from(["+491701234567", "eyJhbGci.a.b", "earer x", "hori"]))
def test_pattern_is_seen_at_every_place(scanner: PlainSpanScanner, before: int, text: str) -> None:
    """The module looks at sixteen bytes at once, and a pattern lies across two such windows."""
    found = scanner.scan(request_of({"note": "-" * before + text}), LIMITS)

    assert found is not None
    assert found.doubtful == (("-" * before + text, False),)
