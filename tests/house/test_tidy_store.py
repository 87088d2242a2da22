"""The house rules on SQL and tables, as tests."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support.tree import assert_none, modules, sql_files, text, tracked, tree

MIGRATIONS = "collector/store/schema/migrations"

# Tables of the floor, which serve every room.
SHARED_TABLES = {"audit", "job_cursors", "schema_migrations"}


def statement(path: str) -> str:
    """Return SQL without comments and without the content of its literals."""
    code = re.sub(r"--[^\n]*", "", text(path))
    return re.sub(r"'(?:[^'\\]|\\.)*'", "''", code)


def test_query_says_what_it_returns() -> None:
    """The header is the type that its reader gives it."""
    assert_none(
        f"{path}: no `-- Returns:`" for path in sql_files() if "-- Returns:" not in text(path)
    )


def test_query_takes_its_instant_from_the_caller() -> None:
    """A query that asks for the time itself cannot be repeated."""
    assert_none(
        f"{path}: calls {found[0]}"
        for path in sql_files()
        if (found := re.search(r"\b(now|now64|today|yesterday)\s*\(", statement(path)))
    )


def test_ids_of_a_step_are_a_subquery() -> None:
    """The engine makes a list of more than a mebibyte anew for each row, which takes minutes."""
    few = {"left_out"}  # names of actions, from the settings
    assert_none(
        f"{path}: IN {{{name}}}; write IN (SELECT arrayJoin({{{name}:Array(String)}}))"
        for path in sql_files()
        if path.startswith("attribution/")
        for name in re.findall(r"\bIN \{(\w+):Array\(String\)\}", statement(path))
        if name not in few
    )


def test_migration_is_one_statement_with_its_reasons() -> None:
    """A statement that can be run again is what lets a killed start resume."""
    heads = ("-- Why: ", "-- Sorted: ", "-- Read by: ", "-- Blocking: ")

    def wrong(path: str) -> Iterator[str]:
        if not re.fullmatch(r"\d{3}_[a-z]+_[a-z0-9_]+\.sql", Path(path).name):
            yield f"{path}: not NNN_verb_noun.sql"
        yield from (f"{path}: no `{head.strip()}`" for head in heads if head not in text(path))
        if ";" in statement(path).strip().rstrip(";"):
            yield f"{path}: more than one statement"

    assert_none(problem for path in migration_files() for problem in wrong(path))


def test_migrations_are_numbered_once_and_the_last_is_named() -> None:
    """Two branches that take one number conflict in LATEST, in git and not in production."""
    groups: dict[str, list[str]] = {}
    for path in migration_files():
        groups.setdefault(str(Path(path).parent), []).append(Path(path).stem)
    for folder, names in groups.items():
        numbers = [name[:3] for name in names]
        assert len(set(numbers)) == len(numbers), folder
        assert text(f"{folder}/LATEST").strip() == max(names), folder


def migration_files() -> list[str]:
    """Return the migrations."""
    return [p for p in tracked() if p.startswith(f"{MIGRATIONS}/") and p.endswith(".sql")]


def test_no_string_is_built_into_sql() -> None:
    """Values are bound; only the store's own floor renders statements."""
    verbs = {"command", "query", "query_arrow", "query_df", "query_np", "query_rows_stream"}

    def wrong(node: ast.AST) -> bool:
        if isinstance(node, ast.JoinedStr):
            text_parts = "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
            return bool(re.match(r"\s*(SELECT|INSERT INTO|ALTER|CREATE TABLE|WITH) ", text_parts))
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            return False
        sql = node.args[0]
        built = isinstance(sql, ast.JoinedStr | ast.BinOp) or (
            isinstance(sql, ast.Call) and ast.unparse(sql.func).endswith(".format")
        )
        return node.func.attr in verbs and built

    assert_none(
        f"{path}:{node.lineno}: SQL is built from parts; bind {{name:Type}} parameters"
        for path in modules()
        if not path.startswith("collector/store/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.expr) and wrong(node)
    )


def inserts(path: str) -> Iterator[str]:
    """Yield the tables that a module inserts into, as far as they are named in it."""
    names = {
        target.id: node.value.value
        for node in tree(path).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr not in {"insert", "insert_df", "insert_arrow", "raw_insert"}:
            continue
        target_node = node.args[0]
        if isinstance(target_node, ast.Constant) and isinstance(target_node.value, str):
            yield target_node.value
        elif isinstance(target_node, ast.Name) and isinstance(names.get(target_node.id), str):
            yield str(names[target_node.id])


def test_table_has_one_room_that_writes_it() -> None:
    """`git grep` leads from a table to its writer in one hop."""
    writers: dict[str, set[str]] = defaultdict(set)
    # A benchmark fills a store of its own in place of the room that would.
    for path in (path for path in modules() if "/bench" not in path):
        for table in inserts(path):
            writers[table].add(path.split("/")[0])
    for path in (p for p in tracked() if p.endswith(".sql") and "/bench" not in p):
        for table in re.findall(r"\b(?:INSERT INTO|VIEW [^\n]* TO) (\w+)", text(path)):
            writers[table].add(path.split("/")[0])

    assert_none(
        f"{table}: written by {', '.join(sorted(rooms))}"
        for table, rooms in sorted(writers.items())
        if len(rooms) > 1 and table not in SHARED_TABLES
    )


def test_page_says_of_each_table_how_often_an_item_is_there() -> None:
    """Whoever counts rows wants to know whether a sender's retry is one of them."""
    made = {
        name
        for path in tracked()
        if path.startswith(MIGRATIONS) and path.endswith(".sql")
        for name, engine in re.findall(
            r"CREATE TABLE IF NOT EXISTS (\w+)(?s:.*?)ENGINE = (?:\$\{replicated\})?(\w+)",
            text(path),
        )
        + [(name, "View") for name in re.findall(r"CREATE VIEW IF NOT EXISTS (\w+)", text(path))]
        if engine not in ("Null", "Distributed")
    }
    section = (
        text("docs/reference/store.md")
        .partition("## Once, or at least once")[2]
        .partition("\n## ")[0]
    )
    said = re.findall(r"^\| ([^|]*`[^|]*) \|", section, re.MULTILINE)
    named = {name for cell in said for name in re.findall(r"`(\w+)`", cell)}

    assert len(made) > 40
    assert named == made | {"schema_migrations"}
