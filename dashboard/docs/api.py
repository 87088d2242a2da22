"""I/O: the page docs/reference/api.md, from the OpenAPI document of `/api/v1`; a test holds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from collector.core.config import AttributesConfig, StoreConfig
from collector.core.counters import Counters
from collector.store.connect import Connections
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.docs.table import table
from dashboard.health.items import NoHealth
from dashboard.web.roles import TABLE

_HEAD: Final = """# API

`/api/v1` on the dashboard's port (8050) answers in JSON. The machine-readable description is
`/api/v1/openapi.json`, OpenAPI 3.1. The commands and the pages use the same routes.

- **Token.** Where the settings have a token, each request needs one with the role of the last
  column, or one that includes it: `authorization: Bearer mwt_...`. `outcomes` and `alerts` are
  scopes of senders, each enough by itself: see [security](../operate/security.md#roles).
- **Times** in parameters are as in a page's address: `window` is a number with `s`, `m`, `h` or
  `d`, `until` is ISO 8601, by default now. Fields that end in `_ns` are integers, Unix nanoseconds
  or a duration; read them as 64-bit integers, not as floating numbers.
- **Probes**: `/healthz` and `/readyz` on the same port need no token; `/metrics` needs `viewer`:
  [metrics](metrics.md).
- **Money** is a decimal string where it is exact, a number where it is an estimate, in
  `attribution.currency`: the header `millworth-currency` of each answer names it. Fields named
  `_usd` are amounts in it too, whichever it is.
- **Errors** are problem details of RFC 9457, `application/problem+json`: `type` (`about:blank`: the
  status is the kind), `title`, `status`, `detail` (the value that is wrong, and what to do) and
  `instance` (the path). 400 for what the question is, a query parameter that an operation has not
  included, 401, 403 and 429 for who asks and how often,
  404 for what is not there, 405 for a wrong method, 409 for a state in which it cannot be done, 413
  for what is too large, 503 with `Retry-After` while the store or the pages are not ready.
  `/api/v2/alerts` answers a JSON text instead, as Alertmanager does.
- **Pages.** A list that comes in pages takes `after` and `limit`; its answer has `next`, which is
  `after` of the page that follows, and empty on the last. A list without `after` is whole.
- **Names.** Each operation has one tag, by which this page is ordered, and an operation id that
  stays: a verb and what it is about, such as `list_alerts`.

This page is written by `make example`.

"""
_PLAIN: Final = re.compile(r":path\}")
_VERBS: Final = ("get", "post", "put", "patch", "delete")


def api_page() -> str:
    """Return the page."""
    document = openapi()
    operations = [
        (verb, path, operation)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
        if verb in _VERBS
    ]
    topics = "".join(_topic(tag, operations) for tag in document["tags"])
    schemas = document["components"]["schemas"]
    return (_HEAD + topics + "".join(_schemas(schemas))).rstrip() + "\n"


def _topic(tag: dict[str, str], operations: list[tuple[str, str, dict[str, Any]]]) -> str:
    """Return the operations of one tag."""
    rows = (
        (
            f"`{verb.upper()} {path}`<br>`{operation['operationId']}`",
            _takes(operation),
            _returns(operation),
            _role(verb, path),
        )
        for verb, path, operation in operations
        if operation["tags"] == [tag["name"]]
    )
    # Not the name alone, which is that of a schema below too.
    head = f"## Operations: {tag['name']}\n\n{tag['description']}.\n\n"
    return head + table(("request", "takes", "returns", "role"), rows)


def openapi() -> dict[str, Any]:
    """Return the document of a service with all of its parts; no store is opened."""
    store = Connections(StoreConfig())
    job = AttributionJob(AttributionConfig(), AttributesConfig(), store)
    return create_api(AppContext(store, NoHealth(), Counters(), attribution_job=job)).openapi()


def _role(verb: str, path: str) -> str:
    # The document leaves away how a parameter is matched.
    [need] = {
        need for route, need in TABLE.items() if _PLAIN.sub("}", route) == f"{verb.upper()} {path}"
    }
    return " or ".join(f"`{each}`" for each in need if each)


def _takes(operation: dict[str, Any]) -> str:
    """Return the parameters of the query, and the schema of the body."""
    query = [
        f"`{each['name']}`" + (" (required)" if each.get("required") else "")
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    ]
    content = operation.get("requestBody", {}).get("content", {})
    body = [f"body: {_name(each.get('schema', {}))}" for each in content.values()]
    return ", ".join(query + body)


def _returns(operation: dict[str, Any]) -> str:
    """Return the first sentence of the description, and the schema of a good answer."""
    first = operation.get("description", "").split("\n\n")[0]
    content = operation["responses"].get("200", {}).get("content", {})
    return " ".join((first, *(_link(_name(each.get("schema", {}))) for each in content.values())))


def _link(name: str) -> str:
    return f"([`{name}`](#{name.lower()}))" if name and name[0].isupper() else ""


def _name(schema: dict[str, Any]) -> str:
    """Return the name of a schema, or what kind of value it is."""
    if reference := schema.get("$ref"):
        return str(reference).rsplit("/", 1)[-1]
    if options := schema.get("anyOf"):
        return " or ".join(_name(each) for each in options)
    if schema.get("type") == "array":
        return f"list of {_name(schema.get('items', {}))}"
    if isinstance(inner := schema.get("additionalProperties"), dict):
        return f"object of {_name(inner)}"
    return str(schema.get("format") or schema.get("type") or "any value")


def _schemas(schemas: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of each schema that an answer or a body names, and of those inside it."""
    yield "## Fields\n\n"
    for name in sorted(schemas):
        if name in {"HTTPValidationError", "ValidationError"}:
            continue
        schema = schemas[name]
        if values := schema.get("enum"):
            yield f"### {name}\n\nOne of {', '.join(f'`{value}`' for value in values)}.\n\n"
            continue
        rows = (
            (f"`{field}`", _name(of), of.get("description", ""))
            for field, of in schema.get("properties", {}).items()
        )
        prose = " ".join(schema.get("description", "").split("\n\n")[0].split())
        yield f"### {name}\n\n{prose}\n\n" if prose else f"### {name}\n\n"
        yield table(("field", "type", "means"), rows)
