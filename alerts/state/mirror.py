"""I/O: copies transitions, capture requests and acts from the alert state to the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from alerts.rows import AlertEvent, CaptureRequest
from alerts.state.acts import audit_acts
from alerts.state.sqlite import AlertStore
from collector.core.errors import StoreUnavailableError, first_line
from collector.core.log import get_logger
from collector.store.connect import Connections

_ROWS_MAX = 1_000

_log = get_logger("alerts")


def mirror(alert_state: AlertStore, store: Connections) -> None:
    """Copy the rows that are not noted as copied; a failure is tried again at the next call.

    A kill between an insert and the note of it inserts the rows again, and they collapse: their
    tables keep one row a key. Captures go first: the recorder holds packets for minutes only.
    """
    try:
        client = store.client()
        while captures := alert_state.unmirrored_captures(_ROWS_MAX):
            _insert(client, "capture_requests", captures)
            alert_state.mark_captures_mirrored(captures)
        while events := alert_state.unmirrored_events(_ROWS_MAX):
            _insert(client, "alert_events", events)
            alert_state.mark_events_mirrored(events)
        audit_acts(alert_state, store)
    except (ClickHouseError, StoreUnavailableError) as error:
        _log.warning("alerts_unmirrored", reason=first_line(error))


def _insert(
    client: Client, table: str, rows: Sequence[AlertEvent] | Sequence[CaptureRequest]
) -> None:
    columns = [field.name for field in dataclasses.fields(rows[0])]
    client.insert(
        table, [[getattr(row, name) for name in columns] for row in rows], column_names=columns
    )
