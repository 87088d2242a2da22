from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rules.imports.promql import EXPRESSION_BYTES_MAX, parse_expression
from tests.support.examples import examples


@pytest.mark.parametrize(
    "nested",
    [
        pytest.param(lambda n: "(" * (n - 1) + "1" + ")" * (n - 1), id="brackets"),
        pytest.param(lambda n: "1" + "^1" * (n - 1), id="powers"),
        pytest.param(lambda n: "a" + "+a" * (n - 1), id="sums"),
        pytest.param(lambda n: "-" * (2 * n - 1) + "1", id="signs"),
    ],
)
def test_deepest_expression_that_is_read_breaks_no_stack(nested: object) -> None:
    """The parser calls itself: what is twice as deep ends the process."""
    text = nested(EXPRESSION_BYTES_MAX // 2)  # type: ignore[operator]  # one of the functions above
    assert len(text) <= EXPRESSION_BYTES_MAX
    parse_expression(text)
    with pytest.raises(ValueError, match="bytes; shorten it to 4,096"):
        parse_expression(text + " " * EXPRESSION_BYTES_MAX)


def test_fault_of_the_parser_is_an_error_like_any_other() -> None:
    """It panics on a range of infinite length, which is no Exception to Python."""
    with pytest.raises(ValueError, match="not PromQL that the parser can read"):
        parse_expression("rate(a[5m:1e309])")


@settings(max_examples=examples(300))
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            ["a", "{", "}", 'x="y"', "=~", '"("', "(", ")", "[5m]", "[5m:1m]", "@ 5", "offset 1h",
             "sum", " by ", "rate", ">", "unless", "on", "NaN", "Inf", "-", "1e999", "é", "\ud800"]
        ),
        max_size=12,
    ).map("".join)
)  # fmt: skip
def test_any_text_is_an_expression_or_a_value_error(text: str) -> None:
    """Whatever a file holds in place of an expression."""
    try:
        parse_expression(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017  either outcome is right
