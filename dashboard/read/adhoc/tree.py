"""Pure: which parsed SQL from outside may run.

ClickHouse parses the statement (`parseQueryToJSON`) and its tree is judged by lists of what is
allowed: kinds of nodes and their parts, functions (`sql_functions.txt`), table functions, tables of
one database. What is on no list is refused, so a part of the language that is new, or that nobody
thought of, is closed. Nothing is judged by the text, where a name has many spellings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from collector.core.errors import InputError
from dashboard.read.adhoc.functions import FUNCTIONS, is_known_function
from dashboard.read.adhoc.zones import judge_type, judge_zones

Tree = dict[str, Any]

ANSWERED: Final = (
    "SELECT, WITH, SHOW TABLES, SHOW CREATE TABLE, DESCRIBE, EXISTS and EXPLAIN SELECT are answered"
)
# What may name rows without a table of ours.
TABLE_FUNCTIONS: Final = frozenset(
    {"numbers", "numbers_mt", "zeros", "zeros_mt", "generate_series", "generateseries", "values"}
)
# The second argument of these may be the name of a table.
_IN_FUNCTIONS: Final = frozenset(
    {"in", "notin", "globalin", "globalnotin", "nullin", "notnullin", "globalnullin"}
    | {"globalnotnullin"}
)
# Databases that every ClickHouse has; no column of ours has such a name before its dot.
_FOREIGN_DATABASES: Final = frozenset({"system", "information_schema", "default"})
_EXPLAINS: Final = frozenset(
    {
        "EXPLAIN",
        "EXPLAIN SYNTAX",
        "EXPLAIN QUERY TREE",
        "EXPLAIN PIPELINE",
        "EXPLAIN ESTIMATE",
    }
)

_OUTPUT: Final = "is_outfile_append is_outfile_truncate is_into_outfile_with_stdout "
# Every kind of node that is taken, and every part that it may have.
_PARTS: Final = {
    kind: frozenset(parts.split())
    for kind, parts in {
        "ArrayJoin": "kind expression_list",
        "Asterisk": "transformers",
        "Collation": "collation",
        "ColumnsApplyTransformer": "lambda lambda_arg func_name parameters",
        "ColumnsExceptTransformer": "children pattern is_strict",
        "ColumnsListMatcher": "column_list transformers",
        "ColumnsRegexpMatcher": "pattern transformers",
        "ColumnsReplaceTransformer": "children is_strict",
        "ColumnsReplaceTransformerReplacement": "name children",
        "ColumnsTransformerList": "children",
        "ExplainQuery": _OUTPUT + "kind query settings",
        "ExpressionList": "children",
        "Function": "name arguments alias is_operator is_lambda_function kind parameters "
        "window_definition is_window_function window_name",
        "Identifier": "name name_parts alias",
        "InterpolateElement": "column expr",
        "Literal": "value alias",
        "OrderByElement": "direction nulls_direction nulls_direction_was_explicitly_specified "
        "expression with_fill fill_from fill_step fill_to collation",
        "QualifiedAsterisk": "qualifier transformers",
        "QualifiedColumnsListMatcher": "qualifier column_list transformers",
        "QualifiedColumnsRegexpMatcher": "pattern qualifier transformers",
        "QueryParameter": "name param_type alias",
        "SampleRatio": "numerator denominator",
        "SelectIntersectExceptQuery": "final_operator children",
        "SelectQuery": "with recursive_with distinct select tables prewhere where group_by "
        "group_by_all group_by_with_rollup group_by_with_cube "
        "group_by_with_grouping_sets having window qualify order_by order_by_all interpolate "
        "limit_by limit_by_length limit_by_offset limit_length limit_offset limit_with_ties",
        "SelectWithUnionQuery": _OUTPUT + "union_mode list_of_modes list_of_selects",
        "ShowTablesQuery": _OUTPUT + "like not_like case_insensitive_like",
        "Subquery": "children alias cte_name",
        "TableExpression": "database_and_table_name subquery table_function final sample_size "
        "sample_offset column_aliases",
        "TableIdentifier": "name name_parts alias",
        "TableJoin": "kind strictness locality using_expression_list on_expression",
        "TablesInSelectQuery": "children",
        "TablesInSelectQueryElement": "table_expression table_join array_join",
        "WindowDefinition": "parent_window_name partition_by order_by frame_is_default frame_type "
        "frame_begin_type frame_begin_preceding frame_begin_offset frame_end_type "
        "frame_end_preceding frame_end_offset",
        "WindowListElement": "name definition",
        "WithElement": "name subquery aliases",
    }.items()
}
_REMEDIES: Final = {
    "group_by_with_totals": "WITH TOTALS is not taken: an answer is rows; use GROUP BY ROLLUP(...)",
    "out_file": "INTO OUTFILE writes a file; take the rows from the answer",
    "format_ast": "FORMAT is not taken: the answer is always JSON; leave it out",
    "settings": "SETTINGS are not taken; the limits of this service hold",
    "settings_ast": "SETTINGS are not taken; the limits of this service hold",
}


@dataclass(frozen=True, slots=True)
class AllowedStatement:
    """What has to be asked of a statement that passes."""

    # In lower case. One that is no column may be a function, as in `arrayMap(file, ...)`, so none
    # of them may name a function of the engine.
    names: frozenset[str]
    has_parameters: bool


def judge(tree: Tree, database: str) -> AllowedStatement:
    """Let a statement pass, or say what of it is not taken.

    Raises:
        InputError: it is not a read of tables of `database` by functions that only compute.
    """
    if tree["type"] not in ("SelectWithUnionQuery", "ExplainQuery", "ShowTablesQuery"):
        raise InputError(f"{tree['type'].removesuffix('Query')} is not read-only; {ANSWERED}")
    if tree["type"] == "ExplainQuery":
        # Options of EXPLAIN itself, such as `indexes = 1`; the engine knows no others there.
        tree = {key: value for key, value in tree.items() if key != "settings"}
        _judge_explain(tree)
    nodes = []
    aliases: dict[str, list[Tree]] = {}
    for node in _nodes(tree):
        _judge_parts(node)
        nodes.append(node)
        if "alias" in node:
            aliases.setdefault(str(node["alias"]), []).append(node)
    names, has_parameters = set(), False
    for node in nodes:
        kind = node["type"]
        if kind == "Function":
            judge_zones(node, aliases)
        if kind in ("Function", "ColumnsApplyTransformer"):
            _judge_function(node, database)
        elif kind == "TableExpression":
            _judge_table_function(node.get("table_function"))
        elif kind == "TableIdentifier":
            _judge_table(node, database)
        elif kind == "Identifier":
            _judge_identifier(node, database)
            names.add(str(node["name"]).lower())
        elif kind == "QueryParameter":
            has_parameters = True
            _judge_parameter(node)
    return AllowedStatement(frozenset(names - FUNCTIONS), has_parameters)


def _judge_explain(tree: Tree) -> None:
    kind = tree["kind"]
    if kind not in _EXPLAINS:
        raise InputError(f"{kind[:40]} is not taken; send EXPLAIN and a SELECT")
    if tree.get("query", {}).get("type") != "SelectWithUnionQuery":
        raise InputError("EXPLAIN is taken of a SELECT alone")


def _judge_parts(node: Tree) -> None:
    kind = node["type"]
    if kind not in _PARTS:
        raise InputError(f"sql has a {kind[:60]}, which is not taken here; send a plain SELECT")
    for part, value in node.items():
        if part == "type" or part in _PARTS[kind]:
            if part.startswith("is_") and "outfile" in part and value:
                raise InputError(_REMEDIES["out_file"])
            continue
        raise InputError(
            _REMEDIES.get(part, f"{part!r} of a {kind} is not taken here; send a plain SELECT")
        )


def _judge_function(node: Tree, database: str) -> None:
    """Judge a name in the place of a function; APPLY has it in a part of its own."""
    name = str(node.get("name") or node.get("func_name") or "lambda")
    if not is_known_function(name) and name.lower() not in TABLE_FUNCTIONS:
        raise InputError(closed_function(name))
    arguments = node.get("arguments", {}).get("children", ())
    if name.lower() in _IN_FUNCTIONS and len(arguments) == 2:
        right = arguments[1]
        if right["type"] == "Identifier" and len(right.get("name_parts", ())) > 1:
            _judge_table(right, database)


def _judge_table_function(function: Tree | None) -> None:
    name = str(function["name"]) if function else ""
    if function and name.lower() not in TABLE_FUNCTIONS:
        raise InputError(
            f"table function {name[:60]} is not taken here; these are: "
            + ", ".join(sorted(TABLE_FUNCTIONS))
        )


def _judge_table(node: Tree, database: str) -> None:
    """A name without a database is looked up in ours, so it cannot lead elsewhere."""
    parts = node.get("name_parts", [node["name"]])
    if not node["name"] or len(parts) > 2 or (len(parts) == 2 and parts[0] != database):
        raise InputError(
            f"table {node['name'][:100]!r} is not of database {database}; SHOW TABLES names those "
            "that can be read"
        )


def _judge_parameter(node: Tree) -> None:
    judge_type(node["param_type"])
    if "identifier" in node["param_type"].lower():
        raise InputError(
            f"parameter {node['name']} is an Identifier; parameters are values, write the name "
            "into the statement"
        )


def _judge_identifier(node: Tree, database: str) -> None:
    parts = node.get("name_parts", ())
    # A part of a value is named by its type, as in d.`DateTime('UTC')`.
    judge_type(str(node["name"]))
    if len(parts) > 1 and parts[0].lower() in _FOREIGN_DATABASES - {database}:
        raise InputError(
            f"{node['name'][:100]!r} is of database {parts[0]}, which is not read here"
        )


def closed_function(name: str) -> str:
    """Return why a function is refused."""
    return (
        f"function {name[:60]} is not taken here; functions that compute on rows are, what reads "
        "files, settings or other machines is not"
    )


def _nodes(tree: Tree) -> Iterator[Tree]:
    """Walk every node, without recursion: how deep a statement nests is its sender's choice."""
    waiting: list[object] = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            # The value of a literal is typed by `field_type`; it holds values and no code.
            if "type" in value:
                yield value
            elif "field_type" not in value:
                raise InputError("sql was parsed to something unknown; send a plain SELECT")
            if value.get("type") != "Literal":
                waiting += value.values()
        elif isinstance(value, list):
            waiting += value
