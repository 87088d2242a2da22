"""What docs/use/imports.md tells to write has to be taken."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collector.imports.outcomes import COLUMNS, OutcomeRow, parse_outcomes
from collector.store.connect import Connections
from collector.store.schema.migrate import migrate
from tests.conftest import NOW_NS
from tests.support.clickhouse.double import Double
from tests.support.docs.pages import READ_NS
from tests.support.tree import text


def block(language: str) -> str:
    """Return the page's one code block in a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", text("docs/use/imports.md"), re.DOTALL)
    return str(found)


def test_lines_of_the_page_are_imported_whole() -> None:
    """A refused line in the example would be copied."""
    rows = list(parse_outcomes("page", block("json").encode(), "USD", READ_NS))

    assert [row.outcome_id for row in rows if isinstance(row, OutcomeRow)] == ["A-1001", "A-1001-r"]


def test_page_names_every_column() -> None:
    """What is not named is not sent."""
    assert [column for column in COLUMNS if f"`{column}`" not in text("docs/use/imports.md")] == []


@pytest.mark.integration
def test_statement_of_the_page_stores_an_order(tmp_path: Path) -> None:
    """A server reads the file; here from the disk, where the page has a bucket."""
    path = tmp_path / "orders.parquet"
    order = {
        "order_id": ["A-1"],
        "is_refund": [False],
        "session_id": ["s-1"],
        "total": [Decimal("49.90")],
        "profit": pa.array([None], pa.decimal128(18, 2)),
        "currency": ["eur"],
        "ordered_at": pa.array([NOW_NS // 1000], pa.timestamp("us", tz="UTC")),
    }
    pq.write_table(pa.table(order), path)
    statement = re.sub(r"s3\('.*', 'Parquet'\)", f"file('{path}', 'Parquet')", block("sql"))

    with Double(tmp_path / "server") as server:
        store = Connections(server.config("writer", "secret"))
        migrate(store.client(), NOW_NS)
        store.client().command(statement)
        rows = store.client().query(
            "SELECT outcome_id, kind, outcome_key, converted, toString(revenue), margin, currency, "
            "event_ns FROM outcomes FINAL"
        )
    assert rows.result_rows == [("A-1", "sale", "s-1", 1, "49.9", None, "EUR", NOW_NS)]
