"""Pure: the ids of the spans of a file -> numbers that sort as the ids do.

Client and server of one call may share one span id in Zipkin's traces. The server's half then
hangs under the client's, and what names that id as its parent hangs under the half of its own
service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from attribution.files.collected import Collected, Columns
from attribution.path.spans import CLIENT, SERVER, Bools, Ids, Ints

# Sorts right after the id itself, and no id holds it.
_SERVER_HALF = "\0server"


@dataclass(frozen=True, slots=True)
class Keys:
    """Numbers of span ids; 0 is no id."""

    span: Ids
    parent: Ids
    ranked: list[str]  # the ids by their number, where a file has some that are not 16 digits

    def texts(self, rows: Ints) -> list[str]:
        """Return the ids of these rows as the file spells them, with their leading zeros."""
        span_ids = self.span[rows].tolist()
        if not self.ranked:
            return [f"{each:016x}" for each in span_ids]
        return [self.ranked[each - 1].removesuffix(_SERVER_HALF) for each in span_ids]

    def codes(self, ids: Sequence[str]) -> Ids:
        """Return the numbers of these ids, 0 where no span has one."""
        if self.ranked:
            rank = {each: index for index, each in enumerate(self.ranked, 1)}
            return np.array([rank.get(each, 0) for each in ids], np.uint64)
        return np.array([_number(each) for each in ids], np.uint64)


def keys_of(collected: Collected, columns: Columns, services: Sequence[str]) -> Keys:
    """Return the number of each span and of its parent.

    Args:
        collected: knows the ids that are not sixteen hex digits in lower case.
        columns: the spans.
        services: the service of each origin.
    """
    halves = _halves(collected, columns, services)
    if not collected.odd_ids and not halves:
        return Keys(columns.number, columns.parent, [])
    odd = list(collected.odd_ids)
    texts = _texts(columns.number, columns.is_odd, odd)
    parent = _texts(columns.parent, columns.parent_is_odd, odd)
    if halves:
        _split(collected, columns, services, halves, texts, parent)
    ranked = sorted({*texts, *parent} - {""})
    rank = {each: index for index, each in enumerate(ranked, 1)} | {"": 0}
    return Keys(
        np.array([rank[each] for each in texts], np.uint64),
        np.array([rank[each] for each in parent], np.uint64),
        ranked,
    )


def _texts(number: Ids, is_odd: Bools, odd: Sequence[str]) -> list[str]:
    return [
        odd[each] if is_other else f"{each:016x}" if each else ""
        for each, is_other in zip(number.tolist(), is_odd.tolist(), strict=True)
    ]


def _number(text: str) -> int:
    is_usual = len(text) == 16 and text.isascii() and text == text.lower()
    try:
        return int(text, 16) if is_usual and text.isalnum() else 0
    except ValueError:
        return 0


_Key: TypeAlias = tuple[int, int, bool]  # trace, number, whether it is odd


def _halves(
    collected: Collected, columns: Columns, services: Sequence[str]
) -> dict[_Key, tuple[str, str]]:
    """Return the ids that a client and a server share, and the services of the two halves."""
    row = np.flatnonzero(columns.may_be_shared)
    trace, number, is_odd = columns.trace[row], columns.number[row], columns.is_odd[row]
    order = np.lexsort((is_odd, number, trace))
    row, trace, number, is_odd = row[order], trace[order], number[order], is_odd[order]
    again = np.zeros(len(row), bool)
    again[1:] = (trace[1:] == trace[:-1]) & (number[1:] == number[:-1])
    again[1:] &= is_odd[1:] == is_odd[:-1]
    several = again.copy()
    several[:-1] |= again[1:]
    by_key: dict[_Key, dict[int, str]] = {}
    kinds = [trait.kind for trait in collected.traits]
    for index in np.flatnonzero(several).tolist():
        kind, service = kinds[columns.trait[row[index]]], services[columns.origin[row[index]]]
        halves = by_key.setdefault((int(trace[index]), int(number[index]), bool(is_odd[index])), {})
        # Of several the least, so that their order makes no difference.
        halves[kind] = min(halves.get(kind, service), service)
    return {
        key: (halves[CLIENT], halves[SERVER])
        for key, halves in by_key.items()
        if CLIENT in halves and SERVER in halves
    }


def _split(
    collected: Collected,
    columns: Columns,
    services: Sequence[str],
    halves: dict[_Key, tuple[str, str]],
    texts: list[str],
    parent: list[str],
) -> None:
    """Give servers' halves ids of their own, and their children and themselves their parents."""
    kinds = [trait.kind for trait in collected.traits]
    trace, origin = columns.trace.tolist(), columns.origin.tolist()
    ours = zip(columns.number.tolist(), columns.is_odd.tolist(), strict=True)
    theirs = zip(columns.parent.tolist(), columns.parent_is_odd.tolist(), strict=True)
    for row, (key, above) in enumerate(zip(ours, theirs, strict=True)):
        is_server = kinds[columns.trait[row]] == SERVER and columns.may_be_shared[row]
        if is_server and (trace[row], *key) in halves:
            parent[row] = texts[row]
            texts[row] += _SERVER_HALF
            continue
        by_kind = halves.get((trace[row], *above))
        if by_kind is not None and not services[origin[row]] == by_kind[0] != by_kind[1]:
            parent[row] += _SERVER_HALF
