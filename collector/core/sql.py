"""I/O: reads the statements that lie as files in `sql/` folders."""

from __future__ import annotations

from functools import cache
from pathlib import Path


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
