"""What is personal by its look: e-mail addresses, cards, secrets in URLs; what only looks it."""

from __future__ import annotations

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from collector.otlp.check import Signal
from collector.privacy.redact import Identifiers
from collector.privacy.rules import IdentifiersConfig
from tests.conftest import NOW_NS
from tests.support.builders import any_value, key_values, logs_request, span, trace_request
from tests.support.collector.redact import ALICE, SHIPPED, TOKENS, one_span, rewritten, rules


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


@pytest.mark.parametrize(
    "number", [4_111_111_111_111_111, 4_111_111_111_111_111.0, 6_200_000_000_000_000_000, -4e15]
)
def test_number_is_never_text(number: float) -> None:
    """An amount or an id that a sender has as a number stays one, whatever its digits are."""
    record = LogRecord(body=any_value({"k": [number]}), attributes=key_values({"card.ref": number}))
    body = logs_request(record).SerializeToString()
    assert SHIPPED.rewrite(Signal.LOGS, body, NOW_NS) == body
    assert one_span({"pan": number, "a": "b"})["pan"]  # its name says what it is


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("call +49 170 1234567 now", "+491701234567"),
        ("+1 (415) 555-0132", "+14155550132"),
        ("tel:+442079460958,", "+442079460958"),
        ("+33.12.34.56.78.90", "+331234567890"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("card 4111.1111.1111.1111 paid", "4111.1111.1111.1111"),
        ("of anna@münchen.de", "anna@münchen.de"),
        ("of anna@пример.рф", "anna@пример.рф"),
        ("of 花子@例え.テスト today", "花子@例え.テスト"),
    ],
)
def test_numbers_and_addresses_in_plain_text_become_tokens(text: str, found: str) -> None:
    """What a person wrote into a form ends in a message."""
    told = str(one_span({"note": text})["note"])
    assert TOKENS.rotating(found, NOW_NS) in told
    assert found not in told


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET / Authorization: Bearer abc.def-123456789", "GET / Authorization: Bearer REDACTED"),
        ("authorization=Basic dXNlcjpwYXNzd29yZA==", "authorization=Basic REDACTED"),
        ("sent bearer mwt_0123456789abcdef to it", "sent bearer REDACTED to it"),
        ("{'Authorization': 'Token 0123456789abcdef'}", "{'Authorization': 'Token REDACTED'}"),
        (
            "got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN then",
            "got REDACTED then",
        ),
    ],
)
def test_tokens_of_headers_in_plain_text_are_redacted(text: str, left: str) -> None:
    """Whoever reads a log line must not be able to act for who wrote it."""
    assert one_span({"note": text})["note"] == left


@pytest.mark.parametrize(
    "text",
    [
        "clock off by +1234567890 ns", "+12345678901ns late", "grew +1234567890%", "+1 20 30",
        "1+4912345678901", "a+4912345678901", "+12345678", "+0491701234567",
        "2026-11-26T19:00:00+01:00", "+1 2026-11-26",
        "/img/logo@2x.png", "icon%403x.webp", "offset +1234567890", "phase:+90.00 180.00 270.00",
        "coord +52.5200 13.4050", "+12345678901.5", "bearer authentication is on",
        "Bearer of good news",
        "1.4111111111111111", "0.4111.1111.1111.1111", "2448.4111111111111111",
        "eyJhbGciOiJIUzI1NiJ9", "authorization: none", "v4.1111.2222.3333",
        "GET /orders/4111111111111111/items", "order_id=4111111111111111 shipped",
        'sent {"orderId": "4111111111111111"}', "sent {'orderId': 4111111111111111} on",
        "order-4111111111111111 is late", "of order#4111111111111111 now", "at :4111111111111111 x",
        "took 4012888888881881 ns", "read 4012888888881881 B", "costs 4111111111111111.25 in all",
        "-4111111111111111 off", "352800 1764196325008 done", "id = '4111111111111111' there",
    ],
)  # fmt: skip
def test_what_only_looks_personal_is_left(text: str) -> None:
    """A number with a sign, a price with many digits, a word behind a word."""
    assert one_span({"note": text}) == {"note": text}


CARD = "4111111111111111"


@pytest.mark.parametrize(
    "name",
    ["campaign.id", "order.id", "x", "company", "span.ref", "discard.no", "decision.campaign",
     "decision.value_usd", "session.ref"],
)  # fmt: skip
def test_run_of_digits_as_a_whole_value_is_an_id(name: str) -> None:
    """One in forty ids of 16 digits passes for a card; figures are grouped by ids."""
    assert one_span({name: CARD}) == {name: CARD}
    assert one_span({name: [CARD]}) == one_span({name: [CARD]}, rules(enabled=False))


@pytest.mark.parametrize(
    "name", ["card", "payment.card", "cardNo", "customer.creditCard.raw", "x.pan", "CC", "note",
             "log.message", "exception.message", "kreditkarte"],
)  # fmt: skip
def test_run_of_digits_under_a_name_of_cards_or_of_prose_is_a_card(name: str) -> None:
    """There it stands as nothing else; in groups it is one under any name."""
    assert CARD not in str(one_span({name: CARD}))
    assert "4111 1111" not in str(one_span({"order.id": "4111 1111 1111 1111"}))


