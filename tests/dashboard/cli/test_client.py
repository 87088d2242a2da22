"""What a command makes of the answers of a service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI

from collector.core.errors import InputError
from dashboard.cli.client import ApiClient


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


def test_answer_is_what_the_service_said() -> None:
    """It is written out as JSON, compared and asked for what may be missing."""
    said = {"rows": [{"name": "a", "loss_usd": None}], "deep": {"er": {}}}
    told = client_of(said).get("/api/v1/thing")

    assert told == said
    assert json.loads(json.dumps(told)) == said
    assert told.get("since_ns") is None
    assert "since_ns" not in told["deep"]["er"]
