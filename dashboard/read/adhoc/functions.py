"""Pure: the functions that SQL from outside may call, by what they are (`sql_functions.txt`)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# What an aggregate function may end in (system.aggregate_function_combinators).
_COMBINATORS: Final = (
    *("if", "array", "map", "simplestate", "state", "merge", "foreach", "distinct", "ordefault"),
    *("ornull", "resample", "argmin", "argmax", "null", "tuple"),
)


def _sections() -> dict[str, frozenset[str]]:
    """Read the file: a heading that starts with #, and names in their own spelling."""
    sections: dict[str, set[str]] = {}
    for line in (Path(__file__).parent / "sql_functions.txt").read_text().splitlines():
        if line.startswith("# "):
            names = sections.setdefault(line.removeprefix("# "), set())
        else:
            names |= set(line.lower().split())
    return {heading: frozenset(names) for heading, names in sections.items()}


_SECTIONS: Final = _sections()
FUNCTIONS: Final = frozenset().union(*_SECTIONS.values())
# Those that may take the name of a time zone or of a type.
ZONED: Final = _SECTIONS["May take a time zone or a type"]
AGGREGATES: Final = _SECTIONS["Aggregate Functions"]
# Those that return numbers, whatever they are given.
NUMERIC: Final = frozenset().union(
    *(_SECTIONS[name] for name in ("Arithmetic", "Bit", "Comparison", "Logical", "Mathematical")),
    _SECTIONS["Rounding"],
)


def is_known_function(name: str) -> bool:
    """Return whether a function is on the list, also with endings such as `If` or `MergeState`."""
    return name.lower() in FUNCTIONS or is_aggregate(name)


def is_aggregate(name: str) -> bool:
    """Return whether a name is that of an aggregate function, with any endings."""
    name = name.lower()
    while name not in AGGREGATES:
        ending = next((end for end in _COMBINATORS if name.endswith(end)), None)
        if ending is None:
            return False
        name = name.removesuffix(ending)
    return True
