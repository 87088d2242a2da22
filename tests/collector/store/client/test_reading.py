from __future__ import annotations

import contextvars

from collector.core.config import StoreConfig
from collector.core.times import NS_PER_S
from collector.store.client.reading import ASKER
from collector.store.connect import Connections
from tests.conftest import NOW_NS


def test_what_the_engine_reads_is_counted_for_whoever_asks(store: Connections) -> None:
    """An operator sees which job or page scans what is stored."""
    counted: list[tuple[str, int]] = []

    def count(asker: str, rows: int, _bytes: int, took_ns: int) -> None:
        assert took_ns > 0
        counted.append((asker, rows))

    same = Connections(store.config, count)
    assert isinstance(same.config, StoreConfig)
    store.client().insert(
        "job_cursors", [[f"job{number}", NOW_NS + NS_PER_S] for number in range(7)],
        column_names=["job", "cursor_ns"],
    )  # fmt: skip
    asked = "SELECT count() FROM job_cursors WHERE cursor_ns > {at_ns:UInt64}"

    def ask() -> None:
        ASKER.set(lambda: "job late")
        same.client().query(asked, parameters={"at_ns": NOW_NS})
        same.client().query_arrow(asked, parameters={"at_ns": NOW_NS})

    same.client()
    counted.clear()
    same.client().query(asked, parameters={"at_ns": NOW_NS})
    contextvars.copy_context().run(ask)
    same.close()
    assert [each for each in counted if each[1]] == [("other", 7), ("job late", 7), ("job late", 7)]
