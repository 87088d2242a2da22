"""docs/glossary.md explains the words that the pages use and the field does not."""

from __future__ import annotations

import re

import pytest

from tests.support.tree import text

PAGE = "docs/glossary.md"
# What readers from outside met without an explanation.
UNEXPLAINED = (
    "VRAM", "ERV", "slope", "sensitivity", "burn", "basis", "episode", "reference latency",
    "watermark", "canary", "cooling", "quarantine", "withdrawal", "seal", "checkpoint",
)  # fmt: skip


def words() -> list[str]:
    """Return the words of the first column."""
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", text(PAGE), re.MULTILINE)
    return [word.strip() for cell in cells for word in re.sub(r"\(.*?\)", "", cell).split(",")]


@pytest.mark.parametrize("word", UNEXPLAINED)
def test_word_of_ours_is_explained(word: str) -> None:
    """A reader looks it up here."""
    assert word in words()


def test_a_word_stands_for_one_thing() -> None:
    """Two rows for one word, where no bracket tells them apart, are two meanings of it."""
    cells = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", text(PAGE), re.MULTILINE)
    named = [word.strip() for cell in cells for word in cell.split(", ")]
    assert {word for word in named if named.count(word) > 1 and word != "word"} == set()
