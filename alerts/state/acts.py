"""I/O: what people did about alerts, on its way from the alert state into the audit.

An act and its note are one transaction, so that nobody acts unseen while the store is away; the
note goes to the audit with the next pass over the rules.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.state.sqlite import AlertStore
from collector.audit.log import append_audit
from collector.core.sql import sql
from collector.store.connect import Connections

_NOTED = sql("noted_acts", __file__)


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something about alerts, and when."""

    actor: str
    at_ns: int


def note_act(db: sqlite3.Connection, act: Act, action: str, detail: Mapping[str, Any]) -> None:
    """Note an act, in the transaction that carries it out."""
    text = json.dumps(detail, sort_keys=True, ensure_ascii=False, default=str)
    db.execute(
        "INSERT INTO acts (at_ns, actor, action, detail) VALUES (?, ?, ?, ?)",
        (act.at_ns, act.actor, action, text),
    )


def audit_acts(alert_state: AlertStore, store: Connections) -> None:
    """Bring the notes into the audit, each once, in order.

    Raises:
        ClickHouseError, StoreUnavailableError: the rest stays for the next call.
    """
    query = "SELECT id, at_ns, actor, action, detail FROM acts WHERE is_audited = 0 ORDER BY id"
    client = store.client()
    for number, at_ns, actor, action, detail in alert_state.rows(query):
        known = {"at_ns": at_ns, "action": action, "detail": detail}
        # A kill between the row and its note would write it twice, and the audit keeps all rows.
        [(is_there,)] = client.query(_NOTED, parameters=known).result_rows
        if not is_there:
            append_audit(
                client,
                at_ns=at_ns,
                actor=actor,
                action=action,
                detail=detail,
                seal=store.audit_seal,
            )
        with alert_state.transaction() as db:
            db.execute("UPDATE acts SET is_audited = 1 WHERE id = ?", (number,))
