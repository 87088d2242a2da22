"""I/O: reads the statements that lie as files in `sql/` folders, and puts their parts together."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

# A comment may name a part, which is not put there.
_PART = re.compile(r"^--.*$|\$\{([^}]+)\}", re.MULTILINE)


@cache
def sql(name: str, of: str) -> str:
    """Return the text of `sql/NAME.sql` of a module's folder, else of the nearest folder above it.

    Args:
        name: of the statement, without `.sql`.
        of: the module's `__file__`, so that a module and its statements can move together.
    """
    folders = [folder / "sql" for folder in Path(of).parents]
    for folder in folders:
        path = folder / f"{name}.sql"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(
        f"there is no {name}.sql in {folders[0]}, nor in a folder sql/ above it"
    )


def fill(text: str, /, **parts: str) -> str:
    """Return a statement with its `${name}` parts put in, all of them.

    Args:
        text: of the statement.
        parts: by name; what is in one is taken as it is. The statement need not have each.

    Raises:
        LookupError: the statement has a part that is not given.
    """

    def part(match: re.Match[str]) -> str:
        name = match[1]
        if name is None:
            return match[0]
        if name not in parts:
            raise LookupError(
                f"a statement has ${{{name}}}, expected one of {', '.join(parts)}; give that part "
                f"where it is filled: {text[:200]}"
            )
        return parts[name]

    return _PART.sub(part, text)


def fill_some(text: str, /, **parts: str) -> str:
    """Return a statement with some of its `${name}` parts put in; `fill` puts in the rest."""
    return _PART.sub(lambda match: parts.get(match[1], match[0]), text)
