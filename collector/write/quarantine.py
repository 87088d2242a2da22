"""I/O: what was rejected, and its way back in once its cause is gone.

An item whose bytes are kept goes through what every request goes through: the rules for personal
data, the check, the store's reader. It is stored under a token of its own, so that a replay that
was cut off, or is made twice, stores it once. An item that was refused as a decision or an outcome
is stored as a span or a log record all the same; there the view that refused it is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from enum import StrEnum
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.clock import Clock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.errors import DecodeError, StoreUnavailableError, first_line
from collector.core.sql import sql
from collector.otlp.check import Signal, check, limits_at, normalise
from collector.privacy.guard import Protection
from collector.privacy.rules import IdentifiersConfig
from collector.store.connect import Connections
from collector.store.errors import is_unparsable
from collector.store.schema.backfill import count_source_rows, rerun, still_rejected
from collector.wal.frames import encode_frame
from collector.write.insert_target import TABLES, insert_settings
from collector.write.reading import readable

_ITEMS: Final = sql("rejected_items", __file__)
_BYTES: Final = sql("rejected_bytes", __file__)
RETENTION_DAYS_MAX: Final = 30  # of the tables
# What a rejected item without bytes is a row of, by its signal: view that refuses, view that takes,
# table it takes them to, table they come from.
_VIEWS: Final = {
    "traces": ("rejected_decisions_mv", "decisions_mv", "decisions", "otel_traces"),
    "outcomes": ("rejected_outcomes_mv", "outcomes_mv", "outcomes", "otel_logs"),
}


class Result(StrEnum):
    """What became of one replayed item."""

    STORED = "stored"
    REFUSED = "refused"  # its cause is still there
    GONE = "gone"  # neither its bytes nor the rows it is of are there any more


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """The name of one rejected item, why it was rejected, and its state."""

    id: str  # 16 hex digits
    received_ns: int
    signal: str
    reason_code: str
    item_id: str
    detail: str
    rows: int
    items: int  # spans, records or points that are stored nowhere else
    bytes: int  # of it that are kept, encrypted ones as they lie there
    result: str  # "" where it was not replayed
    replayed_ns: int  # 0 where it was not replayed
    replay_detail: str


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of one item; one row of `rejected_replays` without its key."""

    result: Result
    items: int  # stored by this replay
    detail: str


@dataclass(frozen=True, slots=True)
class _ReplayRow:
    received_ns: int
    signal: str
    reason_code: str
    item_id: str
    replayed_ns: int
    result: str
    item_count: int
    detail: str


