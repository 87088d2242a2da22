"""docs/reference/api.md is as `/api/v1` is."""

from __future__ import annotations

import re

from dashboard.docs.api import api_page, openapi


def test_every_route_is_on_the_page_with_its_role() -> None:
    """A client asks for the least that it needs."""
    page = api_page()
    routes = [(verb, path) for path, verbs in openapi()["paths"].items() for verb in verbs]
    assert len(routes) > 40
    for verb, path in routes:
        [row] = [
            line for line in page.splitlines() if line.startswith(f"| `{verb.upper()} {path}`<br>")
        ]
        assert re.search(r"\| `(viewer|responder|operator|admin)`( or `\w+`)? \|$", row), row
