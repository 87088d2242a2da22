"""I/O: the statements by which sealed events are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from collector.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.store.migrate import render_view
from collector.store.rerun_view import OUTCOME_CONTENT, SPAN_CONTENT

_SQL: Final = {p.stem: p.read_text() for p in (Path(__file__).parent / "sql").glob("*.sql")}
_PARTS: Final = {
    "content": SPAN_CONTENT,
    "outcome_content": OUTCOME_CONTENT,
    "is_judged": _SQL["is_judged"],
}


def sealed_sql(attributes: AttributesConfig) -> dict[str, str]:
    """Return the statements, with a customer's names where they read sealed values."""
    return {
        name: render_view(with_parts(text), attributes, DecisionsConfig(), OutcomesConfig())
        for name, text in _SQL.items()
    }


def with_parts(text: str) -> str:
    """Put the parts that several statements share into one of them."""
    for name, part in _PARTS.items():
        text = text.replace(f"${{{name}}}", part)
    return text
