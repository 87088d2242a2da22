from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from dashboard.web.bundle import ASSETS_DIR, bundle, serve_bundles


@pytest.mark.parametrize("kind", ["js", "css"])
def test_every_file_is_in_its_bundle_once(kind: str) -> None:
    """What is not in it is loaded nowhere; what others brought is loaded where it is drawn."""
    made = bundle(kind).content.decode()
    files = [
        path
        for path in ASSETS_DIR.rglob(f"*.{kind}")
        if path.name != "boot.js" and path.parent.name != "vendor"
    ]
    assert len(files) > 5
    assert [path.name for path in files if made.count(path.read_text()) != 1] == []
    assert "plotly.js v" not in made


def test_address_is_of_the_content(tmp_path: Path) -> None:
    """A browser keeps it for a year: after an upgrade it has to ask anew."""
    (tmp_path / "b.js").write_text("second()")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.js").write_text("third()")
    (tmp_path / "a.js").write_text("first()")
    before = bundle("js", tmp_path)
    assert before.content == b"first()\n;\nsecond()\n;\nthird()"
    (inner / "a.js").write_text("other()")
    assert bundle("js", tmp_path).href != before.href


def test_bundle_that_is_not_there_is_404(tmp_path: Path) -> None:
    """An address of an older version, or of somebody's own."""
    (tmp_path / "a.js").write_text("first()")
    app, made = FastAPI(), bundle("js", tmp_path)
    serve_bundles(app, made)
    with TestClient(app) as client:
        found = client.get(made.href)
        assert (found.status_code, found.content) == (200, b"first()")
        assert found.headers["content-type"].startswith("text/javascript")
        assert client.get("/bundle/other.js").status_code == 404
