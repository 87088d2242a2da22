"""What a command makes of the answers of a service."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from collector.core.errors import InputError, MillworthError, StoreUnavailableError
from dashboard.cli.client import ApiClient, answers


def client_of(answer: dict[str, Any]) -> ApiClient:
    """Return a client of a service that answers so."""
    service = FastAPI()
    service.get("/api/v1/thing")(lambda: answer)
    return ApiClient("http://local", service, None)


def test_service_of_another_version_is_named_and_not_a_stack() -> None:
    """A field that it does not know yet, or no longer, at any depth."""
    told = client_of({"rows": [{"name": "a"}]}).get("/api/v1/thing")

    with pytest.raises(InputError, match=r"without 'since_ns'.*different versions; restart"):
        told["since_ns"]
    with pytest.raises(InputError, match="without 'loss_usd'"):
        told["rows"][0]["loss_usd"]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_service_that_hangs_is_said_to(scheme: str) -> None:
    """Of one that was stopped `doctor` said no more than that its three ports were taken."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(StoreUnavailableError, match="hangs, is starved or"):
            answers(url, within_s=0.2)
    assert not answers(url)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (413, "HTTP 413: a proxy before local takes no request of so many bytes; raise its limit"),
        (502, "HTTP 502 Bad Gateway$"),
    ],
)
def test_page_of_a_proxy_is_no_answer(status: int, says: str) -> None:
    """Two lines of HTML say nothing to whoever imports a file."""
    service = FastAPI()
    page = HTMLResponse("<html><head><title>no</title></head></html>", status)
    service.get("/api/v1/thing")(lambda: page)
    with pytest.raises(MillworthError, match=says):
        ApiClient("http://local", service, None).get("/api/v1/thing")


def test_page_that_says_that_all_is_well_is_no_answer_either() -> None:
    """A proxy that wants a sign-in answers so to everything; a stack said nothing of it."""
    service = FastAPI()
    page = HTMLResponse("<html><head><title>Sign in</title></head></html>")
    service.get("/api/v1/thing")(lambda: page)
    with pytest.raises(
        InputError, match=r"^http://local/api/v1/thing answers with a page, as a proxy .* --url"
    ):
        ApiClient("http://local", service, None).get("/api/v1/thing")


@pytest.mark.parametrize(
    ("kind", "is_service"), [("text/plain; charset=utf-8", True), ("text/html", False)]
)
@pytest.mark.integration
def test_service_is_told_from_a_page_by_its_probe(kind: str, is_service: bool) -> None:
    """What listens there may be anything, and a command then opens the store itself."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            assert answers(f"http://127.0.0.1:{server.server_port}") is is_service
        finally:
            server.shutdown()
            thread.join()


def test_answer_is_what_the_service_said() -> None:
    """It is written out as JSON, compared and asked for what may be missing."""
    said = {"rows": [{"name": "a", "loss_usd": None}], "deep": {"er": {}}}
    told = client_of(said).get("/api/v1/thing")

    assert told == said
    assert json.loads(json.dumps(told)) == said
    assert told.get("since_ns") is None
    assert "since_ns" not in told["deep"]["er"]
