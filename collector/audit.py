"""I/O: what a person or the machine did, in rows that cannot be changed or removed unseen.

Each row's hash covers the hash of the row before it, so that a verifier who keeps the last hash
notices any change. One process writes; its calls are put in order here.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from clickhouse_connect.driver.client import Client

FIRST_PREV_HASH = "0" * 64
_APPENDING = threading.Lock()
_SQL_DIR = Path(__file__).parent / "sql"
_AFTER = (_SQL_DIR / "audit_after.sql").read_text()
_LAST = (_SQL_DIR / "audit_last.sql").read_text()


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of `audit`."""

    seq: int  # 1, 2, 3 ...
    at_ns: int
    actor: str  # a person, or the job that acted
    action: str
    detail: str
    prev_hash: str  # of the row before; zeros for the first
    hash: str  # SHA-256, hex


def append_audit(client: Client, *, at_ns: int, actor: str, action: str, detail: str) -> AuditRow:
    """Add one row to the chain and return it."""
    with _APPENDING:
        last = [AuditRow(*values) for values in client.query(_LAST).result_rows]
        row = AuditRow(
            seq=last[0].seq + 1 if last else 1,
            at_ns=at_ns,
            actor=actor,
            action=action,
            detail=detail,
            prev_hash=last[0].hash if last else FIRST_PREV_HASH,
            hash="",
        )
        row = replace(row, hash=row_hash(row))
        client.insert(
            "audit", [astuple(row)], column_names=[field.name for field in fields(AuditRow)]
        )
        return row


def read_audit(client: Client, after_seq: int = 0) -> list[AuditRow]:
    """Return the rows after a sequence number, in order."""
    result = client.query(_AFTER, parameters={"after_seq": after_seq})
    return [AuditRow(*values) for values in result.result_rows]


def row_hash(row: AuditRow) -> str:
    """Return the hash that a row must have. JSON keeps the fields apart, whatever they hold."""
    covered = [row.prev_hash, row.seq, row.at_ns, row.actor, row.action, row.detail]
    return hashlib.sha256(json.dumps(covered, ensure_ascii=False).encode()).hexdigest()


def first_broken(rows: Iterable[AuditRow], prev_hash: str = FIRST_PREV_HASH) -> int | None:
    """Return the sequence number at which a chain breaks, None where it holds."""
    expected_seq = None
    for row in rows:
        is_next = expected_seq is None or row.seq == expected_seq
        if not is_next or row.prev_hash != prev_hash or row.hash != row_hash(row):
            return row.seq
        prev_hash, expected_seq = row.hash, row.seq + 1
    return None
