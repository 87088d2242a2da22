"""Pages: every relative link leads to a file and a heading, and nothing is a wall of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.tree import ROOT, assert_none, text, tracked

LINK = re.compile(r"\]\(([^)\s]+)\)")
ENTRIES_MAX = 15
PARAGRAPH_WORDS_MAX, CELL_WORDS_MAX = 160, 100


def pages() -> list[str]:
    """Return the Markdown files that git tracks."""
    return [path for path in tracked() if path.endswith(".md")]


def anchors(path: str) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    prose = re.sub(r"```.*?```", "", text(path), flags=re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    }


def broken(page: str, link: str) -> str:
    """Return what is wrong with a link of a page, nothing where it is good."""
    place, _, anchor = link.partition("#")
    target = (ROOT / page).parent / place if place else ROOT / page
    if not target.exists():
        return f"{page}: {link}: there is no such file"
    name = str(target.resolve().relative_to(ROOT.resolve()))
    if anchor and name.endswith(".md") and anchor not in anchors(name):
        return f"{page}: {link}: {name} has no such heading"
    return ""


def test_every_relative_link_leads_somewhere() -> None:
    """A page that moved takes the links to it along."""
    assert_none(
        fault
        for page in pages()
        for link in LINK.findall(re.sub(r"```.*?```", "", text(page), flags=re.DOTALL))
        if not re.match(r"[a-z]+:", link) and (fault := broken(page, link))
    )


def test_pages_that_texts_name_exist() -> None:
    """Help, errors and comments name pages by their path from the root."""
    named = re.compile(r"(?<![\w./-])docs/[\w./-]+\.md")
    assert_none(
        f"{path}: {name}: there is no such page"
        for path in tracked()
        if not path.endswith("uv.lock")
        for name in named.findall(text(path))
        if not (ROOT / name).is_file() and not re.search("specification|NNN", name)
    )


def test_folders_of_the_pages_stay_small() -> None:
    """A folder that fits in the head: at most fifteen entries."""
    folders: dict[Path, set[str]] = {}
    for path in (p for p in tracked() if p.startswith("docs/")):
        parts = Path(path).parts
        for depth in range(1, len(parts)):
            folders.setdefault(Path(*parts[:depth]), set()).add(parts[depth])
    assert_none(
        f"{folder}: {len(names)} entries, at most {ENTRIES_MAX}"
        for folder, names in folders.items()
        if len(names) > ENTRIES_MAX
    )


def test_paragraph_can_be_taken_in_at_once() -> None:
    """Who has an incident skims: a long thought has headings, a list or a table."""
    assert_none(
        f"{page}: {words} words, at most {limit}: {part[:60]!r}"
        for page in pages()
        if "/adr/" not in page and page != "CHANGELOG.md"
        for part, limit in parts(re.sub(r"```.*?```", "\n\n", text(page), flags=re.DOTALL))
        if (words := len(part.split())) > limit
    )


def parts(prose: str) -> Iterator[tuple[str, int]]:
    """Yield paragraphs, items of lists and cells of tables, each with the words it may have."""
    for paragraph in re.split(r"\n\s*\n", prose):
        if paragraph.startswith("|"):
            cells = (cell for row in paragraph.splitlines() for cell in row.split("|"))
            yield from ((cell.strip(), CELL_WORDS_MAX) for cell in cells)
        else:
            items = re.split(r"\n(?=\s*(?:[-*]|\d+\.)\s)", paragraph)
            yield from ((item.strip(), PARAGRAPH_WORDS_MAX) for item in items)
