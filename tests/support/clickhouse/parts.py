"""The files of a table's parts, for tests that take one away or damage it."""

from __future__ import annotations

from pathlib import Path

from clickhouse_connect.driver.client import Client

# One engine serves all tests of a process: a table of that name is in the databases of others too.
_PATHS = """
SELECT path FROM system.parts
WHERE active AND database = currentDatabase() AND table = {table:String}
ORDER BY name
"""


def largest_files(client: Client, table: str) -> list[Path]:
    """Return the largest file of each part of a table of this database, by the part's name."""
    rows = client.query(_PATHS, parameters={"table": table}).result_rows
    return [max(Path(str(path)).iterdir(), key=_size) for (path,) in rows]


def damage_file(path: Path, count: int) -> None:
    """Turn every bit of so many bytes in the middle of a file."""
    changed = bytearray(path.read_bytes())
    middle = slice(len(changed) // 2, len(changed) // 2 + count)
    changed[middle] = bytes(byte ^ 0xFF for byte in changed[middle])
    path.write_bytes(changed)


def _size(path: Path) -> int:
    return path.stat().st_size
