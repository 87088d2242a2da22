"""Each part of each table is listed, and its bytes are held against what was written."""

from __future__ import annotations

import pytest

from collector.core.errors import InputError
from collector.store.client.stored_parts import damage, stored_parts
from collector.store.connect import Connections
from tests.support.clickhouse.parts import damage_file, largest_files


def test_damaged_part_is_told_from_the_others(empty_store: Connections) -> None:
    """A byte in a column that nobody reads is found before somebody does."""
    client = empty_store.client()
    client.command(
        "CREATE TABLE sales (amount UInt64, who String) ENGINE = MergeTree ORDER BY amount"
    )
    for begin in (0, 20_000):
        client.command(
            f"INSERT INTO sales SELECT number, hex(sipHash64(number)) FROM numbers({begin}, 20000)"
        )
    first, second = stored_parts(client)
    assert (first.table, first.rows, second.rows) == ("sales", 20_000, 20_000)
    assert [damage(client, "sales", each.part) for each in (first, second)] == ["", ""]

    damage_file(largest_files(client, "sales")[0], 1)
    assert "Checksum" in str(damage(client, "sales", first.part))
    assert damage(client, "sales", second.part) == ""


def test_part_that_is_gone_is_no_damage(empty_store: Connections) -> None:
    """It was merged since it was listed; and nothing but the name of a table is one."""
    client = empty_store.client()
    client.command("CREATE TABLE sales (amount UInt64) ENGINE = MergeTree ORDER BY amount")
    client.command("INSERT INTO sales VALUES", data="(1)")
    assert damage(client, "sales", "all_9_9_0' OR 1") == ""
    for table in ("costs", "sales` WHERE 1", "", "system.parts"):
        with pytest.raises(InputError, match="is no table of the store"):
            damage(client, table, "all_1_1_0")
