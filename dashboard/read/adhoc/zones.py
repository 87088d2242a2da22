"""Pure: texts in SQL from outside that the engine would open as files.

The engine reads a time zone from a file of its name, and takes `file:/any/path`, an absolute path
and one with `..` as they stand. A type in a text, such as `DateTime('UTC')`, carries one too. So
where a function may take a zone or a type, the text has to stand there, and to lead nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from collector.core.errors import InputError
from dashboard.read.adhoc.functions import NUMERIC, ZONED, is_aggregate

Tree = dict[str, Any]

# Also within a type, where a quote opens the zone; an escape there could spell any of these.
_LEADS_AWAY: Final = re.compile(
    r"""(?:^|['"`])\s*/|file:|\.\.|\\|aggregatefunction""", re.IGNORECASE
)
# Of a name, which may hold a type: a path in a name is nothing by itself.
_TYPE_LEADS_AWAY: Final = re.compile(r"file:|aggregatefunction", re.IGNORECASE)
# One of these is more than one argument, so that the second may be where the first is.
_EXPANDING: Final = frozenset(
    {"Asterisk", "QualifiedAsterisk", "ColumnsListMatcher", "ColumnsRegexpMatcher"}
    | {"QualifiedColumnsListMatcher", "QualifiedColumnsRegexpMatcher"}
)
# The first argument is what is converted; in these there is none, or more than one come before.
_FIRST_PLACES: Final = {
    **dict.fromkeys(("now", "now64", "nowinblock", "nowinblock64", "today", "timezone"), 0),
    **dict.fromkeys(("current_timestamp", "localtimestamp", "localtime", "utctimestamp"), 0),
    **dict.fromkeys(("utc_timestamp", "curdate", "current_date", "yesterday"), 0),
    "defaultvalueoftypename": 0,
    **dict.fromkeys(("toweek", "week", "toyearweek", "yearweek"), 2),
    **dict.fromkeys(("datetrunc", "date_trunc", "todatetime64", "formatdatetime"), 2),
    **dict.fromkeys(("date_format", "fromunixtimestamp", "from_unixtime"), 2),
    **dict.fromkeys(("datediff", "date_diff", "timestampdiff", "timestamp_diff", "age"), 3),
}
# In these there is none at all.
_WITHOUT: Final = re.compile(r"(?:add|subtract)[a-z]+|to(?:u?int|b?float|decimal)\d+(?:or\w+)?$")
_NOWHERE: Final = 99
# What these return is no text: a number or a time.
_NO_TEXT_TYPE: Final = re.compile(
    r"(?:Nullable\()?(?:U?Int\d+|B?Float\d+|Decimal\d*\b|Bool|Date\b|Date32|DateTime(?:64\(\d\))?\)?$)"
)
_NO_TEXT: Final = re.compile(
    r"(?:to(?:date|u?int|float|decimal\d|start|unix|monday|year|month|quarter|week|hour|minute"
    r"|second|relative|yyyy|lastday|day)|parsedate|add|subtract|make|now|today|yesterday"
    r"|current_(?:timestamp|date)|reinterpretas(?:u?int|float|date))"
)


def judge_zones(function: Tree, aliases: Mapping[str, list[Tree]]) -> None:
    """Refuse a function whose time zone or type is not written out, or leads to a file.

    Args:
        function: the node of a call.
        aliases: by name, what stands for it anywhere in the statement.

    Raises:
        InputError: it does.
    """
    name = str(function["name"]).lower()
    if name not in ZONED and name != "values":
        return
    arguments = function.get("arguments", {}).get("children", ())
    for argument in arguments:
        name_of = str(argument.get("name", "")).lower()
        if argument["type"] in _EXPANDING or (argument["type"], name_of) == ("Function", "untuple"):
            raise InputError(f"{function['name']} takes its arguments one by one here")
    # Of `values` the structure comes first, and rows after it.
    places = slice(0, 1) if name == "values" else slice(_first_place(name), None)
    for argument in arguments[places]:
        _judge(str(function["name"]), argument, aliases, set())


def _first_place(name: str) -> int:
    """Return the first argument of a function that may be a zone or a type."""
    return _NOWHERE if _WITHOUT.match(name) else _FIRST_PLACES.get(name, 1)


def judge_type(text: str) -> None:
    """Refuse a type whose time zone leads to a file."""
    if _TYPE_LEADS_AWAY.search(text):
        raise InputError(f"type {text[:60]!r} is not taken: it may lead to a file")


def _judge(name: str, argument: Tree, aliases: Mapping[str, list[Tree]], judged: set[str]) -> None:
    kind = argument["type"]
    if kind == "Literal":
        value = argument["value"]
        if value["field_type"] in ("String", "Array", "Tuple", "Map") and _LEADS_AWAY.search(
            str(value["value"])
        ):
            raise InputError(f"{str(value['value'])[:60]!r} is not a time zone or a type of {name}")
    elif kind == "Identifier":
        # What has no alias is a column, and so no constant. Each alias is looked at once.
        alias = str(argument["name"])
        if alias not in judged:
            judged.add(alias)
            for meant in aliases.get(alias, ()):
                _judge(name, meant, aliases, judged)
    elif not _is_no_text(argument):
        raise InputError(
            f"{name} may take a time zone or a type here, which has to be written out; where it "
            "is another value, make it a column of a subquery"
        )


def _is_no_text(argument: Tree) -> bool:
    """Return whether a value is a number or a time, whatever it is made of."""
    if argument["type"] == "QueryParameter":
        return _NO_TEXT_TYPE.match(str(argument["param_type"])) is not None
    if argument["type"] != "Function":
        return False
    name = str(argument["name"]).lower()
    if name == "cast":
        written = argument["arguments"]["children"][-1]
        kind = written.get("value", {}).get("value")
        return isinstance(kind, str) and _NO_TEXT_TYPE.match(kind) is not None
    return _returns_no_text(name)


def _returns_no_text(name: str) -> bool:
    lower = name.lower()
    return (
        lower in NUMERIC
        or lower == "length"
        or _NO_TEXT.match(lower) is not None
        or is_aggregate(lower)
    )
