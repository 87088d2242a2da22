"""Every call of `millworth` on every page is one that the program takes."""

from __future__ import annotations

import pytest
from typer.core import TyperCommand, TyperOption

from dashboard.docs.cli import commands
from tests.support.docs.pages import invocations, pages

KNOWN = {tuple(name.split()[1:]): command for name, command in commands()}
# Of every command; these are not among its parameters.
EVERYWHERE = {"--help", "--version"}


def fault(words: list[str]) -> str:
    """Return what the program would object to in a call, nothing where it takes it."""
    if words[:1] in (["--help"], ["--version"]):
        return ""
    for depth in (3, 2, 1):
        if command := KNOWN.get(tuple(words[:depth])):
            return _fault_behind(command, words[depth:])
    return f"{' '.join(words[:2])} is not a command"


def _fault_behind(command: TyperCommand, words: list[str]) -> str:
    options = {
        spelled: each
        for each in command.params
        if isinstance(each, TyperOption)
        for spelled in (*each.opts, *each.secondary_opts)
    }
    rest = list(words)
    while rest:
        name, _, given = rest.pop(0).partition("=")
        if not name.startswith("-") or name in EVERYWHERE:
            continue
        if name not in options:
            return f"{name} is not an option"
        if not options[name].is_flag and not given:
            if not rest:
                return f"{name} lacks its value"
            rest.pop(0)
    return ""


@pytest.mark.parametrize("page", pages())
def test_calls_of_a_page_are_taken(page: str) -> None:
    """A command or an option that was renamed would fail in the reader's hands."""
    assert [(words, found) for words in invocations(page) if (found := fault(words))] == []


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ("vram rank --by channel", ""),
        ("vrom rank", "vrom rank is not a command"),
        ("vram rank --bye channel", "--bye is not an option"),
        ("demo --for", "--for lacks its value"),
    ],
)
def test_a_wrong_call_is_found(call: str, found: str) -> None:
    """The check itself has to object."""
    assert fault(call.split()) == found


def test_pages_call_the_program_often() -> None:
    """A check that finds no call would pass for ever."""
    assert sum(1 for page in pages() for _ in invocations(page)) > 20
