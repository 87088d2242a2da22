"""What is personal by its look: e-mail addresses, cards, secrets in URLs; what only looks it."""

from __future__ import annotations

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.otlp import Signal
from tests.builders import any_value, key_values, logs_request, span, trace_request
from tests.collector.test_identifiers import ALICE, SHIPPED, TOKENS, one_span, rewritten
from tests.conftest import NOW_NS


def test_pattern_leaves_the_text_around_it() -> None:
    """A message stays one that a person can read."""
    found = one_span({"m": f"mail {ALICE}, card 4111111111111111, order 4111111111111112"})
    token = TOKENS.rotating
    assert found["m"] == (
        f"mail {token(ALICE, NOW_NS)}, card {token('4111111111111111', NOW_NS)}, "
        "order 4111111111111112"
    )


@pytest.mark.parametrize(
    "text",
    ["4111111111111111abcdef0123456789", "ab4111111111111111", "x4111-1111-1111-1111",
     "41111111111111111111", "550e8400-4111-4111-4111-411111111111"],
)  # fmt: skip
def test_digits_inside_an_id_are_no_card(text: str) -> None:
    """An outcome names its decision by a trace id, which must not be changed on one side."""
    assert one_span({"session.id": text, "note": f"of {text}"}) == {
        "session.id": text,
        "note": f"of {text}",
    }


def test_secret_in_a_url_is_redacted_as_the_conventions_say() -> None:
    """The rest of the URL is what the page of an incident shows."""
    found = one_span(
        {
            "url.full": "https://u:p@h.example:8443/x?a=1&api_key=k1&b=a%40b.example#f",
            "url.query": "token=abc&q=1",
            "db.statement": "token=abc",
        }
    )
    assert found == {
        "url.full": "https://REDACTED:REDACTED@h.example:8443/x?a=1&api_key=REDACTED&b="
        f"{TOKENS.rotating('a@b.example', NOW_NS)}#f",
        "url.query": "token=REDACTED&q=1",
        "db.statement": "token=abc",
    }


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/users/{}/orders", "/users/<>/orders"),
        ("https://x.example/reset/{}", "https://x.example/reset/<>"),
        (
            "https://x.example/cb#access_token=S3&x=1",
            "https://x.example/cb#access_token=REDACTED&x=1",
        ),
        ("https://x.example/?a=1;token=S3", "https://x.example/?a=1;token=REDACTED"),
        ("postgres://u:S@3@db:5432/x", "postgres://REDACTED:REDACTED@db:5432/x"),
        ("https://x.example/@anna.b/notes", "https://x.example/@anna.b/notes"),
        ("Users#show, a;b", "Users#show, a;b"),
        ("100%25", "100%25"),
    ],
)
def test_url_hides_nothing_in_its_path_fragment_or_user(text: str, left: str) -> None:
    """Where senders put them, and the rest of the URL stays."""
    url, wanted = (
        text.format("alice%40example.com"),
        left.replace("<>", TOKENS.rotating("alice@example.com", NOW_NS)),
    )
    assert one_span({"url.path": url, "note": f"GET {url}"}) == {
        "url.path": wanted,
        "note": f"GET {wanted}",
    }


def test_fragment_of_its_own_and_a_letter_beyond_ascii() -> None:
    """OAuth answers in the fragment; a name is written as its owner writes it."""
    found = one_span({"url.fragment": "token=S3&x=1", "note": "to josé@example.com"})
    token = TOKENS.rotating("josé@example.com", NOW_NS)
    assert found == {"url.fragment": "token=REDACTED&x=1", "note": f"to {token}"}


def test_query_in_a_list_is_looked_at_too() -> None:
    """A header may come twice, and so may what a framework makes of a URL."""
    request = trace_request(span(attributes={"url.query": ["page=2", "token=S3"]}))
    left = rewritten(request).SerializeToString()
    assert b"token=REDACTED" in left
    assert b"S3" not in left


@pytest.mark.parametrize("number", [4_111_111_111_111_111, 4_111_111_111_111_111.0])
def test_card_that_is_a_number_has_the_token_of_the_text(number: float) -> None:
    """Senders number what is made of digits, also inside a value and in a body."""
    token = TOKENS.rotating("4111111111111111", NOW_NS)
    assert one_span({"n": number}) == {"n": token}
    for value in (number, [number], {"k": [number]}):
        record = LogRecord(body=any_value(value), attributes=key_values({"v": value}))
        assert rewritten(logs_request(record)).SerializeToString().count(token.encode()) == 2


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(4_111_111_111_111_112, id="no check digit"),
        pytest.param(1_795_605_322_982, id="an instant in ms"),
        pytest.param(1_795_605_322_981_007_976, id="an instant in ns"),
        pytest.param(4_111_111_111_111_111_116, id="19 digits of a network that has hardly any"),
        pytest.param(9_000_000_000_000_000, id="no network"),
        pytest.param(4_111_111_111_111_111 + 0.5, id="a half"),
        pytest.param(-4_111_111_111_111_111, id="negative"),
        pytest.param(float("inf"), id="endless"),
        pytest.param(float("nan"), id="none"),
    ],
)
def test_other_numbers_are_left(number: float) -> None:
    """Times and ids are numbers of as many digits."""
    request = trace_request(span(attributes={"n": number}))
    assert SHIPPED.rewrite(Signal.TRACES, body := request.SerializeToString(), NOW_NS) is body