class RejectedItems:
    """The rejected items of one store."""

    def __init__(
        self,
        store: Connections,
        protection: Protection | None,
        counters: Counters,
        clock: Clock,
        *,
        attributes: AttributesConfig | None = None,
        retention_days: int = RETENTION_DAYS_MAX,
    ) -> None:
        self._store = store
        self._protection = protection or Protection(IdentifiersConfig(enabled=False))
        self._attributes = attributes or AttributesConfig()
        self._retention_days = retention_days
        self._counters = counters
        self._clock = clock

    def find(
        self,
        *,
        from_ns: int = 0,
        reason: str = "",
        ids: Sequence[str] = (),
        after: tuple[int, str] = (0, ""),
        limit: int = 1000,
    ) -> list[RejectedItem]:
        """Return items in order of arrival.

        Args:
            from_ns: none that arrived before.
            reason: only with this code; "" any.
            ids: only these; none: any.
            after: received_ns and id of the last one that is known.
            limit: at most so many.
        """
        parameters = {
            "from_ns": from_ns,
            "reason": reason,
            "ids": list(ids),
            "after_ns": after[0],
            "after_id": after[1],
            "limit": limit,
        }
        rows = self._store.client().query(_ITEMS, parameters=parameters).result_rows
        return [RejectedItem(*row) for row in rows]

    def replay(self, item: RejectedItem, *, dry_run: bool) -> Replay:
        """Store one item if its cause is gone, and note the result.

        Raises:
            ConfigError: its bytes are encrypted under a key that is not there.
            StoreUnavailableError: the store failed; the item can be replayed again.
        """
        try:
            client = self._store.client()
            view = _VIEWS.get(item.signal)
            if item.bytes:
                outcome = self._replay_bytes(client, item, dry_run=dry_run)
            elif view is not None:
                outcome = self._ask_view_again(client, item, view, dry_run=dry_run)
            else:
                outcome = Replay(Result.GONE, 0, "its bytes are not kept")
            if not dry_run:
                self._note(client, item, outcome)
        except (ClickHouseError, RuntimeError) as error:
            raise StoreUnavailableError(
                f"rejected item {item.id}: the store failed: {first_line(error)}; replay it again"
            ) from error
        return outcome

    def _replay_bytes(self, client: Client, item: RejectedItem, *, dry_run: bool) -> Replay:
        rows = client.query(
            _BYTES,
            parameters={
                "received_ns": item.received_ns,
                "signal": item.signal,
                "reason_code": item.reason_code,
                "item_id": item.item_id,
            },
        ).result_rows
        if not rows:
            return Replay(Result.GONE, 0, "its bytes are past the retention")
        now_ns = self._clock.now_ns()
        signal = Signal(item.signal)
        try:
            kept = bytes.fromhex(str(rows[0][0]))
            if item.reason_code == "frame_damaged":
                kept = self._protection.open_frame(signal, item.item_id, kept)
            else:
                kept = self._protection.open_rejected(item.item_id, kept)
            request = self._protection.rewrite(signal, kept, now_ns)
            limits = limits_at(now_ns, self._retention_days, self._attributes)
            checked = check(signal, request, limits)
        except DecodeError as error:
            return Replay(Result.REFUSED, 0, str(error))
        if not checked.accepted:
            return Replay(Result.REFUSED, 0, checked.message or "nothing is in it")
        if dry_run:
            return Replay(Result.STORED, checked.accepted, checked.message)
        refusal = self._insert(client, item, signal, checked.payload, checked.accepted)
        if refusal:
            return Replay(Result.REFUSED, 0, refusal)
        return Replay(Result.STORED, checked.accepted, checked.message)

    def _insert(
        self, client: Client, item: RejectedItem, signal: Signal, request: bytes, items: int
    ) -> str:
        """Insert a request, in the store's own reading where it has to be; return why it is not."""
        reason = ""
        for name, body in (
            ("", readable(signal, request)),
            (":normalised", normalise(signal, request)),
        ):
            # A new time of arrival, by which jobs find what they have not seen. The token is of the
            # item alone, so what an earlier replay stored is not stored again.
            token = f"rejected:{item.id}:{item.item_id}{name}"
            try:
                client.raw_insert(
                    TABLES[signal],
                    insert_block=encode_frame(body, self._clock.now_ns(), items),
                    fmt="Protobuf",
                    settings={**insert_settings(signal), "insert_deduplication_token": token},
                )
            except (ClickHouseError, RuntimeError) as error:
                if not is_unparsable(error):
                    raise
                reason = first_line(error)
            else:
                return ""
        return reason

    def _ask_view_again(
        self, client: Client, item: RejectedItem, view: tuple[str, str, str, str], *, dry_run: bool
    ) -> Replay:
        refusing, taking, target, source = view
        parameters = {
            "received_ns": item.received_ns,
            "item_id": item.item_id,
            "now_ns": self._clock.now_ns(),
        }
        refused = still_rejected(client, refusing, parameters)
        if refused and source == "otel_traces":
            return Replay(Result.REFUSED, 0, refused[0][1])
        if not count_source_rows(client, source, parameters):
            return Replay(Result.GONE, 0, f"its row in {source} is past the retention")
        stored = rerun(client, taking, target, parameters, dry_run=dry_run)
        if refused:
            # Of one request some may be good by now: what is good is stored in any case.
            return Replay(Result.REFUSED, stored, refused[0][1])
        return Replay(Result.STORED, stored, "")

    def _note(self, client: Client, item: RejectedItem, outcome: Replay) -> None:
        self._counters.replayed.labels(item.signal, outcome.result).inc(max(1, outcome.items))
        row = _ReplayRow(
            item.received_ns,
            item.signal,
            item.reason_code,
            item.item_id,
            self._clock.now_ns(),
            outcome.result,
            outcome.items,
            outcome.detail,
        )
        client.insert(
            "rejected_replays",
            [astuple(row)],
            column_names=[field.name for field in fields(_ReplayRow)],
        )
