"""An insert that a kill cut short is not taken for done when it comes again."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from collector.store.client.unfinished import KEEP_LAPSED, forget_failed, forget_unfinished
from collector.store.connect import Connections

CHILD = "tests.support.collector.children.tokens"


def rows_after(store: Path, then: str, *tokens: str) -> int:
    """Return how many rows a process sees that inserts one under each token."""
    command = [sys.executable, "-m", CHILD, str(store), then, *tokens]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout)


def parts_of(store: Path) -> dict[str, Path]:
    """Return the parts of the only table that has any, by their names."""
    return {path.name: path for path in store.glob("store/*/*/all_*")}


def test_insert_that_was_killed_before_its_part_had_a_name_is_made_again(tmp_path: Path) -> None:
    """The engine had noted its token: the retry was answered OK, and its rows were nowhere."""
    assert rows_after(tmp_path, "leave", "one", "two") == 2
    last = parts_of(tmp_path)["all_2_2_0"]
    # As a kill at the engine's own `rename` leaves it.
    last.rename(last.with_name("tmp_insert_all_2_2_0"))

    assert rows_after(tmp_path, "leave", "two") == 2
    assert rows_after(tmp_path, "leave", "one", "two") == 2


def test_insert_that_is_in_stays_known(tmp_path: Path) -> None:
    """In its own part, or in one that it was merged into, when its own has gone."""
    assert rows_after(tmp_path, "merge", "one", "two", "three") == 3
    for name, part in parts_of(tmp_path).items():
        if name != "all_1_3_1":
            shutil.rmtree(part)

    assert rows_after(tmp_path, "leave", "one", "two", "three") == 3


ONE, TWO, THREE = (f"1\tall_{number}_{number}_0\tall_{number}_9\n" for number in (1, 2, 3))
GONE = "2\tall_2_2_0\tall_2_9\n"
AGAIN = "1\tall_2_2_0\tall_4_9\n"


@pytest.mark.parametrize(
    ("log", "parts", "left"),
    [
        (ONE + TWO, ["all_1_1_0", "all_2_2_0"], ONE + TWO),
        (ONE + TWO, ["all_1_1_0", "tmp_insert_all_2_2_0"], ONE),
        (ONE + TWO + THREE, ["all_1_1_0"], ONE),
        (ONE + TWO + THREE, [], ""),
        (ONE + TWO, ["all_1_2_1"], ONE + TWO),
        (ONE + TWO, ["all_1_2_1_7"], ONE + TWO),
        (ONE + TWO, ["20261201_1_2_1", "all_1_1_0"], ONE),
        (ONE + TWO[:9], ["all_1_1_0"], ONE),
        (TWO + GONE, ["all_3_3_0"], TWO + GONE),
        (ONE + "what is this\n", ["all_1_1_0"], ONE + "what is this\n"),
        # Another insert came between, and one to which the number was given again.
        (ONE + TWO + THREE, ["all_1_1_0", "all_3_3_0"], ONE + THREE),
        (ONE + TWO + AGAIN, ["all_1_1_0", "all_2_2_0"], ONE + AGAIN),
        ("", [], ""),
    ],
)
def test_tokens_without_a_part_are_taken_back(
    tmp_path: Path, log: str, parts: list[str], left: str
) -> None:
    """From the end, as far as they have none: before it each has the part that it made."""
    table = tmp_path / "store" / "abc" / "abcdef"
    logs = table / "deduplication_logs"
    logs.mkdir(parents=True)
    for part in parts:
        (table / part).mkdir()
    older, newer = logs / "deduplication_log_9.txt", logs / "deduplication_log_10.txt"
    older.write_text(THREE)
    newer.write_text(log)
    status = tmp_path / "status"
    status.touch()
    if log:
        with status.open("rb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            forget_unfinished(tmp_path)
        assert newer.read_text() == log, "another process has it open"

    if "what" in log:
        newer.write_bytes(b"\xff" + newer.read_bytes())  # what is no text is left as it is
        forget_unfinished(tmp_path)
        assert newer.read_bytes() == b"\xff" + left.encode()
        return
    if log == ONE + TWO:
        status.unlink()  # as an engine does that is ended

    forget_unfinished(tmp_path)

    assert newer.read_text() == left
    assert older.read_text() == (THREE if log else "")


def test_directory_that_no_engine_was_in_is_left_alone(tmp_path: Path) -> None:
    """A first start finds nothing there."""
    forget_unfinished(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_insert_that_failed_when_its_part_got_its_name_is_made_again(
    empty_store: Connections,
) -> None:
    """As on a disk that refuses a name: the retry was answered OK, and its rows were nowhere."""
    client = empty_store.client()
    client.command(
        "CREATE TABLE t (a UInt64, at DateTime DEFAULT '2020-01-01') ENGINE = MergeTree ORDER BY a"
        " TTL at + INTERVAL 1 DAY"
        " SETTINGS non_replicated_deduplication_window = 100, merge_with_ttl_timeout = 0"
    )
    client.command(KEEP_LAPSED)
    paths = "SELECT arrayJoin(data_paths) FROM system.tables WHERE name = 't'"
    ((path,),) = client.query(f"{paths} AND database = currentDatabase()").result_rows
    insert = "INSERT INTO t (a) SELECT 1"

    def make(token: str) -> int:
        client.command(insert, settings={"insert_deduplication_token": token})
        return int(client.query("SELECT count() FROM t").result_rows[0][0])

    assert make("one") == 1
    assert forget_failed(client) == []
    in_the_way = Path(path) / "all_2_2_0"
    in_the_way.touch()
    with pytest.raises(ClickHouseError):
        make("two")
    in_the_way.unlink()

    assert forget_failed(client) == ["t"]

    assert make("two") == 2
    assert make("one") == make("two") == 2
    # A merge of a table that was attached would drop what is over its time by this clock.
    client.command("OPTIMIZE TABLE t")
    assert make("one") == 2
    # What could not be attached the last time is attached first.
    client.command("DETACH TABLE t SYNC")
    assert forget_failed(client) == []
    assert make("three") == 3
