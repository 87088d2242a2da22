"""I/O: every error of `/api/v1` as problem details, with the status that says who can mend it."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from collector.core.errors import (
    BusyError,
    InputError,
    MillworthError,
    NotFoundError,
    RequestTooLargeError,
    StoreUnavailableError,
    complaint,
)
from collector.core.http.problem import MEDIA_TYPE
from collector.core.http.response import problem_response
from collector.core.log import get_logger
from dashboard.read.adhoc.sql import engine_error

RETRY_AFTER_S = "5"
# A value that is longer is not shown to who sent it.
_SHOWN_MAX: Final = 60
# What every operation may answer, beside what it is for.
_ALWAYS: Final = {
    "400": "A value is not what the document says; the error names it",
    "401": "Nobody says who asks, or a token is none of ours",
    "403": "Whoever asks has not the role, or the request comes from a page of another site",
    "429": "Too much is asked at once; retry-after says when to ask again",
    "503": "The store is away, or not ready; retry-after says when to ask again",
}
_TAKES: Final = {"404": "There is none of this name"}
_CHANGES: Final = {"409": "It is in a state in which this cannot be done", "413": "Too many bytes"}
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_SCHEMA: Final = {
    "type": "object",
    "title": "Problem",
    "description": "What is wrong, and what to do: problem details of RFC 9457.",
    "properties": {
        "type": {"type": "string", "const": "about:blank", "description": "See status"},
        "title": {"type": "string", "description": "Of the status"},
        "status": {"type": "integer", "description": "Of HTTP"},
        "detail": {"type": "string", "description": "The value that is wrong, and what to do"},
        "instance": {
            "type": "string",
            "format": "uri-reference",
            "description": "The path that was asked for",
        },
    },
    "required": ["type", "title", "status", "detail"],
}
_CONTENT: Final = {MEDIA_TYPE: {"schema": _PROBLEM}}
# As Alertmanager has it.
_V2_CONTENT: Final = {"application/json": {"schema": {"type": "string"}}}

# Others read what they are sent piece by piece, up to limits of their own.
_OURS: Final = "/api/v1/"
_FILES: Final = "/api/v1/import/"
# One half of a pair, escaped or as the bytes that UTF-8 does not have.
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")

_log = get_logger("dashboard")


def add_error_handlers(app: FastAPI) -> None:
    """Answer what is raised below: no error reaches a client as a page, or as nothing.

    And say so in the document.
    """
    describe = app.openapi

    def described() -> dict[str, Any]:
        is_new = app.openapi_schema is None
        document = describe()  # the same one at each call
        if is_new:
            declare_errors(document)
        return document

    app.openapi = described  # type: ignore[method-assign]  # the framework's own way
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(RequestTooLargeError, _too_large)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(MillworthError, _unavailable)
    app.add_exception_handler(ClickHouseError, _store_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, _unexpected)


def declare_errors(document: dict[str, Any]) -> None:
    """Say of every operation of an OpenAPI document which errors it answers, and how it asks who.

    What the framework says of a bad value is not what `add_error_handlers` makes of it.
    """
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = _SCHEMA
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    # Where no tokens are set, whoever is on the machine needs none.
    document["security"] = [{"token": []}, {}]
    for path, verbs in document["paths"].items():
        content = _V2_CONTENT if path.startswith("/api/v2/") else _CONTENT
        for verb, operation in verbs.items():
            takes = "parameters" in operation or verb != "get"
            errors = _ALWAYS | (_TAKES if takes else {}) | (_CHANGES if verb != "get" else {})
            operation["responses"].pop("422", None)
            for status, says in errors.items():
                operation["responses"].setdefault(status, {"description": says, "content": content})


async def require_text(request: Request) -> None:
    """Refuse JSON with half of a surrogate pair, whatever it is called: the store has no such text.

    Raises:
        InputError: there is one.
    """
    path = request.url.path
    if not path.startswith(_OURS) or path.startswith(_FILES):
        return
    body = await request.body()
    if _SURROGATE.search(body) is None:
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start : error.end])
        raise InputError(f"the body has {half}, half of a character; send it whole") from None
    except ValueError:
        return  # told by whoever reads it


async def require_known(request: Request) -> None:
    """Refuse a query parameter that an operation has not, or that is there twice.

    One that is misspelt would be left out, and the answer be to another question: `form` in place
    of `from` would be answered by the last day.

    Raises:
        InputError: there is one.
    """
    route = request.scope.get("route")
    # The path of a route of a router within another has not all of what stands before it.
    if not isinstance(route, APIRoute) or not request.url.path.startswith(_OURS):
        return
    names = _query_names(route)
    asked = [name for name, _ in request.query_params.multi_items()]
    for name in asked:
        if asked.count(name) > 1:
            raise InputError(f"{name[:100]!r} is there {asked.count(name)} times; say it once")
        if name not in names:
            has = f"it has {', '.join(sorted(names))}" if names else "it has none"
            path = route.path_format
            raise InputError(f"{request.method} {path} has no parameter {name[:100]!r}; {has}")


def _query_names(route: APIRoute) -> set[str]:
    names: set[str] = set()
    for field in route.dependant.query_params:
        asked = field.field_info.annotation
        if isinstance(asked, type) and issubclass(asked, BaseModel):
            names |= {each.alias or name for name, each in asked.model_fields.items()}
        else:
            names.add(field.alias)
    return names


async def http_error(request: Request, error: Exception) -> Response:
    """Answer what was raised with its status, or by the framework where it has no such route."""
    assert isinstance(error, HTTPException)
    path, status = request.url.path, error.status_code
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    detail = str(error.detail)
    if detail == HTTPStatus(status).phrase:  # the framework's own word, which is no help
        if status == HTTPStatus.NOT_FOUND:
            detail = f"nothing is at {path[:200]!r}; /api/v1/openapi.json lists what there is"
        elif status == HTTPStatus.METHOD_NOT_ALLOWED:
            # The framework names the methods of the first route of a path alone.
            headers["allow"] = ", ".join(sorted(_methods(request.app, path)))
            detail = f"{request.method} is not for {path[:200]!r}; use {headers['allow']}"
    return problem_response(status, detail, path, headers)


def _methods(app: FastAPI, path: str) -> set[str]:
    """Return the methods of every route that answers a path."""
    return {
        method
        for route in iter_route_contexts(app.router.routes)
        if getattr(route, "path_regex", None) and route.path_regex.match(path)
        for method in route.methods or ()
    }


async def _store_failed(request: Request, error: Exception) -> Response:
    return await _unavailable(request, StoreUnavailableError(engine_error(error)))


async def _refused(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, NotFoundError) else 400
    return problem_response(status, str(error), request.url.path)


async def _too_large(request: Request, error: Exception) -> Response:
    return problem_response(413, str(error), request.url.path)


async def _busy(request: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    headers = {"retry-after": str(error.retry_seconds)}
    return problem_response(429, str(error), request.url.path, headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    _log.error("api_read_failed", path=request.url.path, error=str(error))
    status = 503 if isinstance(error, StoreUnavailableError) else 500
    headers = {"retry-after": RETRY_AFTER_S} if status == 503 else None
    return problem_response(status, str(error), request.url.path, headers)


async def _unexpected(request: Request, _: Exception) -> Response:
    """Answer an error of ours; it goes on to the log with its traceback."""
    return problem_response(
        500, "an error of ours; the log of the service has it", request.url.path
    )


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body") or "body"
    if first["type"] == "json_invalid":
        why = first.get("ctx", {}).get("error", "")
        said = f"the body is not JSON at character {where}: {why}; send JSON"
        return problem_response(400, said, request.url.path)
    if where == "body" and not _says_json(request):
        said = "the body is not said to be JSON; send it with content-type: application/json"
        return problem_response(400, said, request.url.path)
    value = first.get("input")
    is_short = isinstance(value, str | int | float) and 0 < len(str(value)) <= _SHOWN_MAX
    shown = f" {value!r}" if is_short and first["type"] != "extra_forbidden" else ""
    return problem_response(400, f"{where}:{shown} {complaint(first)}", request.url.path)


def _says_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")
