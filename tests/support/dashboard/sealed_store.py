"""What several tests of sealed store share."""

from __future__ import annotations

from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from tests.conftest import NOW_NS

LATER_NS = NOW_NS + 3_600 * NS_PER_S


def at(seconds: int) -> int:
    """Return an instant of the test."""
    return NOW_NS + seconds * NS_PER_S


def put_in_place(store: Connections, table: str, change: str, where: str) -> None:
    """Take rows away, and put others in their place, behind the service's back."""
    client = store.client()
    client.command("DROP TABLE IF EXISTS taken")
    client.command(f"CREATE TABLE taken ENGINE = Memory AS SELECT * FROM {table} WHERE {where}")
    client.command(f"DELETE FROM {table} WHERE {where}")
    client.command(f"INSERT INTO {table} SELECT * REPLACE({change}) FROM taken")
