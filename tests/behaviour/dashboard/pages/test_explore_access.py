"""Who may ask what Explore and the search ask: reading is enough, and is needed."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from collector.store.connect import Connections
from tests.support.dashboard.served import served

pytestmark = pytest.mark.integration

BODY = {"before": {"window": "1h"}, "after": {"window": "1h", "low_ms": 80}, "rest": True}
ROUTES = (
    ("GET", "/explore", None),
    ("GET", "/decisions", None),
    ("GET", "/api/v1/heatmap", None),
    ("GET", "/api/v1/search?q=edge", None),
    ("POST", "/api/v1/compare", BODY),
)
TOKENS = (("viewer", ("viewer",)), ("boss", ("admin",)), ("till", ("outcomes",)))


def test_reading_is_enough_and_is_needed(own_world: Connections, tmp_path: Path) -> None:
    """One table: a route that is not in it is a route that nobody thought about."""
    with served(own_world, tmp_path, tokens=TOKENS) as pages:
        for method, path, body in ROUTES:
            for name, statuses in (
                ("", {401}),
                ("till", {403}),
                ("viewer", {200, 307}),
                ("boss", {200, 307}),
            ):
                headers = {"authorization": f"Bearer mwt_{name}"} if name else {}
                answer = httpx.request(
                    method,
                    pages.url + path,
                    headers=headers,
                    json=body,
                    trust_env=False,
                    timeout=60,
                )
                assert answer.status_code in statuses, (method, path, name, answer.text[:200])


def test_a_foreign_page_cannot_ask(own_world: Connections, tmp_path: Path) -> None:
    """A page of another site in an operator's browser gets no comparison."""
    with served(own_world, tmp_path) as pages:
        answer = httpx.post(
            pages.url + "/api/v1/compare",
            headers={"origin": "https://elsewhere.example"},
            json=BODY,
            trust_env=False,
        )
        assert answer.status_code == 403
