from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from hypothesis import given
from hypothesis import strategies as st

from attribution.path.columns import Table
from attribution.path.revisions import revision_rows, revisions_of
from attribution.path.rows import RESULT_COLUMNS
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import at, job
from tests.support.attribution.recompute import RANGE
from tests.support.attribution.stored import (
    MS,
    Stored,
    decision,
    put_spans,
    rows,
    span_id,
    trace_id,
)

DIFFERENCES = "SELECT * FROM attribution_revisions FINAL ORDER BY ingress_ns, decision_id, revision"


def changes(row: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return by column what it was and what it is."""
    return {each["name"]: (each["before"], each["after"]) for each in row["changes"]}


def late(name: str = "late", start_ms: float = 75, received_s: float = 20) -> Stored:
    """Return a call to a store that came in late."""
    return Stored(
        *(name, "root", start_ms, 20, "Client"),
        attributes={"db.system": "mysql"}, received_s=received_s,
    )  # fmt: skip


def test_late_span_leaves_what_it_changed(store: Connections) -> None:
    """From one revision to the next, and nothing for the first."""
    put_spans(store, decision() + decision("b"))
    running = job(store)
    running.run_once(at(10))
    assert rows(store, DIFFERENCES) == []

    put_spans(store, [late()])
    running.run_once(at(30))
    put_spans(store, [late("more", 96, 40)])
    running.run_once(at(50))
    second, third = rows(store, DIFFERENCES)
    assert {second["decision_id"], third["decision_id"]} == {trace_id("a")}
    assert (second["revision"], second["action"], second["region"]) == (2, "offer", "eu")
    assert changes(second) == {
        "decision_compute_ns": (str(50 * MS), str(30 * MS)),
        "decision_store_ns": (str(20 * MS), str(40 * MS)),
        "span_count": ("3", "4"),
    }
    assert (second["spans_added"], second["spans_removed"]) == ([span_id("late")], [])
    assert (second["computed_ns"], third["computed_ns"]) == (at(30), at(50))
    assert (third["revision"], third["spans_added"]) == (3, [span_id("more")])
    assert changes(third)["span_count"] == ("4", "5")


def test_run_that_was_killed_takes_no_span_for_known(store: Connections) -> None:
    """Spans of a revision that was never finished are new to the revision that is."""
    put_spans(store, decision())
    running = job(store)
    running.run_once(at(10))
    put_spans(store, [late()])
    store.client().command("ALTER TABLE attributions ADD CONSTRAINT first CHECK revision = 1")
    with pytest.raises(DatabaseError):
        running.run_once(at(30))
    store.client().command("ALTER TABLE attributions DROP CONSTRAINT first")
    store.client().command("OPTIMIZE TABLE path_columns FINAL")

    put_spans(store, [late("more", 30, 31)])
    job(store).run_once(at(50))
    (row,) = rows(store, DIFFERENCES)
    assert row["revision"] == 2
    assert row["spans_added"] == sorted([span_id("late"), span_id("more")])
    assert changes(row)["span_count"] == ("3", "5")


def test_computation_anew_says_what_it_changed(store: Connections) -> None:
    """A result that differs from what is stored leaves a row; no span came or went."""
    put_spans(store, decision())
    job(store).drain(at(10))
    store.client().command(
        "ALTER TABLE attributions UPDATE decision_store_ns = 0 WHERE 1",
        settings={"mutations_sync": 2},
    )
    job(store).recompute(*RANGE, at(70))
    (row,) = rows(store, DIFFERENCES)
    assert changes(row) == {"decision_store_ns": ("0", str(20 * MS))}
    assert (row["spans_added"], row["spans_removed"]) == ([], [])
    job(store).recompute(*RANGE, at(80))
    assert len(rows(store, DIFFERENCES)) == 1


RESULTS = st.fixed_dictionaries(
    {
        name: st.lists(st.sampled_from(["orphan", "cycle"]), unique=True, max_size=2).map(sorted)
        if name == "flags"
        else st.sampled_from(["", "a", "b"])
        if name in ("trace_id", "action", "region", "channel", "cohort")
        else st.integers(0, 2)
        for name in RESULT_COLUMNS
    }
)


def table(results: list[dict[str, Any]], **more: list[int]) -> Table:
    """Return rows of attributions; decision `i` begins at `i`."""
    texts = pa.list_(pa.dictionary(pa.int32(), pa.string()))
    columns = {
        name: pa.array([each[name] for each in results], texts if name == "flags" else None)
        for name in RESULT_COLUMNS
    }
    keys = {
        "ingress_ns": pa.array(range(len(results)), pa.int64()),
        "decision_id": pa.array([f"d{place}" for place in range(len(results))]),
    }
    return pa.table(keys | columns | {name: pa.array(values) for name, values in more.items()})


@given(st.lists(st.tuples(RESULTS, st.none() | RESULTS), min_size=1, max_size=8))
def test_changes_lead_from_one_result_to_the_next(
    pairs: list[tuple[dict[str, Any], dict[str, Any] | None]],
) -> None:
    """Put into what was stored they give what was computed; what is equal leaves no row."""
    computed = table([after for after, _ in pairs])
    there = [before is not None for _, before in pairs]
    stored = table(
        [after if before is None else before for after, before in pairs],
        revision=[place + 1 for place in range(len(pairs))],
    ).filter(pa.array(there))
    found = revisions_of(computed, stored)
    differs = [after != before for after, before in pairs]
    assert found.is_new.tolist() == differs
    assert found.is_revised.tolist() == list(np.logical_and(differs, there))
    known = {(place, f"d{place}"): {"a", "b"} for place in range(len(pairs))}
    ours = {(place, f"d{place}"): {"b", "c"} for place in range(len(pairs))}
    told = revision_rows(computed, found, known, ours).to_pylist()
    assert [row["ingress_ns"] for row in told] == np.flatnonzero(found.is_revised).tolist()
    for row in told:
        after, before = pairs[row["ingress_ns"]]
        assert before is not None
        assert row["revision"] == row["ingress_ns"] + 2
        assert (row["spans_added"], row["spans_removed"]) == (["c"], ["a"])
        named = {each["name"]: (each["before"], each["after"]) for each in row["changes"]}
        assert named == {
            name: (text(before[name]), text(after[name]))
            for name in RESULT_COLUMNS
            if before[name] != after[name]
        }


def text(value: object) -> str:
    """Return a value as the store keeps it in a change."""
    return ",".join(value) if isinstance(value, list) else str(value)
