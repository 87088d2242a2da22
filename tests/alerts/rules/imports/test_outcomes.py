from __future__ import annotations

import promql_parser
import pytest

from alerts.rules.imports.found import UnmappableError
from alerts.rules.imports.outcomes import (
    FLAG,
    GRPC,
    HTTP,
    SUCCESS,
    Universe,
    bad_settings,
    ranges,
)


def selected(universe: Universe, matcher: str) -> frozenset[int]:
    """Return the outcomes that a matcher of the label `x` selects."""
    tree = promql_parser.parse(f"a{{x{matcher}}}")
    assert isinstance(tree, promql_parser.VectorSelector)
    [found] = tree.matchers.matchers
    return universe.selected(found)


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        ('="500"', ((500, 500),)),
        ('=~"5.."', ((500, 599),)),
        ('=~"^5.*$"', ((500, 599),)),
        ('=~"(5..|429)"', ((429, 429), (500, 599))),
        ('=~"[45][0-9]{2}"', ((400, 599),)),
        ('=~"4xx|5xx"', ((400, 599),)),
        ('=~"(?i:5XX)"', ((500, 599),)),
        ('!~"5.."', ((100, 499),)),
        ('!="200"', ((100, 199), (201, 599))),
        ('=~"5..|<error>|failed"', ((500, 599),)),
        ('="OK"', ()),
    ],
)
def test_statuses_that_a_label_selects(matcher: str, expected: tuple[tuple[int, int], ...]) -> None:
    """By what Prometheus would match, spelled as exporters do."""
    assert ranges(selected(HTTP, matcher)) == expected


def test_outcomes_have_many_spellings() -> None:
    """gRPC codes by name and number, results by word."""
    assert selected(GRPC, '=~"Internal|unavailable|DATA_LOSS|2"') == {13, 14, 15, 2}
    assert selected(GRPC, '!="OK"') == GRPC.all - {0}
    assert selected(GRPC, '!="ok"') == GRPC.all - {0}
    assert selected(FLAG, '="STATUS_CODE_ERROR"') == {1}
    assert selected(SUCCESS, '="false"') == {1}


def test_no_pattern_keeps_the_service_busy() -> None:
    """Those that take other engines minutes for a text of three digits."""
    for pattern in ("((((.*)*)*)*)*x", "(?:.?.?.?){30}x", "(a*)*b", "(?:(?:.?){20}){20}x"):
        assert selected(HTTP, f'=~"{pattern}"') in (frozenset(), HTTP.all)


@pytest.mark.parametrize(
    ("universe", "bad", "reason"),
    [
        (FLAG, frozenset({0, 1}), "went well would be the bad ones"),
        (GRPC, frozenset({0, 2}), "answered OK would be among the bad"),
        (GRPC, frozenset({8}), "which gRPC code"),
    ],
)
def test_outcomes_that_no_setting_states_are_refused(
    universe: Universe, bad: frozenset[int], reason: str
) -> None:
    """Rather than something near them."""
    with pytest.raises(UnmappableError, match=reason):
        bad_settings(universe, bad)
