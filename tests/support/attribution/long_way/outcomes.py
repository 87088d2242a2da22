"""The outcomes of decisions, from every outcome that is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attribution.core.config import AttributionConfig
from attribution.path.columns import Table
from collector.core.sql import sql
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections


def cell_outcomes_by_row(store: Connections, seconds_ns: Sequence[int]) -> Table:
    """Return what `Reader.cell_outcomes` returns, in USD and by rates of the last week."""
    parameters = {
        "seconds_ns": list(seconds_ns),
        "from_ns": min(seconds_ns),
        "to_ns": max(seconds_ns) + NS_PER_S,
        "currency": "USD",
        "rate_days": 7,
        "received_from_ns": min(seconds_ns) - NS_PER_HOUR,
    }
    return store.client().query_arrow(sql("cell_outcomes", __file__), parameters=parameters)


def reconciled_by_row(store: Connections, from_ns: int, to_ns: int) -> list[dict[str, Any]]:
    """Return what `Reader.reconciled` returns, of the default settings."""
    config = AttributionConfig()
    parameters: dict[str, object] = {"from_ns": from_ns, "to_ns": to_ns, **config.node_rules()}
    parameters |= {"currency": config.currency, "rate_days": config.rate_days_max}
    result = store.client().query(sql("reconcile", __file__), parameters=parameters)
    return list(result.named_results())
