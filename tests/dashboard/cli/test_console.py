"""Tables as a terminal of any width shows them."""

from __future__ import annotations

import io

import pytest
from rich import box
from rich.console import Console
from rich.table import Table

from dashboard.cli.console import plain, print_table, quoted

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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("тест \U0001f6a8 köln 東京\u3000e\u0301", "тест \U0001f6a8 köln 東京\u3000e\u0301"),
        ("\x1b[2K\x7f\x9b2K\r\n", r"\u001b[2K\u007f\u009b2K\r\n"),
        ("a\u202eb\u2066c\u200bd\u2028e", r"a\u202eb\u2066c\u200bd\u2028e"),
        ("\ud800\ue000\U000e0041", r"\ud800\ue000\udb40\udc41"),
    ],
)
def test_words_are_shown_as_they_are_and_what_drives_a_terminal_as_codes(
    text: str, shown: str
) -> None:
    """A reason in Russian was a row of codes; an escape sequence or an override stays one."""
    assert (plain(text), quoted(text)) == (shown, f'"{shown}"')


def test_name_with_quotes_can_be_copied_into_a_matcher() -> None:
    """`\\"offer\\"` was printed of `"offer"`, which no matcher takes."""
    name = 'say "a\\b"'
    assert (plain(name), quoted(name)) == (name, r'"say \"a\\b\""')