@pytest.mark.parametrize(
    "text",
    ["paid with {} today", "{} is mine", "typed '{}' in", "card={}", "a=1&cardNumber={}&b=2",
     'got {{"card": "{}"}}', "/cards/{}", "card number:{}", "pan = {}", "Karte: {}",
     "({}) she said", "INSERT INTO t VALUES (1, '{}')", "12,{},x y"],
)  # fmt: skip
def test_run_of_digits_in_prose_is_a_card(text: str) -> None:
    """What a person wrote into a form, and what says that it is one."""
    assert CARD not in str(one_span({"detail": text.format(CARD)}))


def test_body_and_name_of_a_span_are_prose() -> None:
    """They have no name that would say what they are."""
    record = LogRecord(body=any_value(CARD))
    assert CARD.encode() not in rewritten(logs_request(record)).SerializeToString()
    request = trace_request(span(name=f"pay {CARD}"), span(name=f"GET /orders/{CARD}"))
    assert rewritten(request).SerializeToString().count(CARD.encode()) == 1


@pytest.mark.parametrize(
    "own", [{}, {"decision.value_usd": "shop.value", "provenance.producer": "shop.producer"}]
)
def test_amounts_and_producers_are_left_as_they_were_sent(own: dict[str, str]) -> None:
    """A producer named like an address would make honest events `tampered`, an amount be NULL."""
    by = Identifiers(IdentifiersConfig(), TOKENS, {}, names=own)
    sent = {
        own.get("provenance.producer", "provenance.producer"): "shop@eu.example.com",
        own.get("decision.value_usd", "decision.value_usd"): "+12345678901",
        "decision.ts.ingress": "4012888888881881",
        "outcome.revenue": "+12345678901",
        "note": ALICE,
    }
    left = one_span(sent, by)
    assert left.pop("note") != ALICE
    assert left == {name: value for name, value in sent.items() if name != "note"}


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("lastName", False), ("customer.lastName", False), ("customer.last_name", False),
        ("payment.iban", False), ("IBAN", False), ("order.billing-account-number", True),
        ("account-number", False), ("checkout.cardNumber", False), ("x.dateOfBirth", False),
        ("consent.email", True), ("offer.phone", True), ("user.emailAddress", False),
        ("service.iban.check", True), ("lastNames", True), ("deadphone", True),
    ],
)  # fmt: skip
def test_the_last_word_of_a_name_decides(name: str, *, is_kept: bool) -> None:
    """However a service joins its words; what lies before the last dot does not matter."""
    assert (one_span({name: "Smith-1"}) == {name: "Smith-1"}) == is_kept


@pytest.mark.parametrize(
    "name",
    ["shipping.method", "shipping.carrier", "shipping.cost", "shipping.address.country",
     "billing.plan", "billing.period", "billing.amount", "billing.id", "person.type", "phone.model",
     "phone.os", "email.template", "email.provider", "credit_card.brand", "process.env.PWD"],
)  # fmt: skip
def test_what_figures_are_grouped_by_is_left(name: str) -> None:
    """A whole family of names is not personal because one of it is."""
    assert one_span({name: "express"}) == {name: "express"}


@pytest.mark.parametrize(
    "name",
    ["shipping.name", "shipping.address", "shipping.address.postal_code", "shipping.phone_number",
     "billing.email", "billing.Street", "billing.firstName", "person.name", "person.lastName",
     "email.to", "phone.number", "credit_card.holder"],
)  # fmt: skip
def test_what_is_personal_under_such_a_word_is_replaced(name: str) -> None:
    """Name, address, telephone and mail, whoever they are of."""
    assert one_span({name: "Smith-1"}) == {name: TOKENS.rotating("Smith-1", NOW_NS)}


@pytest.mark.parametrize("name", ["db.passWord", "oauth.clientSecret", "session.refresh_token"])
def test_a_secret_is_dropped_by_the_last_word_of_its_name(name: str) -> None:
    """It is of no use to anybody who reads it."""
    assert one_span({name: "s3cr3t", "a": "b"}) == {"a": "b"}


def test_a_flag_is_nobodys_name() -> None:
    """Whether somebody has agreed is what figures are grouped by."""
    body = trace_request(span(attributes={"user.email": True})).SerializeToString()
    assert SHIPPED.rewrite(Signal.TRACES, body, NOW_NS) == body


def test_long_texts_of_beginnings_take_no_more_than_their_length() -> None:
    """What begins a token again and again is looked at once; a test that hangs fails by name."""
    for text in ("eyJ-" * 500_000, "eyJaaaaaaaa." * 200_000, "+1 23 45 " * 200_000):
        assert one_span({"note": text})


def test_many_dropped_attributes_take_no_more_than_their_number() -> None:
    """Each that is left out one by one moves all behind it."""
    record = LogRecord()
    for _ in range(100_000):
        record.attributes.extend(key_values({"pwd": "x", "a": "b"}))
    left = rewritten(logs_request(record))
    kept = left.resource_logs[0].scope_logs[0].log_records[0].attributes  # type: ignore[union-attr]  # a logs request
    assert {pair.key for pair in kept} == {"a"}
    assert len(kept) == 100_000


def test_shipped_rule_leaves_an_amount_under_a_name_of_ones_own() -> None:
    """As a token it would be no amount any more, and the sum would lack it without a word."""
    by = Identifiers(
        IdentifiersConfig(), TOKENS, {}, names={"decision.value_usd": "customer.Phone"}
    )
    assert one_span({"customer.Phone": "12.50", "pan": "12.50"}, by) == {
        "customer.Phone": "12.50",
        "pan": TOKENS.rotating("12.50", NOW_NS),
    }
