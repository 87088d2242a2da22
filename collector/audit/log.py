"""I/O: what a person or the machine did, in rows that cannot be changed or removed unseen.

Each row's hash covers the hash of the row before it, under a key that is not in the store, so that
who may write to the store cannot write the chain anew. Without a seal, as in a store of an earlier
release, it is a plain hash, which shows a change to whoever kept the last one.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import astuple, dataclass, fields, replace

from clickhouse_connect.driver.client import Client

from collector.audit.seal import AuditSeal, Head
from collector.core.log import get_logger
from collector.core.sql import sql

FIRST_PREV_HASH = "0" * 64
_ALL = 2**62
_log = get_logger("collector")
_APPENDING = threading.Lock()
_AFTER = sql("audit_after", __file__)
_LAST_ACT = sql("last_act", __file__)
_OF_ACTION = sql("audit_of_action", __file__)
_LAST = sql("audit_last", __file__)


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One row of `audit`."""

    seq: int  # 1, 2, 3 ...
    at_ns: int
    actor: str  # a person, or the job that acted
    action: str
    detail: str
    prev_hash: str  # of the row before; zeros for the first
    hash: str  # kid:HMAC-SHA256 where a key sealed it, else SHA-256; hex


@dataclass(frozen=True, slots=True)
class AuditState:
    """What a check of the whole chain found."""

    rows: int
    last_seq: int  # 0 of an empty chain
    broken_seq: int | None  # the first row that does not hold, or is not here
    reason: str


def append_audit(
    client: Client,
    *,
    at_ns: int,
    actor: str,
    action: str,
    detail: str,
    seal: AuditSeal | None = None,
) -> AuditRow:
    """Add one row to the chain and return it.

    Behind the head, where there is one: a row that somebody put at the end is not built upon, and
    one that was cut off leaves its number free.
    """
    with _APPENDING, nullcontext() if seal is None else seal.turn():
        head = None if seal is None else _moved_up(client, seal)
        if head is None:
            stored = [AuditRow(*values) for values in client.query(_LAST).result_rows]
            last = (stored[0].seq, stored[0].hash) if stored else (0, FIRST_PREV_HASH)
            if seal is not None and _is_sealed(last[1]):
                _log.warning("audit_head_missing", begun_anew_behind_row=last[0])
        else:
            last = head.seq, head.hash
        row = AuditRow(last[0] + 1, at_ns, actor, action, detail, last[1], "")
        row = replace(row, hash=row_hash(row) if seal is None else seal.seal(_covered(row)))
        client.insert(
            "audit", [astuple(row)], column_names=[field.name for field in fields(AuditRow)]
        )
        if seal is not None:
            seal.move(Head(row.seq, row.hash, row.seq if head is None else head.first_seq))
        return row


def _moved_up(client: Client, seal: AuditSeal) -> Head | None:
    """Return the head, behind rows whose writers stopped before they moved it."""
    head = seal.head()
    if head is not None:
        for row in read_audit(client, head.seq):
            is_next = row.seq == head.seq + 1 and row.prev_hash == head.hash
            if not is_next or seal.problem(row.hash, _covered(row)):
                break
            head = Head(row.seq, row.hash, head.first_seq)
    return head


def read_audit(client: Client, after_seq: int = 0, limit: int = 0) -> list[AuditRow]:
    """Return the rows after a sequence number, in order; all of them without a limit."""
    result = client.query(_AFTER, parameters={"after_seq": after_seq, "limit": limit or _ALL})
    return [AuditRow(*values) for values in result.result_rows]


def last_act(client: Client, action: str) -> str:
    """Return the detail of the last row of an action, "" where there is none."""
    rows = client.query(_LAST_ACT, parameters={"action": action}).result_rows
    return str(rows[0][0]) if rows else ""


def acts_that_hold(client: Client, action: str, seal: AuditSeal | None) -> list[AuditRow]:
    """Return the rows of an action, in order, but those that this key did not seal as they are.

    Without a seal nothing can be told apart, and all of them are returned. That none is gone is
    said by `check_audit` alone.
    """
    result = client.query(_OF_ACTION, parameters={"action": action})
    rows = [AuditRow(*values) for values in result.result_rows]
    return [row for row in rows if seal is None or not seal.problem(row.hash, _covered(row))]


def row_hash(row: AuditRow) -> str:
    """Return the hash that a row without a seal must have."""
    return hashlib.sha256(_covered(row)).hexdigest()


def check_audit(rows: Iterable[AuditRow], seal: AuditSeal | None = None) -> AuditState:
    """Return whether a whole chain holds, up to its head, and where it breaks first."""
    head = None if seal is None else seal.head()
    count, last = 0, AuditRow(0, 0, "", "", "", "", FIRST_PREV_HASH)
    for row in rows:
        count += 1
        if reason := _problem(row, last, seal, head):
            broken = min(row.seq, last.seq + 1) if reason == _GONE else row.seq
            return AuditState(count, row.seq, broken, reason)
        last = row
    if head is not None and last.seq < head.seq:
        reason = f"rows up to {head.seq} are not here: the end was cut, or a backup was put back"
        return AuditState(count, last.seq, last.seq + 1, reason)
    if seal is not None and head is None and _is_sealed(last.hash):
        reason = (
            f"{seal.head_path} is not here, which says what row is the last, so whether the end "
            "was cut cannot be told; put it back from your backup: the next act begins another"
        )
        return AuditState(count, last.seq, last.seq + 1, reason)
    return AuditState(count, last.seq, None, "")


_GONE = "it is not here"


def _problem(row: AuditRow, last: AuditRow, seal: AuditSeal | None, head: Head | None) -> str:
    if row.seq > last.seq + 1:
        return _GONE
    if row.seq <= last.seq:
        return "its number is there twice"
    is_sealed = _is_sealed(row.hash)
    if head is not None and row.seq >= head.first_seq and not is_sealed:
        return "no key sealed it"
    if is_sealed and seal is None:
        return "it is sealed by a key that is not here"
    if seal is not None and is_sealed and (problem := seal.problem(row.hash, _covered(row))):
        return problem
    if not is_sealed and row.hash != row_hash(row):
        return "it was changed"
    return "" if row.prev_hash == last.hash else "it does not follow the row before it"


def _is_sealed(seal: str) -> bool:
    return ":" in seal


def _covered(row: AuditRow) -> bytes:
    # JSON keeps the fields apart, whatever they hold.
    covered = [row.prev_hash, row.seq, row.at_ns, row.actor, row.action, row.detail]
    return json.dumps(covered, ensure_ascii=False).encode()
