"""Who may write to the store alone can neither change what was done, nor cut it off, unseen."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.audit.log import (
    AuditRow,
    AuditState,
    append_audit,
    check_audit,
    read_audit,
    row_hash,
)
from collector.audit.seal import HEAD_FILE, KEY_FILE, AuditSeal, Head
from collector.core.errors import ConfigError
from collector.store.connect import Connections
from tests.conftest import NOW_NS
from tests.support.examples import examples

COUNT = 5


def act(store: Connections, seal: AuditSeal | None, detail: str = "x") -> AuditRow:
    """Add one row."""
    return append_audit(
        store.client(), at_ns=NOW_NS, actor="ada", action="hold_added", detail=detail, seal=seal
    )


@pytest.fixture
def sealed(store: Connections, tmp_path: Path) -> AuditSeal:
    """Return a seal by which some acts on the store are sealed already."""
    seal = AuditSeal(tmp_path)
    for number in range(COUNT):
        act(store, seal, f"act {number}")
    return seal


def state(store: Connections, seal: AuditSeal | None) -> tuple[int | None, str]:
    """Return the first row that does not hold, and why."""
    found = check_audit(read_audit(store.client()), seal)
    return found.broken_seq, found.reason


def insert(store: Connections, row: AuditRow) -> None:
    """Put a row into the table, as who has SQL can."""
    names = [each.name for each in fields(AuditRow)]
    store.client().insert("audit", [astuple(row)], column_names=names)


def delete(store: Connections, where: str) -> None:
    """Take rows out of the table."""
    store.client().command(f"DELETE FROM audit WHERE {where}")


def built_anew(rows: list[AuditRow]) -> list[AuditRow]:
    """Return a chain with plain hashes, which need no key."""
    anew: list[AuditRow] = []
    for number, row in enumerate(rows, 1):
        prev = anew[-1].hash if anew else "0" * 64
        plain = replace(row, seq=number, prev_hash=prev, hash="")
        anew.append(replace(plain, hash=row_hash(plain)))
    return anew


def test_sealed_chain_holds_over_restarts(
    store: Connections, sealed: AuditSeal, tmp_path: Path
) -> None:
    """The key and the head are read again, and are nobody else's to read."""
    assert state(store, sealed) == (None, "")
    again = AuditSeal(tmp_path)
    assert act(store, again).seq == COUNT + 1
    assert state(store, sealed) == (None, "")
    for name in (KEY_FILE, HEAD_FILE):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def forged_end(store: Connections, rows: list[AuditRow]) -> None:
    """Put a row at the end, as if it followed."""
    plain = replace(rows[-1], seq=COUNT + 1, prev_hash=rows[-1].hash, detail="forged", hash="")
    insert(store, replace(plain, hash=row_hash(plain)))


def copied_hash(store: Connections, rows: list[AuditRow]) -> None:
    """Change a row, and leave its hash."""
    delete(store, "seq = 3")
    insert(store, replace(rows[2], detail="nothing happened"))


def whole_chain_anew(store: Connections, rows: list[AuditRow]) -> None:
    """Leave a row out, and write the chain anew with hashes that need no key."""
    delete(store, "1")
    for row in built_anew([*rows[:2], *rows[3:]]):
        insert(store, row)


@pytest.mark.parametrize(
    ("attack", "broken"),
    [
        (lambda store, _: delete(store, "seq = 3"), 3),
        (lambda store, _: delete(store, "seq = 1"), 1),
        (lambda store, _: delete(store, "seq >= 4"), 4),
        (lambda store, _: delete(store, "1"), 1),
        (lambda store, rows: insert(store, rows[1]), 2),
        (copied_hash, 3),
        (forged_end, COUNT + 1),
        (whole_chain_anew, 1),
    ],
)
def test_attack_with_sql_alone_is_named_by_its_row(
    store: Connections,
    sealed: AuditSeal,
    attack: Callable[[Connections, list[AuditRow]], None],
    broken: int,
) -> None:
    """A row deleted in the middle, altered, the end cut, a row forged: nothing was noticed."""
    attack(store, read_audit(store.client()))
    assert state(store, sealed)[0] == broken
    # What is done next is not built upon it, and does not hide it.
    act(store, sealed, "next")
    assert state(store, sealed)[0] == broken


