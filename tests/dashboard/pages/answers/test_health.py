"""The Health page over a real store: what it reads without it, and what of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from collector.store.connect import Connections
from dashboard.pages.answers.health import SERVICE, STORE, read_service, read_store
from dashboard.pages.context import PageContext
from dashboard.read.reader import Reader
from dashboard.settings.config import SenderDoor
from dashboard.units import Zone
from tests.support.dashboard.app import page_context


@pytest.fixture
def context(reader: Reader) -> Iterator[PageContext]:
    """Return what pages are given, over the shared store."""
    with page_context(reader) as context:
        yield context


def test_what_the_service_knows_needs_no_store(empty_store: Connections) -> None:
    """While the store is away the page has to say that."""
    with page_context(Reader(empty_store)) as context:
        shown = read_service(context, Zone()).shown
    assert set(shown) == set(SERVICE)
    assert str(shown["health-said.children"]).endswith("look at packet.recorder: off.")
    assert "run as root" in str(shown["health-wrong.children"])


def test_rejected_is_shown_where_something_was(context: PageContext) -> None:
    """With its last example."""
    shown = read_store(context, Zone()).shown
    assert set(shown) == set(STORE)
    assert shown["health-rejected-box.hidden"] is False
    (row,) = json.loads(getattr(shown["health-rejected.children"], "data-table"))["rows"]
    assert row[4] == "log-1: outcome.id is missing"
    assert shown["health-start.hidden"] is True


def test_empty_store_says_how_to_send_and_lists_no_zeros(store: Connections) -> None:
    """Whoever starts it first has nothing to look at, and wants the next step."""
    with page_context(Reader(store), door=SenderDoor("http://10.1.2.3:4318")) as context:
        shown = read_store(context, Zone()).shown
    assert shown["health-start.hidden"] is False
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://10.1.2.3:4318" in str(
        shown["health-start-code.children"]
    )
    assert shown["health-rejected-box.hidden"] is True
