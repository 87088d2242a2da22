from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.people.matchers import NAMES, Matcher, match_all, parse_matchers
from collector.core.errors import InputError
from tests.support.alerts.builders import event
from tests.support.examples import examples

EVENT = event()  # burn, page, checkout, eu-west, decision/store


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("rule=burn", True),
        ("rule = burn", True),
        ('rule="burn"', True),
        ("rule=bur", False),
        ("rule!=burn", False),
        ("region!=us-east", True),
        ("region=~eu-.*", True),
        ("region=~eu", False),  # the whole text, as in Alertmanager
        ("region=~eu-west|us-east", True),
        ("region!~eu-.*", False),
        ("severity=page", True),
        ("action=~check(out|in)", True),
        ("blamed=decision/store", True),
        ("blamed=", False),
        ("blamed=~decision/.*", True),
        ("rule=~.*", True),
    ],
)
def test_matcher_holds_as_in_alertmanager(text: str, matches: bool) -> None:
    """Who knows the one shall not be surprised by the other."""
    assert match_all(parse_matchers([text]), EVENT) is matches


def test_all_matchers_have_to_hold() -> None:
    """More matchers hide less."""
    assert match_all(parse_matchers(["rule=burn", "region=~eu-.*"]), EVENT)
    assert not match_all(parse_matchers(["rule=burn", "region=us-east"]), EVENT)
    assert match_all(parse_matchers(["blamed="]), event(blamed_stage="", blamed_class=""))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "0 matchers"),
        (["rule=a"] * 17, "17 matchers"),
        (["burn"], "is not NAME=VALUE"),
        (["alertname=burn"], "NAME is rule, action"),
        (["rule=~("], "not a regular expression"),
        (["rule=" + "x" * 201], "201 characters"),
        (["rule=~(a+)+b"], "hours"),
        (["rule=~(a|a)*b"], "hours"),
        (["rule=~.*.*.*.*b"], "hours"),
        (["rule=~" + "a?" * 30], "hours"),
        (["rule=~" + "(a|a)" * 30], "hours"),
        (["rule=~(?=a)b"], "hours"),
        (["rule=~[[a]]"], "keep for later"),
    ],
)
def test_what_is_no_matcher_is_named(texts: list[str], said: str) -> None:
    """With what to write in its place; an expression must not be able to stop the evaluation."""
    with pytest.raises(InputError, match=re.escape(said)):
        parse_matchers(texts)


@example("rule", "=", "\x1f~")
@example("rule", "=", '" a"')
@example("rule", "=", '""a""')
@given(st.sampled_from(NAMES), st.sampled_from(["=", "!=", "=~", "!~"]), st.text(max_size=20))
def test_matcher_is_written_as_it_is_read(name: str, operator: str, value: str) -> None:
    """What is stored is the text."""
    try:
        [matcher] = parse_matchers([f"{name}{operator}{value}"])
    except InputError:
        return
    assert parse_matchers([str(matcher)]) == (matcher,)
    assert matcher.matches(dict.fromkeys(NAMES, value)) in (True, False)


@settings(max_examples=examples(30), deadline=None)
@given(st.text(alphabet="ab.*+?|()[]{}1,\\", max_size=60))
def test_expression_that_is_taken_ends_in_time(value: str) -> None:
    """Whatever a sender calls its actions; what is exponential would end no run."""
    try:
        [matcher] = parse_matchers([f"action=~{value}"])
    except InputError:
        return
    for text in ("a" * 200, "ab" * 100, "b" * 199 + "x"):
        matcher.matches({**dict.fromkeys(NAMES, ""), "action": text})


def test_text_beyond_its_first_letters_is_not_looked_at() -> None:
    """An attribute may be of any length."""
    assert Matcher("action", "=", "a" * 200).matches({"action": "a" * 10_000})
