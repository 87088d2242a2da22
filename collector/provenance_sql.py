"""I/O: the statements by which sealed events are judged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from collector.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.store.migrate import render_view
from collector.store.rerun_view import OUTCOME_CONTENT, SPAN_CONTENT

_SQL: Final = {p.stem: p.read_text() for p in (Path(__file__).parent / "sql").glob("*.sql")}


def sealed_sql(attributes: AttributesConfig) -> dict[str, str]:
    """Return the statements, with a customer's names where they read sealed values."""
    contents = {"${content}": SPAN_CONTENT, "${outcome_content}": OUTCOME_CONTENT}
    statements: dict[str, str] = {}
    for name, text in _SQL.items():
        for part, content in contents.items():
            text = text.replace(part, content)
        statements[name] = render_view(text, attributes, DecisionsConfig(), OutcomesConfig())
    return statements
