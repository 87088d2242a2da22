"""`millworth rejected`, over the API: what a person reads and a machine parses."""

from __future__ import annotations

import json

import pytest

from collector.audit.log import read_audit
from collector.core.counters import Counters
from collector.core.errors import InputError
from collector.store.connect import Connections
from collector.write.quarantine import RejectedItems
from dashboard.api.app import create_api
from dashboard.api.context import AppContext
from dashboard.api.rejected import REPLAYS_MAX
from dashboard.cli.admin.rejected import show_rejected, show_replays
from dashboard.cli.client import ApiClient
from dashboard.health.items import NoHealth
from tests.conftest import NOW_NS, ManualClock
from tests.support.builders import span, trace_request


def api_of(store: Connections) -> ApiClient:
    """Return the API over one store."""
    counters, clock = Counters(), ManualClock()
    items = RejectedItems(store, None, counters, clock)
    api = create_api(AppContext(store, NoHealth(), counters, rejected=items, clock=clock))
    return ApiClient("http://local", api, None)


def reject(store: Connections, *requests: bytes) -> None:
    """Reject requests that came a nanosecond apart."""
    names = ["received_ns", "signal", "reason_code", "detail", "item_id", "item_count", "bytes"]
    rows = [
        [NOW_NS + n, "traces", "unparsable", "no\x1b[2J", f"s:{n}", 1, body]
        for n, body in enumerate(requests)
    ]
    store.client().insert("rejected", rows, column_names=names)


def body(**settings: object) -> dict[str, object]:
    """Return the body of a replay."""
    return {"reason": "", "ids": [], "from_ns": 0, "dry_run": False, **settings}


def test_replay_says_what_became_of_each_item_and_is_audited(
    store: Connections, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once stored, an item is left alone: the second call changes nothing and says so."""
    reject(store, trace_request(span(name="back")).SerializeToString(), b"\xff")
    api = api_of(store)

    assert show_rejected(api, "", 0, as_json=False)
    listed = capsys.readouterr().out
    assert '"s:0", ' in listed
    assert "\x1b" not in listed  # a sender's text must not drive the terminal
    assert listed.splitlines()[-1] == "2 unparsable"

    assert show_replays(api, body(), as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert [(one["item_id"], one["result"], one["items"]) for one in said["replays"]] == [
        ("s:0", "stored", 1),
        ("s:1", "refused", 0),
    ]
    assert show_replays(api, body(), as_json=False)
    assert capsys.readouterr().out.splitlines()[-1] == "1 stored before, 1 refused"
    assert not show_replays(api, body(ids=[said["replays"][0]["id"]]), as_json=True)
    assert not show_replays(api, body(reason="schema_unknown"), as_json=False)
    assert capsys.readouterr().out.splitlines()[-1] == "nothing to replay"

    assert store.client().query("SELECT SpanName FROM otel_traces").result_rows == [("back",)]
    rows = read_audit(store.client())
    assert [row.action for row in rows] == ["rejected_replayed", "rejected_replayed"]
    first = json.loads(rows[0].detail)
    assert (first["first"], first["stored"], first["refused"]) == (said["replays"][0]["id"], 1, 1)


def test_dry_run_changes_nothing(store: Connections, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what would become of each, and leaves no trace."""
    reject(store, trace_request(span()).SerializeToString())
    api = api_of(store)

    assert not show_replays(api, body(dry_run=True), as_json=False)

    assert capsys.readouterr().out.splitlines()[-1] == "would be: 1 stored"
    for table in ("otel_traces", "rejected_replays", "audit"):
        assert store.client().query(f"SELECT count() FROM {table}").result_rows == [(0,)]
    assert show_rejected(api, "", 0, as_json=False)


def test_more_items_than_one_call_takes_are_all_replayed(
    store: Connections, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command asks on until there is nothing left."""
    reject(store, *[b"\xff"] * (REPLAYS_MAX + 3))

    assert show_replays(api_of(store), body(dry_run=True), as_json=True)

    said = json.loads(capsys.readouterr().out)
    assert len({one["id"] for one in said["replays"]}) == REPLAYS_MAX + 3


@pytest.mark.parametrize("after", ["x", "-", "²", "9" * 20 + "-a", "9" * 30 + "-ab"])
def test_page_that_is_none_is_refused(store: Connections, after: str) -> None:
    """A number out of range would reach the store."""
    with pytest.raises(InputError, match="is no `next` of a call before"):
        api_of(store).get(f"/api/v1/rejected?after={after}")
