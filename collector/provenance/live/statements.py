"""I/O: the statements by which sealed events are judged."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.sql import fill_some, sql
from collector.store.schema.backfill import OUTCOME_CONTENT, SPAN_CONTENT
from collector.store.schema.migrate import render_view

_PARTS: Final = {
    "content": SPAN_CONTENT,
    "outcome_content": OUTCOME_CONTENT,
    "is_judged": sql("is_judged", __file__),
    "outcome_name": sql("outcome_name", __file__),
}
_SEALED_OUTCOME: Final = "LogAttributes['provenance.tag'] != ''"


def sealed_sql(
    attributes: AttributesConfig, *, outcomes_required: bool = False
) -> Callable[[str], str]:
    """Return what reads a statement, with a customer's names where it reads sealed values.

    Args:
        attributes: a customer's own names.
        outcomes_required: outcomes without a seal are judged as well.
    """
    is_judged = "true" if outcomes_required else _SEALED_OUTCOME

    @cache
    def read(name: str) -> str:
        text = fill_some(with_parts(sql(name, __file__)), is_judged_outcome=is_judged)
        return render_view(text, attributes, DecisionsConfig(), OutcomesConfig())

    return read


def with_parts(text: str) -> str:
    """Put the parts that several statements share into one of them."""
    return fill_some(text, **_PARTS)
