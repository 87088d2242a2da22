"""I/O: since when each view that fills a table of money has the text that it has, by the audit.

The ledger of the schema says so too, and who has SQL can write into it: rows that were changed
would then pass for rows of another map. A sealed row of the audit cannot be written without a key.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from collector.audit.log import acts_that_hold, append_audit
from collector.audit.seal import AuditSeal
from collector.core.sql import sql
from collector.store.connect import Connections
from collector.store.schema.migrate import Migration

_ACTION: Final = "views_changed"
_APPLIED: Final = sql("views_applied", __file__)


def note_views(store: Connections, views: Sequence[Migration], now_ns: int) -> None:
    """Write down since when the views have their texts, where one has another than before.

    Of a text that is new here the ledger says when it came, and not later than now.

    Args:
        store: whose views they are, as they were applied.
        views: their texts, as `load_views` has them.
        now_ns: the time of this start.
    """
    client = store.client()
    noted = _read_noted(client, store.audit_seal)
    applied = {str(name): int(since_ns) for name, since_ns in client.query(_APPLIED).result_rows}
    times = {}
    for view in views:
        digest, since_ns = noted.get(view.name, ("", 0))
        if digest != view.sha256:
            since_ns = min(now_ns, applied.get(view.name, now_ns))
        times[view.name] = [view.sha256, since_ns]
    if times != noted:
        append_audit(
            client,
            at_ns=now_ns,
            actor="millworth",
            action=_ACTION,
            detail=json.dumps(times, sort_keys=True),
            seal=store.audit_seal,
        )


def view_times(
    client: Client, views: Sequence[Migration], seal: AuditSeal | None
) -> dict[str, int]:
    """Return since when each view has its text; without those of which the audit does not say it.

    With a seal only what its key sealed counts.
    """
    noted = _read_noted(client, seal)
    return {
        view.name: noted[view.name][1]
        for view in views
        if view.name in noted and noted[view.name][0] == view.sha256
    }


def _read_noted(client: Client, seal: AuditSeal | None) -> dict[str, list[Any]]:
    """Return digest and time by view, as the last row that holds has them."""
    for row in reversed(acts_that_hold(client, _ACTION, seal)):
        # Without a seal anybody may have written it.
        with suppress(ValueError, TypeError, AttributeError):
            times = json.loads(row.detail).items()
            return {name: [str(digest), int(since_ns)] for name, (digest, since_ns) in times}
    return {}
