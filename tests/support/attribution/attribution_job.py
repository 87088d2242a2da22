"""What several tests of attribution share."""

from __future__ import annotations

from typing import Any

from attribution.core.config import AttributionConfig
from attribution.jobs.attribution import AttributionJob
from attribution.jobs.revenue_cells import CellWriter
from attribution.read.reader import Reader
from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.times import NS_PER_S
from collector.store.connect import Connections
from collector.store.schema.migrate import apply_views
from tests.conftest import NOW_NS
from tests.support.attribution.stored import (
    BASE_NS,
    rows,
)

CONFIG = AttributionConfig()


class SlowClock:
    """A clock on which each reading takes as long as is said."""

    def __init__(self) -> None:
        self.reading_s = 0.0
        self._now_ns = 0

    def __call__(self) -> int:
        """Return the instant."""
        self._now_ns += round(self.reading_s * NS_PER_S)
        return self._now_ns


def job(store: Connections, config: AttributionConfig = CONFIG, **mapped: str) -> AttributionJob:
    """Return a job that never ran in this process."""
    names = {ours.replace("__", "."): theirs for ours, theirs in mapped.items()}
    return AttributionJob(config, AttributesConfig(map=names), store)


def count_outcomes(store: Connections, config: AttributionConfig = CONFIG) -> None:
    """Count outcomes to attributed decisions that no job wrote, and sum their cells."""
    seconds = rows(
        store,
        "SELECT DISTINCT intDiv(ingress_ns, 1000000000) * 1000000000 AS second_ns"
        " FROM attributions ORDER BY second_ns",
    )
    cells = CellWriter(config, store, Reader(store, AttributesConfig()))
    cells.rewrite([each["second_ns"] for each in seconds])


def at(second: float) -> int:
    """Return the instant so many seconds after the base."""
    return BASE_NS + round(second * NS_PER_S)


def everything(store: Connections) -> dict[str, list[dict[str, Any]]]:
    """Return all that the job wrote, but for revisions and when it was computed."""
    tables = {
        "attributions": "SELECT * EXCEPT (revision, computed_ns) FROM attributions FINAL"
        " ORDER BY ingress_ns, decision_id",
        "path_spans": "SELECT * EXCEPT revision FROM path_spans"
        " ORDER BY ingress_ns, decision_id, span_id",
        "path_columns": "SELECT * EXCEPT revision FROM path_columns FINAL"
        " ORDER BY ingress_ns, decision_id",
        "minutes": "SELECT * EXCEPT revision FROM attribution_minutes FINAL WHERE (minute_ns,"
        " revision) IN (SELECT minute_ns, max(revision) FROM attribution_minutes GROUP BY 1)"
        " ORDER BY ALL",
        "cells": "SELECT * EXCEPT revision FROM revenue_cells FINAL ORDER BY ALL",
    }
    return {name: rows(store, sql) for name, sql in tables.items()}


def computed_afresh(store: Connections, second: float) -> dict[str, list[dict[str, Any]]]:
    """Return what a job writes that meets everything stored for the first time."""
    for table in (
        "path_columns", "attributions", "attribution_minutes", "revenue_cells", "outcome_matches",
        "job_cursors", "attribution_put_off",
    ):  # fmt: skip
        store.client().command("TRUNCATE TABLE {table:Identifier}", parameters={"table": table})
    job(store).drain(at(second))
    return everything(store)


def declared_only(store: Connections) -> None:
    """Take no root for a decision: the roots of a test may come before its first decision."""
    decisions = DecisionsConfig(auto=False)
    apply_views(store.client(), AttributesConfig(), decisions, OutcomesConfig(), NOW_NS)
