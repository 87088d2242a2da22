"""A connection to the embedded engine: what it costs, and that it is like the first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from collector.store.connect import Connections, connect


def selects(store: Connections) -> int:
    """Return how many questions the engine has been asked, this one with them."""
    ((count,),) = (
        store.client()
        .query("SELECT value FROM system.events WHERE event = 'SelectQuery'")
        .result_rows
    )
    return int(count)


def test_engine_is_asked_once_what_it_is(empty_store: Connections) -> None:
    """A thread opens a connection of its own: the engine's 1,900 settings are read by the first."""
    first = empty_store.client()
    asked = selects(empty_store)
    second = connect(empty_store.config)
    assert selects(empty_store) == asked + 1
    assert len(second.server_settings) > 1_000
    assert second.server_settings == first.server_settings
    assert (second.server_version, second.server_tz) == (first.server_version, first.server_tz)
    second.close()


def test_later_connection_reads_as_the_first(empty_store: Connections) -> None:
    """What the library sets on a connection after asking is set on all of them."""
    query = (
        "SELECT toString(getSetting('date_time_input_format')),"
        " toString(getSetting('cast_string_to_dynamic_use_inference'))"
    )
    second = connect(empty_store.config)
    assert second.query(query).result_rows == [("best_effort", "true")]
    assert second.query(query).result_rows == empty_store.client().query(query).result_rows
    second.close()


DAY_OF_AN_HOUR = """
import sys
from collector.core.config import StoreConfig
from collector.store.connect import Connections
store = Connections(StoreConfig(url=f"chdb://{sys.argv[1]}"))
statement = "SELECT toStartOfDay(toDateTime(1790290800)), toDateTime('2026-09-24 23:00:00')::UInt32"
for client in (store.client(), store.reader(), store.outside()):
    sys.stdout.write(client.raw_query(statement, fmt="TSV").decode())
"""


def test_a_statement_means_the_same_whatever_the_zone_of_the_machine(tmp_path: Path) -> None:
    """Days, partitions and what is typed without a zone are of UTC, as the pages' exports are."""
    for zone in ("UTC", "Pacific/Apia", "America/New_York"):
        directory = tmp_path / zone.replace("/", "-")
        said = subprocess.run(
            ["env", f"TZ={zone}", sys.executable, "-c", DAY_OF_AN_HOUR, str(directory)],
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        assert said == b"2026-09-24 00:00:00\t1790290800\n" * 3


def test_zone_that_does_not_exist_is_named_and_not_the_engine(tmp_path: Path) -> None:
    """The library says that the engine is not installed, and systemd tried for ever."""
    answer = subprocess.run(
        ["env", "TZ=Nonsense/Zone", sys.executable, "-c", DAY_OF_AN_HOUR, str(tmp_path / "store")],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert answer.returncode == 1
    last = answer.stderr.decode().splitlines()[-1]
    assert last.startswith("collector.core.errors.InputError: the embedded engine did not load: ")
    assert "set TZ to a time zone that exists" in last
