from __future__ import annotations

import pytest
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from dashboard.web.kept_files import KeptFiles
from dashboard.web.security import SecurityHeaders

FILE = "/_dash-component-suites/dash/a.v1m2.js"
TEXT = "x" * 4_000


@pytest.fixture
def asked() -> list[str]:
    """Return the requests that reached the application, which is what is kept from it."""
    return []


@pytest.fixture
def client(asked: list[str]) -> TestClient:
    """Return a client of an application that compresses, and keeps what it compressed."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def answer(request: Request) -> Response:
        asked.append(request.url.path)
        status = 404 if "missing" in request.url.path else 200
        return Response(TEXT, status, media_type="text/javascript")

    app.add_middleware(GZipMiddleware, minimum_size=500)
    app.add_middleware(KeptFiles)
    app.add_middleware(SecurityHeaders, policy="default-src 'none'")
    return TestClient(app)


def test_file_is_made_once_for_each_encoding(client: TestClient, asked: list[str]) -> None:
    """The second answer is the first, headers and all, and none has a header twice."""
    for encoding in ("gzip, br", "identity"):
        answers = [client.get(FILE, headers={"accept-encoding": encoding}) for _ in range(3)]
        assert {answer.text for answer in answers} == {TEXT}
        assert {tuple(answer.headers.multi_items()) for answer in answers} == {
            tuple(answers[0].headers.multi_items())
        }
        assert ("gzip" in encoding) == (answers[0].headers.get("content-encoding") == "gzip")
        assert len(answers[0].headers.get_list("content-security-policy")) == 1
    assert asked == [FILE] * 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/health", {}),
        ("/_dash-component-suites/missing.js", {}),
        (FILE, {"range": "bytes=0-9"}),
        (FILE, {"if-none-match": "abc"}),
    ],
)
def test_anything_else_is_asked_for_each_time(
    client: TestClient, asked: list[str], path: str, headers: dict[str, str]
) -> None:
    """Data, what is not there, and a part of a file."""
    for _ in range(2):
        client.get(path, headers=headers)
    assert asked == [path] * 2


def test_versions_that_somebody_makes_up_take_no_memory(
    client: TestClient, asked: list[str]
) -> None:
    """Each is answered, and the first ones are kept."""
    paths = [FILE.replace("m2", f"m{number}") for number in range(100)]
    for path in paths * 2:
        assert client.get(path).text == TEXT
    assert 100 < len(asked) < 150
