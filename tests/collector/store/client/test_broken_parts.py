"""Parts that the engine left out at its start are found and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.counters import Counters
from collector.store.client.broken_parts import BrokenPartsJob
from collector.store.connect import Connections
from collector.store.errors import explain, unreadable_part


def test_part_without_a_file_is_found_after_the_next_start(empty_store: Connections) -> None:
    """What is left answers as if it were all: a fifth of the revenue was missing in silence."""
    client, counters = empty_store.client(), Counters()
    job = BrokenPartsJob(empty_store, counters)
    client.command("CREATE TABLE sales (amount UInt64) ENGINE = MergeTree ORDER BY amount")
    for amount in range(3):
        client.command("INSERT INTO sales VALUES", data=f"({amount})")
    assert job.run_once() == 0
    rows = client.query("SELECT path FROM system.parts WHERE table = 'sales'").result_rows
    parts = sorted(Path(path) for (path,) in rows)
    client.command("DETACH TABLE sales SYNC")
    for part in parts[:2]:
        max(part.iterdir(), key=lambda file: file.stat().st_size).unlink()
    client.command("ATTACH TABLE sales")
    assert client.query("SELECT count() FROM sales").result_rows == [(1,)]

    assert job.run_once() == 2
    [found] = job.found
    assert (found.table, found.parts) == ("sales", 2)
    assert Path(found.path).is_dir()
    assert counters.store_parts_broken._value.get() == 2

    client.command(
        "ALTER TABLE sales DROP DETACHED PARTITION ALL", settings={"allow_drop_detached": 1}
    )
    assert job.run_once() == 0


def test_part_whose_bytes_changed_is_named_by_whoever_reads_it(empty_store: Connections) -> None:
    """Every run of a job failed with a checksum, and nobody said of what, or what to do."""
    client = empty_store.client()
    columns = "(amount UInt64, who String) ENGINE = MergeTree ORDER BY amount"
    client.command(f"CREATE TABLE sales {columns}")
    client.command("INSERT INTO sales SELECT number, hex(sipHash64(number)) FROM numbers(20000)")
    ((path,),) = client.query("SELECT path FROM system.parts WHERE table = 'sales'").result_rows
    client.command("DETACH TABLE sales SYNC")
    largest = max(Path(path).iterdir(), key=lambda file: file.stat().st_size)
    changed = bytearray(largest.read_bytes())
    middle = slice(len(changed) // 2, len(changed) // 2 + 64)
    changed[middle] = bytes(byte ^ 0xFF for byte in changed[middle])
    largest.write_bytes(changed)
    client.command("ATTACH TABLE sales")

    with pytest.raises(ClickHouseError) as raised:
        client.query("SELECT max(who), sum(amount) FROM sales")
    said = unreadable_part(raised.value)
    assert said.startswith("a part of sales cannot be read: look at the disk")
    assert f"move {path.rstrip('/')} out of the store" in said
    assert said in str(explain(raised.value, "chdb"))

    full = str(raised.value).replace("Code: 40.", "Code: 241.")
    assert unreadable_part(RuntimeError(full)) == ""
