"""What is kept of a token, and how much it may do."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collector.auth.tokens import (
    AccessConfig,
    Allowance,
    Scope,
    Token,
    find,
    hash_text,
    new_token,
    presented_token,
)
from collector.core.times import NS_PER_S
from collector.otlp.outcomes import carries_outcome
from tests.support.builders import logs_request, outcome


def token(name: str, secret: str) -> Token:
    """Return what is kept of a token that may only read."""
    digest = bytes.fromhex(hash_text(secret).removeprefix("sha256:"))
    return Token(name, digest, frozenset({Scope.LOGS}), None, None, None, None)


def test_token_is_256_random_bits_that_a_scanner_knows() -> None:
    """A leaked one is found by its prefix; two are never the same."""
    first, second = new_token(), new_token()
    assert re.fullmatch(r"mwt_[A-Za-z0-9_-]{43}", first)
    assert first != second
    assert first not in hash_text(first)


def test_token_is_found_wherever_it_stands_in_the_list() -> None:
    """All are compared, so the place of the right one makes no difference."""
    secrets = [new_token() for _ in range(3)]
    known = [token(f"t{place}", secret) for place, secret in enumerate(secrets)]
    assert [getattr(find(secret, known), "name", None) for secret in secrets] == ["t0", "t1", "t2"]
    assert find(new_token(), known) is None
    assert find(hash_text(secrets[0]), known) is None  # what is stored does not open the door


@given(st.text(max_size=600))
def test_any_presented_text_is_a_token_nobody_has(text: str) -> None:
    """Whatever comes in the header, half a surrogate included, ends in an answer."""
    presented = presented_token(text)
    assert presented is None or find(presented, [token("t", "right")]) is None or "right" in text


@pytest.mark.parametrize(
    ("header", "presented"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic " + base64.b64encode(b"me:abc").decode(), "abc"),
        ("Basic " + base64.b64encode(b"me:a:c").decode(), "a:c"),
        ("Basic " + base64.b64encode(b"me:").decode(), None),
        ("Basic ***", None),
        ("Basic " + base64.b64encode(b"\xff").decode(), None),
        ("Bearer", None),
        ("abc", None),
        ("Digest abc", None),
        ("Bearer " + "x" * 513, None),
    ],
)
def test_header_gives_its_token(header: str, presented: str | None) -> None:
    """A sender has Bearer; a browser that asks for name and password has Basic."""
    assert presented_token(header) == presented


@given(
    st.floats(0.1, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0, 2000)), min_size=1, max_size=50),
)
def test_allowance_never_gives_more_than_its_rate_and_one_debt(
    per_s: float, steps: list[tuple[float, float]]
) -> None:
    """Over any time: what was saved, what the rate gave, and the last request over it."""
    allowance = Allowance(per_s, 0)
    now_ns, taken, largest = 0, 0.0, 0.0
    for pause_s, amount in steps:
        now_ns += round(pause_s * NS_PER_S)
        if allowance.wait_seconds(now_ns) == 0:
            allowance.take(amount, now_ns)
            taken += amount
            largest = max(largest, amount)
    assert taken <= max(per_s, 1) + per_s * now_ns / NS_PER_S + largest + 1e-3


def test_allowance_says_when_something_is_left_again() -> None:
    """A sender that waits as long as it was told is let in."""
    allowance = Allowance(10.0, 0)
    allowance.take(45.0, 0)
    seconds = allowance.wait_seconds(0)
    assert seconds == 4
    assert allowance.wait_seconds(seconds * NS_PER_S) == 0


def test_two_tokens_of_one_name_are_refused() -> None:
    """A counter by name could not tell them apart."""
    entry = {"name": "shop", "hash": hash_text("a"), "scopes": ["traces"]}
    with pytest.raises(ValidationError, match="two tokens are named 'shop'"):
        AccessConfig.model_validate({"tokens": [entry, entry]})


def test_outcome_is_known_by_either_name_and_nothing_else_is() -> None:
    """Whoever may send logs shall not therefore say what decisions earned."""
    named = logs_request(outcome(outcome_id="a"))
    assert carries_outcome(named.SerializeToString())

    record = named.resource_logs[0].scope_logs[0].log_records[0]
    record.event_name = ""
    plain = record.attributes.add()
    plain.key, plain.value.string_value = "event.name", "decision.outcome"
    assert carries_outcome(named.SerializeToString())

    plain.key = "note"
    record.body.string_value = "decision.outcome"
    assert not carries_outcome(named.SerializeToString())
    assert not carries_outcome(b"\xff decision.outcome")
