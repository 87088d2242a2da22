"""What decisions earned, from every outcome that is kept, matched anew."""

from __future__ import annotations

from typing import Any

from attribution.core.config import AttributionConfig
from attribution.revenue import earned_sql
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_HOUR
from collector.store.connect import Connections

Row = tuple[Any, ...]  # as `earned.sql` returns them
_ATTRIBUTED = (
    "SELECT * FROM (\n${earned}\n) WHERE (began_ns, id) IN (SELECT ingress_ns, decision_id"
    " FROM attributions FINAL WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64})"
    " ORDER BY began_ns, id"
)


def earned_by_row(
    store: Connections, window: tuple[int, int], outcome: str, config: AttributionConfig
) -> list[Row]:
    """Return what `earned.sql` returns of decisions that are attributed, by time and id."""
    return _read(store, sql("earned", __file__), window, outcome, config)


def earned_as_kept(
    store: Connections, window: tuple[int, int], outcome: str, config: AttributionConfig
) -> list[Row]:
    """Return the same as the product reads it."""
    return _read(store, sql("earned", earned_sql.__file__), window, outcome, config)


def _read(
    store: Connections,
    text: str,
    window: tuple[int, int],
    outcome: str,
    config: AttributionConfig,
) -> list[Row]:
    parameters = {
        **earned_sql.parameters(outcome, config),
        "from_ns": window[0],
        "to_ns": window[1],
        # A decision begins within a day of another of its id, and an outcome is told after its
        # decision began, whatever the clocks say.
        "candidates_from_ns": max(window[0] - NS_PER_DAY, 0),
        "received_from_ns": max(window[0] - NS_PER_HOUR, 0),
    }
    statement = _ATTRIBUTED.replace("${earned}", text)
    return [
        tuple(row) for row in store.client().query(statement, parameters=parameters).result_rows
    ]
