from __future__ import annotations

from dataclasses import replace

import pytest

from collector.audit.log import AuditRow, append_audit, check_audit, read_audit, row_hash
from collector.store.connect import Connections
from tests.conftest import NOW_NS


@pytest.fixture
def rows(store: Connections) -> list[AuditRow]:
    """Return a chain of three as it is read back."""
    for number in range(3):
        append_audit(
            store.client(), at_ns=NOW_NS, actor="alerts", action="webhook", detail=f"act {number}"
        )
    return read_audit(store.client())


def test_chain_holds_as_it_is_read_back(rows: list[AuditRow]) -> None:
    """Each row covers the one before it; equal acts are rows of their own."""
    assert [row.seq for row in rows] == [1, 2, 3]
    assert [row.prev_hash for row in rows[1:]] == [row.hash for row in rows[:-1]]
    assert check_audit(rows).broken_seq is None
    assert check_audit([]).broken_seq is None


def test_changed_row_breaks_the_chain(rows: list[AuditRow]) -> None:
    """Who changes a row and its hash breaks the next one."""
    changed = replace(rows[1], detail="nothing happened")
    sealed = replace(changed, hash=row_hash(changed))

    assert check_audit([rows[0], changed, rows[2]]).broken_seq == 2
    assert check_audit([rows[0], sealed, rows[2]]).broken_seq == 3


def test_removed_row_breaks_the_chain(rows: list[AuditRow]) -> None:
    """A gap is an act that someone does not want seen."""
    assert check_audit([rows[0], rows[2]]).broken_seq == 2
    assert check_audit(rows[1:]).broken_seq == 1


def test_fields_do_not_run_into_each_other(rows: list[AuditRow]) -> None:
    """Otherwise a word could move from one field to the next unseen."""
    moved = replace(rows[0], actor="alert", action="swebhook")

    assert row_hash(moved) != row_hash(rows[0])
