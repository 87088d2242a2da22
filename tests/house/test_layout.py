"""The house rules on folders: where a thing lies follows from what it is.

They read the files that git tracks. A failure lists each place and what is wrong with it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

import grimp

from tests.support.tree import ROOMS, assert_none, modules, python_files, tracked, tree

ENTRIES_MAX: Final = 15
# Folders of one kind of thing each, of which there are as many as there are tables and questions.
COLLECTIONS: Final = re.compile(r"(^|/)(sql|adr)(/|$)")
# What lies beside the mirror of the rooms.
BESIDE: Final = {"agents", "behaviour", "browser", "house", "integration", "support"}


def folders() -> dict[str, set[str]]:
    """Return the entries of every folder below the top of the tree."""
    found: dict[str, set[str]] = {}
    for path in tracked():
        parts = PurePosixPath(path).parts
        for depth in range(1, len(parts)):
            found.setdefault("/".join(parts[:depth]), set()).add(parts[depth])
    return found


def test_folder_fits_in_the_head() -> None:
    """A longer listing is a bag in which prefixes do the work of folders."""
    assert_none(
        f"{folder}: {len(entries)} entries, at most {ENTRIES_MAX}"
        for folder, entries in folders().items()
        if len(entries) > ENTRIES_MAX and not COLLECTIONS.search(folder)
    )


def test_name_does_not_repeat_its_folder() -> None:
    """`identifiers_text` beside `identifiers_bytes` is a folder that is not there yet."""
    assert_none(
        f"{path}: begins with the name of its folder"
        for path in python_files(*ROOMS)
        if PurePosixPath(path).stem.startswith(f"{PurePosixPath(path).parent.name}_")
    )


def test_folder_says_what_it_promises() -> None:
    """A reader knows from an __init__ what is here, what it may import, and where to begin."""
    assert_none(
        f"{path}: the docstring of a folder has two lines or more, with where to begin reading"
        for path in python_files(*ROOMS)
        if path.endswith("__init__.py") and path.count("/") > 1
        if "egin with" not in (ast.get_docstring(tree(path)) or "")
    )


def test_tests_mirror_the_rooms() -> None:
    """The test of a module is where the module is; of a behaviour, in tests/behaviour."""
    own = set(modules())
    assert_none(
        f"{path}: there is no module {module}"
        for path in python_files("tests")
        if (parts := PurePosixPath(path).parts)[1] in ROOMS and parts[-1].startswith("test_")
        if (module := "/".join((*parts[1:-1], parts[-1].removeprefix("test_")))) not in own
    )


def test_tests_lie_in_the_mirror_or_beside_it() -> None:
    """One place for each kind of test."""
    assert_none(
        f"{path}: lies neither in a room nor in {', '.join(sorted(BESIDE))}"
        for path in python_files("tests")
        if len(parts := PurePosixPath(path).parts) > 2 and parts[1] not in {*ROOMS, *BESIDE}
    )


def test_nothing_is_imported_from_a_test() -> None:
    """What tests share is in tests/support: a test file may be renamed, split or deleted."""
    assert_none(
        f"{path}:{node.lineno}: imports from {node.module}"
        for path in python_files("tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").rpartition(".")[2].startswith("test_")
    )


def circles(graph: grimp.ImportGraph) -> Iterator[set[str]]:
    """Yield the modules that import each other, each circle once."""
    waiting = {name: set(graph.find_modules_directly_imported_by(name)) for name in graph.modules}
    while free := [name for name, needed in waiting.items() if not needed & waiting.keys()]:
        for name in free:
            del waiting[name]
    needed_by: dict[str, set[str]] = {}
    for name, needed in waiting.items():
        for other in needed & waiting.keys():
            needed_by.setdefault(other, set()).add(name)
    while unneeded := [name for name in waiting if not needed_by.get(name, set()) & waiting.keys()]:
        for name in unneeded:
            del waiting[name]
    if waiting:
        yield set(waiting)


def test_no_module_imports_itself_by_a_way_round() -> None:
    """Two modules that need each other are one, or lack a third."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    assert [sorted(each) for each in circles(graph)] == []
