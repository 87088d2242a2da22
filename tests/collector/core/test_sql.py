"""Statements are found beside the module that reads them, or above it, and their parts filled."""

from __future__ import annotations

from pathlib import Path

import pytest

from collector.core.sql import fill, fill_some, sql


def test_statement_is_the_nearest_above_its_module(tmp_path: Path) -> None:
    """A module and its statements move together; what several folders read lies above them."""
    module = tmp_path / "room" / "folder" / "module.py"
    for folder, text in (("room/folder", "SELECT 1"), ("room", "SELECT 2")):
        (tmp_path / folder / "sql").mkdir(parents=True)
        (tmp_path / folder / "sql" / "one.sql").write_text(text)
    (tmp_path / "room" / "sql" / "two.sql").write_text("SELECT 'ü'", encoding="utf-8")

    assert sql("one", str(module)) == "SELECT 1"
    assert sql("two", str(module)) == "SELECT 'ü'"
    assert sql("one", str(tmp_path / "room" / "other.py")) == "SELECT 2"


def test_statement_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the folder where it should be."""
    with pytest.raises(FileNotFoundError, match=rf"no nowhere\.sql in {tmp_path}/sql"):
        sql("nowhere", str(tmp_path / "module.py"))


def test_parts_of_a_statement_are_filled_and_none_is_left() -> None:
    """A part that nobody fills reached the store, which named a character in the middle of it."""
    text = "-- ${one} is one.sql.\nSELECT ${one}, ${attr:decision.id:Map}"
    some = fill_some(text, one="${two}")
    assert some == "-- ${one} is one.sql.\nSELECT ${two}, ${attr:decision.id:Map}"
    assert fill("SELECT ${one} ${one}", one="${two}", unused="") == "SELECT ${two} ${two}"
    with pytest.raises(LookupError, match=r"has \$\{two\}, expected one of one; .*: SELECT"):
        fill("SELECT ${two}", one="1")
