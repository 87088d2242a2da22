"""docs/reference/api.md is as `/api/v1` is."""

from __future__ import annotations

from dashboard.docs.api import api_page, openapi
from tests.support.tree import text


def test_page_of_the_api_is_written() -> None:
    """Write it with `make example`."""
    assert text("docs/reference/api.md") == api_page()


def test_every_route_is_on_the_page_with_its_scope() -> None:
    """A client asks for the least that it needs."""
    page = api_page()
    routes = [(verb, path) for path, verbs in openapi()["paths"].items() for verb in verbs]
    assert len(routes) > 40
    for verb, path in routes:
        [row] = [
            line for line in page.splitlines() if line.startswith(f"| `{verb.upper()} {path}` |")
        ]
        assert row.endswith(("| `read` |", "| `admin` |", "| `outcomes` |")), row
