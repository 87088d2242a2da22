"""What several tests of detect share."""

from __future__ import annotations

from attribution.files.detect import TraceFile, parse
from tests.support.attribution.trace_files import (
    F,
)

SPANS = [
    F(1, 0, 0, 100, "Server", "shop", "offer", "10.0.0.1"),
    F(2, 1, 10, 40, "Client", "shop", "get", "10.0.0.1", attributes={"db.system": "redis"}),
    F(3, 1, 50, 90, "Client", "shop", "post", "10.0.0.1"),
    F(4, 3, 60, 80, "Server", "stock", "post", "10.0.0.2"),
]


def read(body: bytes) -> TraceFile:
    """Read a file of which every span can be used."""
    found = parse("traces", body)
    assert found.refused == []
    return found
