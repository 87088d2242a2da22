"""What was rejected comes back once its cause is gone, and once only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.counters import Counters
from collector.core.errors import ConfigError
from collector.core.times import NS_PER_DAY
from collector.otlp.check import Signal
from collector.privacy.guard import Protection
from collector.privacy.rules import EncryptionConfig
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views
from collector.wal.frames import encode_frame
from collector.write.quarantine import RejectedItem, RejectedItems, Replay, Result
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import (
    decision_span,
    key_values,
    logs_request,
    outcome,
    span,
    store_request,
    trace_request,
)

LATER_NS = NOW_NS + 3_600_000_000_000
KEY = SecretStr("e1:" + "11" * 32)
OTHER = "e2:" + "22" * 32
BOTH = f"{OTHER},{KEY.get_secret_value()}"


def items_of(
    store: Connections, protection: Protection | None = None, retention_days: int = 30
) -> RejectedItems:
    """Return the rejected items of a store, an hour later."""
    clock = ManualClock(LATER_NS)
    return RejectedItems(store, protection, Counters(), clock, retention_days=retention_days)


def reject(
    store: Connections, request: bytes, item_id: str = "s:0", reason_code: str = "unparsable"
) -> None:
    """Reject a request as the writer does."""
    row = {
        "received_ns": NOW_NS,
        "signal": "traces",
        "reason_code": reason_code,
        "detail": "an older reader could not",
        "item_id": item_id,
        "item_count": 1,
        "bytes": request,
    }
    store.client().insert("rejected", [list(row.values())], column_names=list(row))


def only(items: RejectedItems) -> RejectedItem:
    """Return the one rejected item."""
    (item,) = items.find()
    return item


def rows(store: Connections, sql: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    return [tuple(row) for row in store.client().query(sql).result_rows]


def test_request_that_can_be_read_by_now_is_stored_once(store: Connections) -> None:
    """A replay that was cut off before it could say so is made again, and changes nothing."""
    reject(store, trace_request(span(name="late"), span(name="later")).SerializeToString())
    items = items_of(store)
    item = only(items)
    assert (item.result, item.items, item.detail) == ("", 1, "an older reader could not")

    assert items.replay(item, dry_run=True) == Replay(Result.STORED, 2, "")
    assert rows(store, "SELECT SpanName FROM otel_traces") == []
    assert only(items).result == ""

    for _ in range(2):
        assert items.replay(item, dry_run=False) == Replay(Result.STORED, 2, "")
    # With a new time of arrival, or no job would look at them.
    assert rows(store, "SELECT SpanName, received_ns FROM otel_traces ORDER BY 1") == [
        ("late", LATER_NS),
        ("later", LATER_NS),
    ]
    after = only(items)
    assert (after.result, after.replayed_ns) == ("stored", LATER_NS)


def test_request_that_cannot_be_read_yet_says_why(store: Connections) -> None:
    """Its bytes stay where they are."""
    reject(store, b"\x0a\xff\xff")
    items = items_of(store)

    replay = items.replay(only(items), dry_run=False)

    assert replay.result is Result.REFUSED
    assert "the body is not an OTLP traces request" in replay.detail
    assert (only(items).result, only(items).bytes) == ("refused", 3)


def test_longer_retention_lets_in_what_was_too_old(store: Connections) -> None:
    """What is within it is stored, and the rest is named."""
    old = trace_request(
        span(name="old", start_ns=NOW_NS - 10 * NS_PER_DAY), span(name="older", start_ns=1)
    )
    reject(store, old.SerializeToString())
    strict = items_of(store, retention_days=7)
    refused = strict.replay(only(strict), dry_run=False)
    assert (refused.result, refused.items) == (Result.REFUSED, 0)
    assert "2 time_out_of_range" in refused.detail

    stored = items_of(store).replay(only(strict), dry_run=False)

    assert (stored.result, stored.items) == (Result.STORED, 1)
    assert "1 time_out_of_range: span 'older'" in stored.detail
    assert rows(store, "SELECT SpanName FROM otel_traces") == [("old",)]


def test_encrypted_bytes_are_replayed_with_their_key(store: Connections, tmp_path: Path) -> None:
    """And without it nothing is lost: the item says which key it needs."""
    protection = Protection(None, EncryptionConfig(keys=KEY))
    protection.open(tmp_path)
    request = trace_request(span(name="sealed")).SerializeToString()
    reject(store, protection.seal_rejected("s:0", request))
    assert b"sealed" not in bytes.fromhex(str(rows(store, "SELECT hex(bytes) FROM rejected")[0][0]))

    keyless = items_of(store)
    with pytest.raises(ConfigError, match="encrypted under key 'e1', and the keys are: none"):
        keyless.replay(only(keyless), dry_run=False)
    items = items_of(store, protection)
    assert items.replay(only(items), dry_run=False) == Replay(Result.STORED, 1, "")
    protection.close()
    assert rows(store, "SELECT SpanName FROM otel_traces") == [("sealed",)]


@pytest.mark.parametrize(
    ("keys", "known"),
    [pytest.param(KEY, "e1", id="another"), pytest.param(None, "none", id="none")],
)
def test_frame_is_replayed_once_its_key_is_there_and_never_if_it_was_changed(
    store: Connections, tmp_path: Path, keys: SecretStr | None, known: str
) -> None:
    """A request of which nobody can say what was changed is no request any more."""
    lost, kept = (Protection(None, EncryptionConfig(keys=SecretStr(key))) for key in (OTHER, BOTH))
    lost.open(tmp_path)
    request = trace_request(span(name="found")).SerializeToString()
    frame = encode_frame(lost.seal(Signal.TRACES, request), NOW_NS, 1)
    lost.close()
    plain = encode_frame(request, NOW_NS, 1)
    writer = Protection(None, EncryptionConfig(keys=keys))
    writer.open(tmp_path)
    for n, segment in enumerate((frame, plain[:9] + b"\x00" + plain[10:])):
        content, (damaged,), _ = writer.plain_segment(Signal.TRACES, segment)
        assert not damaged.is_intact
        sealed = writer.seal_rejected(f"s:{n}", damaged.request(content))
        reject(store, sealed, f"s:{n}", reason_code="frame_damaged")
    items = items_of(store, writer)
    first, second = items.find()
    if first.item_id != "s:0":
        first, second = second, first
    with pytest.raises(ConfigError, match=f"encrypted under key 'e2', and the keys are: {known}"):
        items.replay(first, dry_run=False)
    writer.close()

    kept.open(tmp_path)
    items = items_of(store, kept)
    assert items.replay(first, dry_run=False) == Replay(Result.STORED, 1, "")
    changed = items.replay(second, dry_run=False)
    kept.close()

    assert (changed.result, changed.items) == (Result.REFUSED, 0)
    assert changed.detail.startswith("its bytes were changed on the disk")
    assert rows(store, "SELECT SpanName FROM otel_traces") == [("found",)]


def accept_schema_2(store: Connections) -> None:
    """Make the views those of a release that knows one schema more."""
    for view in ("decisions_mv", "rejected_decisions_mv"):
        ((text,),) = store.client().query(f"SHOW CREATE VIEW {view}").result_rows
        store.client().command(f"DROP VIEW {view}")
        taught, places = re.subn(r"(schema (?:NOT )?IN \([^()]*)", r"\1, '2'", str(text))
        assert places
        store.client().command(taught)


def test_decision_of_a_later_schema_is_taken_after_the_upgrade(store: Connections) -> None:
    """Its span was stored all the while, so nothing is received or stored twice."""
    roots = [
        decision_span(decision_id=f"d{n}", attributes={"decision.schema": "2"}) for n in (1, 2)
    ]
    store_request(store, trace_request(*roots))
    items = items_of(store)
    first, second = items.find(reason="schema_unknown")
    early = items.replay(first, dry_run=False)
    assert (early.result, early.items) == (Result.REFUSED, 0)
    assert early.detail.startswith("decision.schema is 2, and not one of none, 0, 1")

    accept_schema_2(store)

    assert items.replay(first, dry_run=True) == Replay(Result.STORED, 1, "")
    assert rows(store, "SELECT decision_id FROM decisions") == []
    assert items.replay(first, dry_run=False) == Replay(Result.STORED, 1, "")
    assert items.replay(first, dry_run=False) == Replay(Result.STORED, 0, "")
    found = rows(store, "SELECT concat(trace_id, ':', root_span_id), received_ns FROM decisions")
    assert found == [(first.item_id, LATER_NS)]
    assert rows(store, "SELECT count() FROM otel_traces") == [(2,)]
    assert [item.result for item in items.find()] == ["stored", ""]
    assert second.item_id != first.item_id


def test_outcomes_are_taken_once_their_names_are_mapped(store: Connections) -> None:
    """The first hour of a shop whose records have names of their own."""
    records = [outcome(outcome_id=""), outcome(outcome_id=""), outcome(outcome_id="good")]
    records[0].attributes.extend(key_values({"shop.order": "o-7"}))
    store_request(store, logs_request(*records))
    items = items_of(store)
    assert only(items).rows == 2

    names = AttributesConfig(map={"outcome.id": "shop.order"})
    apply_views(store.client(), names, DecisionsConfig(), OutcomesConfig(), NOW_NS + 1)
    replay = items.replay(only(items), dry_run=False)

    assert (replay.result, replay.items) == (Result.REFUSED, 1)  # one of the two still has none
    assert replay.detail.startswith("outcome.id is missing")
    assert rows(store, "SELECT outcome_id, received_ns FROM outcomes ORDER BY 1") == [
        ("good", NOW_NS),
        ("o-7", LATER_NS),
    ]
    assert rows(store, "SELECT count() FROM otel_logs") == [(3,)]


def test_item_whose_span_is_gone_is_told(store: Connections) -> None:
    """It is past the retention; to say that it is stored would be wrong."""
    store_request(store, trace_request(decision_span(attributes={"decision.schema": "9"})))
    items = items_of(store)
    store.client().command("TRUNCATE TABLE otel_traces")

    replay = items.replay(only(items), dry_run=False)

    assert replay == Replay(Result.GONE, 0, "its row in otel_traces is past the retention")


def test_items_are_found_by_reason_time_and_id_and_in_pages(store: Connections) -> None:
    """A page goes on behind the last one, also within one instant."""
    for n in range(5):
        reject(store, b"x", item_id=f"s:{n}")
    items = items_of(store)
    found = items.find()
    pages = [items.find(limit=2)]
    while len(pages[-1]) == 2:
        last = pages[-1][-1]
        pages.append(items.find(limit=2, after=(last.received_ns, last.id)))
    assert [item for page in pages for item in page] == found
    assert len({item.id for item in found}) == 5
    assert items.find(reason="frame_damaged") == []
    assert items.find(from_ns=NOW_NS + 1) == []
    assert items.find(ids=[found[3].id]) == [found[3]]
