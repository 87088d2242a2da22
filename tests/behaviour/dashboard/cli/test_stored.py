"""`millworth verify store`, over the API of a store that nobody holds."""

from __future__ import annotations

import json

from collector.core.errors import InputError
from collector.store.connect import Connections
from tests.support.attribution.stored import decision, put_spans
from tests.support.clickhouse.parts import damage_file, largest_files
from tests.support.dashboard.fixtures import Run


def test_every_part_is_read_and_a_damaged_one_is_named(run: Run, store: Connections) -> None:
    """A restored copy was ready with a flipped byte in it, until somebody asked for that column."""
    put_spans(store, [span for number in range(300) for span in decision(f"d{number}")])
    whole = run("verify", "store")
    assert whole.exit_code == 0, whole.output
    assert whole.stdout.rstrip().endswith("are as written")

    client = store.client()
    [file] = largest_files(client, "decisions")
    part = file.parent.name
    damage_file(file, 256)

    result = run("verify", "store", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert [(each["table"], each["part"]) for each in found["damaged"]] == [("decisions", part)]
    text = run("verify", "store", "--table", "decisions").stdout
    assert text.startswith(f"decisions, part {part}, 300 rows: ")
    assert "restore a backup" in text
    assert run("verify", "store", "--table", "otel_traces").exit_code == 0
    mistyped = run("verify", "store", "--table", "desicions")
    assert isinstance(mistyped.exception, InputError)


def test_part_that_was_left_out_is_named(run: Run, store: Connections) -> None:
    """Of a table all parts that are there are whole."""
    put_spans(store, decision())
    client = store.client()
    [file] = largest_files(client, "decisions")
    client.command("DETACH TABLE decisions SYNC")
    file.unlink()
    client.command("ATTACH TABLE decisions")
    result = run("verify", "store", "--table", "decisions")
    # A table that is attached anew has lost its views: so no other test gets this database.
    client.command("DROP TABLE decisions SYNC")
    assert result.exit_code == 1
    assert result.stdout.startswith("decisions: 1 left out at the start, as ")
