"""Parts that the engine left out at its start are found and counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.core.counters import Counters
from collector.store.client.broken_parts import BrokenPartsJob
from collector.store.connect import Connections
from collector.store.errors import explain, unreadable_part
from tests.support.clickhouse.parts import damage_file, largest_files


def test_part_without_a_file_is_found_after_the_next_start(empty_store: Connections) -> None:
    """What is left answers as if it were all: a fifth of the revenue was missing in silence."""
    client, counters = empty_store.client(), Counters()
    job = BrokenPartsJob(empty_store, counters)
    client.command("CREATE TABLE sales (amount UInt64) ENGINE = MergeTree ORDER BY amount")
    for amount in range(3):
        client.command("INSERT INTO sales VALUES", data=f"({amount})")
    assert job.run_once() == 0
    files = largest_files(client, "sales")
    client.command("DETACH TABLE sales SYNC")
    for file in files[:2]:
        file.unlink()
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
    [file] = largest_files(client, "sales")
    client.command("DETACH TABLE sales SYNC")
    damage_file(file, 64)
    client.command("ATTACH TABLE sales")

    with pytest.raises(ClickHouseError) as raised:
        client.query("SELECT max(who), sum(amount) FROM sales")
    said = unreadable_part(raised.value)
    assert said.startswith("a part of sales cannot be read: look at the disk")
    assert f"move {file.parent} out of the store" in said
    assert said in str(explain(raised.value, "chdb"))

    full = str(raised.value).replace("Code: 40.", "Code: 241.")
    assert unreadable_part(RuntimeError(full)) == ""
