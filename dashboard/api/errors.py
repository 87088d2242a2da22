"""I/O: every error of `/api/v1` as JSON, with the status that says who can mend it."""

from __future__ import annotations

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

_log = get_logger("dashboard")


def add_error_handlers(app: FastAPI) -> None:
    """Answer what is raised below: no error reaches a client as a page, or as nothing."""
    app.add_exception_handler(InputError, _refused)
    app.add_exception_handler(BusyError, _busy)
    app.add_exception_handler(MillworthError, _unavailable)
    app.add_exception_handler(ClickHouseError, _store_failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


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
