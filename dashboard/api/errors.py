"""I/O: every error of `/api/v1` as JSON, with the status that says who can mend it."""

from __future__ import annotations

from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from collector.core.errors import BusyError, InputError, MillworthError, StoreUnavailableError
from collector.core.log import get_logger
from dashboard.read.adhoc.sql import engine_error

RETRY_AFTER_S = "5"
# What every operation may answer, beside what it is for.
_ALWAYS: Final = {
    "401": "A token is needed, or this one is none of ours",
    "403": "The token may not do this, or the request comes from a page of another site",
    "429": "Too much is asked at once; retry-after says when to ask again",
    "503": "The store is away, or not ready; retry-after says when to ask again",
}
_TAKES: Final = {
    "400": "A value is not what the document says; the error names it",
    "404": "There is none of this name",
}
_CHANGES: Final = {"409": "It is in a state in which this cannot be done", "413": "Too many bytes"}
_ERROR: Final = {"$ref": "#/components/schemas/Error"}
_SCHEMA: Final = {
    "type": "object",
    "title": "Error",
    "description": "What is wrong, and what to do.",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}

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
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(MillworthError, _unavailable)
    app.add_exception_handler(ClickHouseError, _store_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


def declare_errors(document: dict[str, Any]) -> None:
    """Say of every operation of an OpenAPI document which errors it answers, and how it asks who.

    What the framework says of a bad value is not what `add_error_handlers` makes of it.
    """
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Error"] = _SCHEMA
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    # Where no tokens are set, whoever is on the machine needs none.
    document["security"] = [{"token": []}, {}]
    for verbs in document["paths"].values():
        for verb, operation in verbs.items():
            takes = "parameters" in operation or verb != "get"
            errors = _ALWAYS | (_TAKES if takes else {}) | (_CHANGES if verb != "get" else {})
            operation["responses"].pop("422", None)
            for status, says in errors.items():
                content = {"application/json": {"schema": _ERROR}}
                operation["responses"].setdefault(status, {"description": says, "content": content})


async def _store_failed(request: Request, error: Exception) -> Response:
    return await _unavailable(request, StoreUnavailableError(engine_error(error)))


async def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


async def _busy(_: Request, error: Exception) -> Response:
    assert isinstance(error, BusyError)
    headers = {"retry-after": str(error.retry_seconds)}
    return JSONResponse({"error": str(error)}, status_code=429, headers=headers)


async def _unavailable(request: Request, error: Exception) -> Response:
    _log.error("api_read_failed", path=request.url.path, error=str(error))
    status = 503 if isinstance(error, StoreUnavailableError) else 500
    headers = {"retry-after": RETRY_AFTER_S} if status == 503 else None
    return JSONResponse({"error": str(error)}, status_code=status, headers=headers)


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return JSONResponse({"error": f"{where or 'body'}: {first['msg']}"}, status_code=400)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(
        {"error": str(error.detail)}, status_code=error.status_code, headers=error.headers
    )
