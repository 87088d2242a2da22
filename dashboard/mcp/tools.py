"""Pure: the tools: which reads of `/api/v1` agents may make, and the schemas of what they take.

Names, arguments and words of a tool are those of its operation in the OpenAPI document, so what a
tool answers is what `/api/v1` does, and a tool that changes something cannot be written down here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from collector.core.http.path import path_part

_COMPONENTS: Final = "#/components/schemas/"
_BODY: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Tool:
    """One read of `/api/v1`.

    Args:
        name: by which agents call it.
        path: of the operation.
        use: when to call it, beside what the operation says.
        page: where a person sees the same; {} stands for an argument of the path. "" for nowhere.
        posts: whether the question is a body.
    """

    name: str
    path: str
    use: str
    page: str = ""
    posts: bool = False

    @property
    def method(self) -> str:
        """Return the HTTP method."""
        return "POST" if self.posts else "GET"


TOOLS: Final = (
    Tool("alerts", "/api/v1/alerts/open", "Begin here: what fires, and what it costs.", "/alerts"),
    Tool("alert_history", "/api/v1/alerts", "Alerts of a range, with an example decision."),
    Tool("incident", "/api/v1/alerts/{episode_id}/report", "All about one alert.", "/alerts/{}"),
    Tool("decisions", "/api/v1/decisions", "Which decisions were slow, and what they lost."),
    Tool("decision", "/api/v1/decisions/{decision_id}", "Where its time went.", "/decision?id={}"),
    Tool("trace", "/api/v1/traces/{trace_id}", "Every span as it was sent."),
    Tool("compare", "/api/v1/compare", "Why some are slower, or fail more.", posts=True),
    Tool("what_if", "/api/v1/what-if", "What a change of latency would be worth.", posts=True),
    Tool("budgets", "/api/v1/budgets", "What is promised, and what was measured.", "/budgets"),
    Tool("debt", "/api/v1/vram/debt", "What to mend first, ranked by money."),
    Tool("rules", "/api/v1/rules", "What pages, and what is in shadow."),
    Tool("health", "/api/v1/health", "Whether the figures of others can be trusted.", "/health"),
    Tool("query", "/api/v1/query", "SQL, where no other tool answers.", posts=True),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A tool as agents see it."""

    tool: Tool
    description: str
    schema: dict[str, Any]  # of its arguments, JSON Schema 2020-12
    in_path: tuple[str, ...]  # arguments that are parts of the path


@dataclass(frozen=True, slots=True)
class Question:
    """A request to `/api/v1`."""

    method: str
    path: str
    query: dict[str, Any]
    body: dict[str, Any] | None
    page: str  # where a person sees the same


def offers(document: Mapping[str, Any]) -> dict[str, Offer]:
    """Return every tool that an OpenAPI document has the operation of, by name."""
    by_name = {}
    for tool in TOOLS:
        operation = document["paths"].get(tool.path, {}).get(tool.method.lower())
        if operation is not None:
            by_name[tool.name] = _offer(tool, operation, document["components"]["schemas"])
    return by_name


def question(offer: Offer, arguments: Mapping[str, Any]) -> Question:
    """Return what to ask for a call of a tool; arguments are judged by whoever answers it.

    Raises:
        KeyError: an argument of the path is missing.
    """
    parts = {name: path_part(str(arguments[name])) for name in offer.in_path}
    others = {name: value for name, value in arguments.items() if name not in parts}
    tool = offer.tool
    return Question(
        tool.method,
        tool.path.format(**parts),
        {} if tool.posts else {name: _text(value) for name, value in others.items()},
        others if tool.posts else None,
        tool.page.format(*parts.values()),
    )


def _offer(tool: Tool, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Offer:
    use = f"{tool.use} {operation.get('description') or operation.get('summary', '')}".strip()
    parameters = operation.get("parameters", [])
    if tool.posts:
        content = operation["requestBody"]["content"][_BODY]["schema"]
        top = dict(schemas[content["$ref"].removeprefix(_COMPONENTS)])
    else:
        top = {
            "type": "object",
            "properties": {
                each["name"]: {"description": each.get("description", ""), **each["schema"]}
                for each in parameters
            },
            "required": [each["name"] for each in parameters if each.get("required")],
            "additionalProperties": False,
        }
    parts = {name: schemas[name] for name in sorted(set(_named(top, schemas)))}
    schema = _local(top | ({"$defs": parts} if parts else {}))
    in_path = tuple(each["name"] for each in parameters if each["in"] == "path")
    return Offer(tool, use, schema, in_path)


def _named(
    schema: object, schemas: Mapping[str, Any], known: frozenset[str] = frozenset()
) -> Iterator[str]:
    """Yield the components that a schema needs, and those that these need."""
    if isinstance(schema, Mapping):
        ref = schema.get("$ref")
        if isinstance(ref, str) and ref.removeprefix(_COMPONENTS) not in known:
            name = ref.removeprefix(_COMPONENTS)
            yield name
            yield from _named(schemas[name], schemas, known | {name})
        for value in schema.values():
            yield from _named(value, schemas, known)
    elif isinstance(schema, list):
        for value in schema:
            yield from _named(value, schemas, known)


def _local(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(schema).replace(_COMPONENTS, "#/$defs/"))
    return found


def _text(value: object) -> object:
    """Return a value as a query has it: what is not simple as JSON."""
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)
