"""Pure: any text as a part of the path of a request."""

from __future__ import annotations

from urllib.parse import quote


def path_part(text: str) -> str:
    """Return a text as one part of a path: two dots would be the part above it."""
    return quote(text, safe="").replace(".", "%2E")
