"""I/O: removes single rows of a table, day by day."""

from __future__ import annotations

from typing import Any, Final

from collector.core.sql import fill
from collector.store.connect import Connections
from collector.store.schema.cluster import render

# Without the partition every part of the table would be looked at. Filled with names and
# conditions of ours; values are bound.
_PARTITIONS: Final = "SELECT DISTINCT _partition_id AS partition FROM ${table} WHERE ${condition}"
_REMOVE: Final = (
    "DELETE FROM ${table}${local} ${on_cluster} IN PARTITION ID {partition:String} "
    "WHERE ${condition}"
)
OF_DECISIONS: Final = (
    "ingress_ns IN {ingress_ns:Array(UInt64)} "
    "AND (ingress_ns, decision_id) IN "
    "arrayZip({ingress_ns:Array(UInt64)}, {decision_ids:Array(String)})"
)


def remove_rows(store: Connections, table: str, condition: str, parameters: dict[str, Any]) -> None:
    """Remove the rows of a table that a condition names; reads do not see them from then on."""
    client = store.client()
    partitions, statement = (
        fill(render(text, cluster), table=table, condition=condition)
        for text, cluster in ((_PARTITIONS, ""), (_REMOVE, store.config.cluster))
    )
    for (partition,) in client.query(partitions, parameters=parameters).result_rows:
        client.command(statement, parameters={"partition": partition, **parameters})
