"""Pure: problem details as an answer of an ASGI application."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from collector.core.http.problem import problem


def problem_response(
    status: int, detail: str, path: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error as whoever asks for a path understands it; see `problem`."""
    kind, body = problem(status, detail, path)
    return Response(body, status, headers, kind)
