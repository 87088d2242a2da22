"""I/O: refuses what no page of ours asks of Dash, which answers anything else with 500."""

from __future__ import annotations

import json
from typing import Any

from dash import Dash
from dash.fingerprint import check_fingerprint
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collector.core.http.response import problem_response

_CALLBACKS = "/_dash-update-component"
_FILES = "/_dash-component-suites/"
# A page sends what its inputs hold: a figure at the most.
BODY_BYTES_MAX = 4 * 1024 * 1024


class _Property(BaseModel):
    """One property of one component; its value is the callback's to judge."""

    model_config = ConfigDict(extra="allow")

    id: str
    property: str


class _Callback(BaseModel):
    """The body of a callback's request."""

    model_config = ConfigDict(extra="allow")

    output: str
    outputs: _Property | list[_Property]
    inputs: list[_Property]
    state: list[_Property] = []
    changedPropIds: list[str] = []  # noqa: N815  Dash's own name


class DashRequests:
    """Answers 404 for a file that is not there and 400 for a body that is no callback's."""

    def __init__(self, app: ASGIApp, dash_app: Dash) -> None:
        self._app = app
        self._dash = dash_app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on where Dash has what it asks for."""
        if scope["type"] == "http" and scope["path"].startswith(_FILES):
            if not self._is_file(scope["path"].removeprefix(_FILES)):
                await problem_response(404, "no such file", scope["path"])(scope, receive, send)
                return
        elif scope["type"] == "http" and (scope["path"], scope["method"]) == (_CALLBACKS, "POST"):
            try:
                body = await _read(Request(scope, receive))
            except ClientDisconnect:
                return
            fault = self._fault(body)
            if fault:
                await problem_response(400, fault, scope["path"])(scope, receive, send)
                return
            receive = _again(body, receive)
        await self._app(scope, receive, send)

    def _is_file(self, path: str) -> bool:
        package, _, file = path.partition("/")
        return check_fingerprint(file)[0] in self._dash.registered_paths.get(package, ())

    def _fault(self, body: bytes) -> str:
        """Return what is wrong with the body of a callback, "" for nothing."""
        if len(body) > BODY_BYTES_MAX:
            return f"the body is over {BODY_BYTES_MAX} bytes; reload the page"
        try:
            request = _Callback.model_validate(json.loads(body))
        except (ValueError, RecursionError, ValidationError):
            return "the body is not that of a callback; reload the page"
        callback = self._dash.callback_map.get(request.output, {})
        outputs = request.outputs if isinstance(request.outputs, list) else [request.outputs]
        is_list = request.output.startswith("..")  # `..id.property...id.property..`
        # One that runs in the browser has no function here.
        if "callback" not in callback or not (
            is_list == isinstance(request.outputs, list)
            and request.output.strip(".")
            == "...".join(f"{each.id}.{each.property}" for each in outputs)
            and _names(callback["inputs"]) == [(each.id, each.property) for each in request.inputs]
            and _names(callback["state"]) == [(each.id, each.property) for each in request.state]
        ):
            return (
                f"no callback {request.output[:100]!r} with these inputs is here; reload the page"
            )
        return ""


def _names(properties: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["id"], each["property"]) for each in properties]


async def _read(request: Request) -> bytes:
    """Return the body, or as much of it as shows that it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            break
    return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a source of messages that begins with a body that was read before."""
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
