"""I/O: sealed decisions and checkpoints as the store holds them, over `/api/v1/provenance`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from collector.provenance.checkpoint import Checkpoint
from collector.provenance.event import Event, canonical_rest, event_of
from collector.provenance.export_file import Outcome, outcome_of
from collector.provenance.keyring import KeyRing
from collector.provenance.live.copies import Copy
from collector.provenance.records import checkpoint_of
from collector.provenance.verify import Finding
from dashboard.cli.client import Api

Item = Event | Checkpoint | Outcome
PAGE_ROWS: Final = 2_000
_TRACES: Final = 500  # whose copies are read at a time


def stored_items(api: Api, page_rows: int = PAGE_ROWS) -> Iterator[Item]:
    """Yield decisions, then outcomes, and each checkpoint behind the last of its events.

    Checkpoints are read first: one that is read later might be over decisions that are not read.
    """
    waiting: dict[tuple[str, str], deque[Checkpoint]] = {}
    for record in _pages(api, "checkpoints", page_rows):
        checkpoint = checkpoint_of(record)
        waiting.setdefault((checkpoint.producer, checkpoint.epoch), deque()).append(checkpoint)
    for item in _sealed(api, page_rows):
        event = item.event if isinstance(item, Outcome) else item
        yield item
        of_chain = waiting.get((event.producer, event.epoch))
        while of_chain and of_chain[0].last_seq <= event.seq:
            yield of_chain.popleft()
    for of_chain in waiting.values():
        yield from of_chain


def stored_copies(api: Api, ring: KeyRing, replays: Sequence[Finding]) -> Iterator[Copy]:
    """Yield every copy of the events that came again, in order of arrival."""
    for begin in range(0, len(replays), _TRACES):
        part = replays[begin : begin + _TRACES]
        body = {
            "trace_ids": sorted({each.trace_id for each in part if each.trace_id}),
            "subjects": sorted({each.subject for each in part if each.subject}),
        }
        answer = api.post("/api/v1/provenance/copies", body)
        for record in answer["items"]:
            event = _event(record)
            yield event, canonical_rest(event.seq, event.prev, event.fields), record["copy"]
        for record in answer["outcomes"]:
            outcome = _outcome(record)
            yield outcome.event, outcome.form(ring.macs), record["copy"]


def changed_rows(api: Api) -> Iterator[dict[str, Any]]:
    """Yield, window by window, how the rows that money is summed from differ from their events."""
    next_ns = ""
    while True:
        page = api.get(f"/api/v1/provenance/rows?after={next_ns}")
        yield page
        next_ns = page["next"]
        if not next_ns:
            return


def _sealed(api: Api, page_rows: int) -> Iterator[Event | Outcome]:
    yield from map(_event, _pages(api, "events", page_rows))
    yield from map(_outcome, _pages(api, "outcomes", page_rows))


def _outcome(record: dict[str, Any]) -> Outcome:
    outcome = outcome_of(record)
    return outcome._replace(event=outcome.event._replace(received_ns=record["received_ns"]))


def _event(record: dict[str, Any]) -> Event:
    return event_of(record)._replace(received_ns=record["received_ns"])


def _pages(api: Api, kind: str, page_rows: int) -> Iterator[dict[str, Any]]:
    place = ""
    while True:
        page = api.get(f"/api/v1/provenance/{kind}?after={place}&limit={page_rows}")
        yield from page["items"]
        place = page["next"]
        if not place:
            return
