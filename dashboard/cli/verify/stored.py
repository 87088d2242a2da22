"""I/O: `millworth verify store`: whether the bytes of the store are those that were written."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from collector.core.errors import InputError
from dashboard.cli.client import asking
from dashboard.cli.console import OUT, counting, plain
from dashboard.cli.json_output import print_json
from dashboard.cli.options import ConfigOption, JsonOption, UrlOption
from dashboard.units import count, size


def store(
    table: Annotated[
        str | None, typer.Option(help="Of this table alone; by default of every table.")
    ] = None,
    config: ConfigOption = None,
    url: UrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify that every part of the store can be read and is as it was written. Exit 1 if not.

    It reads all of it, as after a restore or when a disk is in doubt. What the store left out at
    its start, since it could not be read, is named too. Of a cluster it is the node that answers.
    """
    with asking(config, url) as api, counting("parts read") as progress:
        stored = api.get("/api/v1/store/parts")
        parts = [each for each in stored["parts"] if table in (None, each["table"])]
        left_out = [each for each in stored["left_out"] if table in (None, each["table"])]
        if table is not None and not (parts or left_out):
            raise InputError(f"--table {table!r} has no part: it is empty, or there is none")
        task = progress.add_task("", total=len(parts))
        damaged = list[dict[str, Any]]()
        for part in parts:
            path = "/".join(quote(part[name], safe="") for name in ("table", "part"))
            found = api.get(f"/api/v1/store/parts/{path}")
            damaged += [{**part, "damage": found["damage"]}] if found["damage"] else []
            progress.advance(task)
    if as_json:
        print_json({"parts": len(parts), "damaged": damaged, "left_out": left_out})
    else:
        _show(parts, damaged, left_out)
    raise typer.Exit(int(bool(damaged or left_out)))


def _show(
    parts: list[dict[str, Any]], damaged: list[dict[str, Any]], left_out: list[dict[str, Any]]
) -> None:
    for each in damaged:
        rows = f"{each['rows']:,} rows"
        OUT.print(f"{each['table']}, part {each['part']}, {rows}: {plain(each['damage'])}")
    for each in left_out:
        number = f"{each['parts']:,} left out at the start"
        OUT.print(f"{each['table']}: {number}, as {plain(each['path'])}")
    if damaged or left_out:
        OUT.print("look at the disk, and restore a backup: docs/operate/backup.md")
        return
    tables = len({each["table"] for each in parts})
    whole = size(sum(each["bytes"] for each in parts))
    OUT.print(f"{count(len(parts))} parts of {count(tables)} tables, {whole}, are as written")
