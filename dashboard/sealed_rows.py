"""I/O: sealed decisions and their checkpoints as the store holds them, over `/api/v1/query`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from collector.clock import NS_PER_MINUTE
from collector.provenance import Event, event_of
from collector.provenance_checkpoint import Checkpoint
from collector.provenance_lines import checkpoint_of

PAGE_ROWS: Final = 2_000
# A page scans what arrived in its window, not all that came later.
WINDOW_NS: Final = 10 * NS_PER_MINUTE
_SQL: Final = Path(__file__).parent / "sql"


class Api(Protocol):
    """What answers; `dashboard.client.ApiClient` is one."""

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send JSON and return JSON."""
        ...


def stored_items(api: Api, page_rows: int = PAGE_ROWS) -> Iterator[Event | Checkpoint]:
    """Yield the decisions in order of arrival, and each checkpoint behind the last of its events.

    Checkpoints are read first: one that is read later might be over decisions that are not read.
    """
    waiting: dict[tuple[str, str], deque[Checkpoint]] = {}
    for checkpoint in _checkpoints(api, page_rows):
        waiting.setdefault((checkpoint.producer, checkpoint.epoch), deque()).append(checkpoint)
    for event in _events(api, page_rows):
        yield event
        of_chain = waiting.get((event.producer, event.epoch))
        while of_chain and of_chain[0].last_seq <= event.seq:
            yield of_chain.popleft()
    for of_chain in waiting.values():
        yield from of_chain


def _checkpoints(api: Api, page_rows: int) -> Iterator[Checkpoint]:
    after_ns = 0
    while rows := _rows(api, "sealed_checkpoints", after_ns=after_ns, limit=page_rows):
        yield from (checkpoint_of(row["attributes"]) for row in rows)
        after_ns = rows[-1]["received_ns"]


def _events(api: Api, page_rows: int) -> Iterator[Event]:
    after_ns = 0
    while next_ns := _rows(api, "sealed_next", after_ns=after_ns)[0]["next_ns"]:
        until_ns = next_ns + WINDOW_NS
        while rows := _rows(
            api, "sealed_spans", after_ns=after_ns, until_ns=until_ns, limit=page_rows
        ):
            yield from (event_of(row) for row in rows)
            after_ns = rows[-1]["received_ns"]
        after_ns = until_ns


def _rows(api: Api, name: str, **parameters: int) -> list[dict[str, Any]]:
    sql = (_SQL / f"{name}.sql").read_text()
    answer = api.post("/api/v1/query", {"sql": sql, "parameters": parameters})
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]
