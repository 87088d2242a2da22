from __future__ import annotations

from pathlib import Path

from collector.store.connect import Connections
from dashboard.bench.growth.store import POOL, fill
from tests.support.attribution.stored import rows

DAYS = 2


def test_copies_are_as_consistent_as_what_the_service_makes(
    store: Connections, tmp_path: Path
) -> None:
    """Figures of a store whose tables do not agree would be of no service."""
    fill(store, 1, DAYS, tmp_path / "wal", lambda _: None)
    (count,) = rows(
        store,
        """
        SELECT
            (SELECT count() FROM decisions FINAL) AS decisions,
            (SELECT count() FROM otel_traces WHERE ParentSpanId = '') AS roots,
            (SELECT count() FROM decisions AS d INNER JOIN attributions AS a
                ON d.ingress_ns = a.ingress_ns AND d.decision_id = a.decision_id) AS attributed,
            (SELECT countIf(total = total_ns) FROM (SELECT
                any(a.total_ns) AS total_ns, sum(p.self_ns) AS total
                FROM path_spans AS p INNER JOIN attributions AS a USING (ingress_ns, decision_id)
                GROUP BY ingress_ns, decision_id)) AS exact,
            (SELECT sum(decisions) FROM attribution_minutes FINAL WHERE stage = '') AS minutes,
            (SELECT sum(decisions) FROM revenue_cells FINAL) AS cells,
            (SELECT sum(margins) FROM revenue_cells FINAL) AS margins,
            (SELECT count() FROM outcomes FINAL) AS outcomes,
            (SELECT count() - uniqExact(table, partition_id) FROM system.parts
                WHERE active AND database = currentDatabase() AND table = 'otel_traces') AS unmerged
        """,
    )
    made = DAYS * POOL
    assert count == {
        **dict.fromkeys(("decisions", "roots", "attributed", "exact", "minutes", "cells"), made),
        "outcomes": made // 4,
        "margins": made // 4,
        "unmerged": 0,
    }