def test_plain_chain_of_an_earlier_release_is_anchored(store: Connections, tmp_path: Path) -> None:
    """The first sealed row covers the rows before it by the last one's hash."""
    for number in range(3):
        act(store, None, f"act {number}")
    seal = AuditSeal(tmp_path)
    assert act(store, seal).seq == 4
    assert state(store, seal) == (None, "")
    rows = read_audit(store.client())
    delete(store, "seq < 4")
    for row in built_anew([replace(rows[0], detail="another"), *rows[1:3]]):
        insert(store, row)
    assert state(store, seal) == (4, "it does not follow the row before it")


def test_stop_between_the_row_and_the_head_accuses_nobody(
    store: Connections, sealed: AuditSeal, tmp_path: Path
) -> None:
    """A row behind the head is sealed; the next one takes its place in the chain all the same."""
    head = (tmp_path / HEAD_FILE).read_text()
    act(store, sealed, "the head was not moved any more")
    (tmp_path / HEAD_FILE).write_text(head)
    assert state(store, sealed) == (None, "")
    act(store, sealed, "next")
    assert state(store, sealed) == (None, "")


def test_end_without_a_head_is_not_said_to_hold(
    store: Connections, sealed: AuditSeal, tmp_path: Path
) -> None:
    """Who takes the head away can cut the end: all rows were said to hold."""
    (tmp_path / HEAD_FILE).unlink()
    delete(store, "seq >= 4")
    broken, reason = state(store, sealed)
    assert broken == 4
    assert reason.startswith(f"{tmp_path / HEAD_FILE} is not here, ")
    assert "whether the end was cut cannot be told" in reason
    # A service that starts goes on behind what is there.
    assert act(store, sealed, "next").seq == 4
    assert state(store, sealed) == (None, "")


def test_key_that_is_gone_is_not_replaced_without_a_word(
    store: Connections, sealed: AuditSeal, tmp_path: Path
) -> None:
    """A new one would break the chain."""
    del store, sealed
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(ConfigError, match=r"audit.key is gone.*put it back"):
        AuditSeal(tmp_path)


def test_threads_and_processes_take_turns(store: Connections, tmp_path: Path) -> None:
    """Nobody's row takes the number of another one's."""
    seals = [AuditSeal(tmp_path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: act(store, seals[number % 4], str(number)), range(24)))
    assert check_audit(read_audit(store.client()), seals[0]) == AuditState(24, 24, None, "")


@given(st.integers(0, COUNT - 1), st.sampled_from([f.name for f in fields(AuditRow)]), st.data())
@settings(max_examples=examples(100))
def test_no_byte_of_any_row_changes_unseen(
    tmp_path_factory: pytest.TempPathFactory, at: int, column: str, data: st.DataObject
) -> None:
    """Whatever is changed, in whichever row: that row is named, or the one behind it."""
    seal = AuditSeal(tmp_path_factory.mktemp("audit"))
    rows: list[AuditRow] = []
    for number in range(COUNT):
        prev = rows[-1].hash if rows else "0" * 64
        row = AuditRow(number + 1, NOW_NS, "ada", "held", f"act {number}", prev, "")
        covered = f'["{prev}", {number + 1}, {NOW_NS}, "ada", "held", "act {number}"]'
        rows.append(replace(row, hash=seal.seal(covered.encode())))
    seal.move(Head(COUNT, rows[-1].hash, 1))
    assert check_audit(rows, seal).broken_seq is None
    before = getattr(rows[at], column)
    kind = st.integers(0, 2**63) if isinstance(before, int) else st.text(max_size=80)
    after = data.draw(kind.filter(lambda value: value != before))
    row = replace(rows[at], **{column: after})  # type: ignore[arg-type]  # of the column's type
    changed = [*rows[:at], row, *rows[at + 1 :]]
    broken = check_audit(changed, seal).broken_seq
    assert broken is not None
    assert broken <= at + 2
