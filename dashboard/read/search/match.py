"""Pure: which names a text means, the closest first, and where each of them leads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode

Kind = Literal[
    "decision", "alert", "page", "action", "region", "channel", "cohort", "service", "command"
]
TEXT_MAX: Final = 200
# Of names; ids have limits of their own.
HITS_MAX: Final = 20
_OF_A_KIND_MAX: Final = 6


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing that was found. It has an address, or a command to be copied."""

    kind: Kind
    text: str
    note: str
    href: str  # a path of this service, "" for a command
    copy: str  # a command line, "" for what has an address


def closeness(name: str, typed: str) -> int | None:
    """Return 0 for the very name, then its begin, the begin of a word, any part; None for none."""
    folded, text = name.casefold(), typed.casefold().strip()
    if not text or text not in folded:
        return None
    if folded == text:
        return 0
    if folded.startswith(text):
        return 1
    begin = folded.find(text)
    while begin > 0:
        if not folded[begin - 1].isalnum():
            return 2
        begin = folded.find(text, begin + 1)
    return 3


def closest(hits: Iterable[Hit], typed: str) -> list[Hit]:
    """Return the hits whose text or note has what is wanted, the closest first.

    Of one kind at most some, so that a hundred services do not hide a page.
    """
    ranked: list[tuple[int, int, Hit]] = []
    for place, hit in enumerate(hits):
        of_text, of_note = closeness(hit.text, typed), closeness(hit.note, typed)
        # What is meant is a name; its description is a second guess.
        rank = of_text if of_text is not None else None if of_note is None else 4
        if rank is not None:
            ranked.append((rank, place, hit))
    kept: list[Hit] = []
    for _, _, hit in sorted(ranked, key=lambda each: each[:2]):
        if sum(other.kind == hit.kind for other in kept) < _OF_A_KIND_MAX:
            kept.append(hit)
    return kept[:HITS_MAX]


def named_hits(kind: Kind, names: Sequence[str]) -> list[Hit]:
    """Return a hit for each value of a dimension: its decisions."""
    return [
        Hit(kind, name, f"decisions of this {kind}", f"/decisions?{urlencode([(kind, name)])}", "")
        for name in names
    ]


def page_hits(pages: Sequence[tuple[str, str]]) -> list[Hit]:
    """Return a hit for each page, of its path and title."""
    return [Hit("page", title, path, path, "") for path, title in pages]


def command_hits(commands: Sequence[tuple[str, str]]) -> list[Hit]:
    """Return a hit for each command, of its name and what it does."""
    return [
        Hit("command", f"millworth {name}", says, "", f"millworth {name}")
        for name, says in commands
    ]
