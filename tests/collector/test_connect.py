"""Connecting: what is wrong is one line that names it and the remedy."""

from __future__ import annotations

import socket

import pytest

from collector.config import StoreConfig
from collector.errors import StoreUnavailableError
from collector.store.connect import connect


def test_server_that_does_not_answer_is_named_with_its_key() -> None:
    """The text of an HTTP library says neither which key is meant nor what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        port = taken.getsockname()[1]

        with pytest.raises(StoreUnavailableError, match=rf"{port} does not answer.*store\.url"):
            connect(StoreConfig(url=f"http://127.0.0.1:{port}"))
