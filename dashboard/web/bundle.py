"""I/O: the scripts of `assets/` as one file, and its style sheets as another.

A browser asks for six files at a time: thirty small ones, one after the other, are a quarter of a
second of a page that is opened for the first time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import Response

from dashboard.web.security import BUNDLES

ASSETS_DIR: Final = Path(__file__).parent / "assets"
# Loaded apart: the first before anything is drawn, what is in the folder where a chart is.
_BOOT: Final = "boot.js"
_VENDOR: Final = "vendor"
_BETWEEN: Final = {"js": b"\n;\n", "css": b"\n"}
_MEDIA_TYPES: Final = {"js": "text/javascript", "css": "text/css"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files of one kind, one after the other."""

    name: str
    content: bytes
    media_type: str

    @property
    def href(self) -> str:
        """Return its address, which is another one when its content is."""
        return f"{BUNDLES}{self.name}?m={hashlib.sha256(self.content).hexdigest()[:16]}"


def bundle(kind: str, assets: Path = ASSETS_DIR) -> Bundle:
    """Return all files of a kind, `js` or `css`: those of the folder, then of those in it."""
    files = (
        path
        for path in assets.rglob(f"*.{kind}")
        if path.name != _BOOT and _VENDOR not in path.relative_to(assets).parts
    )
    ordered = sorted(files, key=lambda path: (path.parent, path.name))
    # A script that ends without a semicolon would call the next one.
    content = _BETWEEN[kind].join(path.read_bytes() for path in ordered)
    return Bundle(f"millworth.{kind}", content, _MEDIA_TYPES[kind])


def serve_bundles(app: FastAPI, *bundles: Bundle) -> None:
    """Answer the address of each."""
    by_name = {each.name: each for each in bundles}

    async def answer(name: str) -> Response:
        found = by_name.get(name)
        if found is None:
            return Response("no such file\n", 404)
        return Response(found.content, media_type=found.media_type)

    app.add_api_route(f"{BUNDLES}{{name}}", answer, methods=["GET"], include_in_schema=False)
