"""The files that git tracks, as the house rules read them."""

from __future__ import annotations

import ast
import gc
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("collector", "packet", "attribution", "alerts", "dashboard")


@cache
def tracked() -> tuple[str, ...]:
    """Return the paths that git tracks and that are here, below the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file())


@cache
def text(path: str) -> str:
    """Return a file's text; what is no text reads as empty."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree(path: str) -> ast.Module:
    """Return a module's syntax tree."""
    parsed = ast.parse(text(path))
    # All trees are kept, a million nodes: looked through for garbage again and again, they cost
    # more than to be parsed.
    gc.freeze()
    return parsed


def python_files(*folders: str) -> list[str]:
    """Return the modules below folders; without one, all of them."""
    chosen = tuple(f"{folder}/" for folder in folders)
    return [p for p in tracked() if p.endswith(".py") and (not chosen or p.startswith(chosen))]


def modules() -> list[str]:
    """Return the modules of the rooms that hold code."""
    return [path for path in python_files(*ROOMS) if not path.endswith("__init__.py")]


def assert_none(found: Iterator[str]) -> None:
    """Fail with every place that was found, one a line."""
    if places := list(found):
        pytest.fail("\n".join(places), pytrace=False)


def imports(path: str) -> Iterator[tuple[int, str]]:
    """Yield line and top package of each import that runs: those for type checking do not."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            skipped.update(child for stmt in node.body for child in ast.walk(stmt))
    for node in ast.walk(tree(path)):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.split(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, (node.module or "").split(".")[0]


def docstrings(path: str) -> set[ast.AST]:
    """Return the nodes that are docstrings."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        node.body[0].value
        for node in ast.walk(tree(path))
        if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)
    }


def sql_files() -> list[str]:
    """Return the queries of the rooms."""
    return [path for path in tracked() if re.fullmatch(r"\w+(/\w+)*/sql/\w+\.sql", path)]
