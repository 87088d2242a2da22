"""Pure: PromQL read into its tree, within bounds."""

from __future__ import annotations

from typing import Any, Final

import promql_parser

# The parser and what frees its tree call themselves once a nesting, and 4,000 of them are more than
# a thread's stack holds. Two bytes are the least that a nesting takes.
EXPRESSION_BYTES_MAX: Final = 4_096


def parse_expression(text: str) -> Any:  # noqa: ANN401  a node of one of ten types
    """Return the tree of an expression.

    Raises:
        ValueError: it is not PromQL, or is longer than a rule is.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > EXPRESSION_BYTES_MAX:
        raise ValueError(
            f"the expression has {size:,} bytes; shorten it to {EXPRESSION_BYTES_MAX:,}, by a "
            "recording rule"
        )
    try:
        return promql_parser.parse(text)
    except UnicodeEncodeError as error:
        raise ValueError("the expression is not Unicode text") from error
    except ValueError as error:
        message = " ".join(str(error).split())[:200]
        raise ValueError(f"it is not PromQL: {message}") from error
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise ValueError(f"it is not PromQL that the parser can read: {error}") from error
