"""Tables as a terminal of any width shows them."""

from __future__ import annotations

import io

import pytest
from rich import box
from rich.console import Console
from rich.table import Table

from dashboard.cli.console import print_table

FIGURES = ("12,658,123.45", "-1,336.70", "99,999,999,999.999999", "0.5", "unknown")


@pytest.mark.parametrize("width", [10, 40, 80, 200])
@pytest.mark.parametrize("no_wrap", [True, False])
def test_no_figure_of_a_table_is_cut(width: int, no_wrap: bool) -> None:
    """Money without its last digits is another amount; words may be folded."""
    table = Table(box=box.SIMPLE)
    table.add_column("what it is of")
    for at in range(len(FIGURES)):
        table.add_column(f"figure {at} of these", justify="right", no_wrap=no_wrap)
    table.add_row("all days of this month", *FIGURES)
    text = io.StringIO()
    out = Console(file=text, width=width, highlight=False)
    print_table(out, table)
    assert "\u2026" not in text.getvalue()
    for figure in FIGURES:
        assert f" {figure} " in text.getvalue()
