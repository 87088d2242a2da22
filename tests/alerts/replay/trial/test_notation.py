from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.replay.trial.notation import expand
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("5", [5]),
        ("0+10x3", [0, 10, 20, 30]),
        ("10-2x2", [10, 8, 6]),
        ("3x2", [3, 3, 3]),
        ("_ 1 _x2 stale 2", [None, 1, None, None, None, 2]),
        ("1e3+1e-1x1", [1000, 1000.1]),
        ("-5+5x1", [-5, 0]),
        ("", []),
    ],
)
def test_notation_is_that_of_promtool(text: str, values: list[float | None]) -> None:
    """Whoever has such files need not learn another one."""
    assert expand(text) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1x", "after x comes how often"),
        ("1x-2", "after x comes how often"),
        ("1x2.5", "after x comes how often"),
        ("a", "is not a value"),
        ("1+x3", "is not a value"),
        ("NaN", "can be counted"),
        ("Inf 2", "can be counted"),
        ("1+infx2", "can be counted"),
        ("1x99999999", "100,000 values at the most"),
        ("1x60000 1x60000", "100,000 values at the most"),
    ],
)
def test_mistake_names_the_part_and_the_remedy(text: str, message: str) -> None:
    """A gap is not a zero, and what is not a number is neither."""
    with pytest.raises(ValueError, match=message):
        expand(text)


@settings(max_examples=examples(100))
@given(st.text("0123456789+-x_e. \nstaleNI", max_size=30))
def test_any_text_is_values_or_a_value_error(text: str) -> None:
    """Nothing else comes out of it."""
    try:
        values = expand(text)
    except ValueError:
        return
    assert all(value is None or abs(value) < float("inf") for value in values)
