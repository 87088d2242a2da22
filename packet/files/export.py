"""I/O: the packets of an incident, a decision or a trace, and how much of it there is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from collector.core.errors import InputError, NotFoundError
from collector.core.sql import sql
from collector.core.times import NS_PER_MS
from collector.store.connect import Connections
from packet.decode.columns import Mask, PacketColumns
from packet.files.pcapng_writer import Carried, pcapng, rows_carried
from packet.store.reader import REACH_NS, columns_of

_TRACES_MAX = 20_000
_TRACES_A_QUERY = 2_000  # 72 kB of ids; a query may have 256 KiB
_FLOWS_A_QUERY = 5_000
PACKETS_MAX = 500_000  # 70 MB of file
_MARGIN_NS = 50 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one request to a recorder, a row of `reconstructions`."""

    trigger_id: str
    cause: str
    host: str
    from_ns: int
    requests: int
    rebuilt: int
    packets: int
    probability: float
    sampled_probability: float
    grounds: list[str]


class ExportReader:
    """Reads through the calling thread's limited, read-only connection."""

    def __init__(self, store: Connections) -> None:
        self._store = store

    def export(self, name: str) -> bytes:
        """Return the packets that a name stands for, with what they carried as comments.

        Args:
            name: of a trace, a decision, an alert's episode or one request of it, or a trigger.

        Raises:
            InputError: nothing was kept for it, or more than a file should hold.
        """
        carried = self._carried(name)
        packets, hosts, is_named = self._packets(name, carried)
        rows = np.flatnonzero(is_named | _within(packets, carried))
        if not len(rows):
            raise NotFoundError(
                f"{name[:80]}: no packets were kept for it; expected the id of an alert's episode, "
                "a trigger, a decision or a trace whose packets are in the table packets"
            )
        chosen = [hosts[row] for row in rows.tolist()]
        packets = packets.take(rows)
        return pcapng(packets, chosen, self._on_wire(packets), f"packets of {name}")

    def rebuilt(self, name: str) -> list[Rebuilt]:
        """Return the reconstructed requests of an episode, or of one request or trigger."""
        return [Rebuilt(*row) for row in self._rows("reconstructions", name=name)]

    def _carried(self, name: str) -> list[Carried]:
        traces = [row[0] for row in self._rows("export_traces", name=name, traces_max=_TRACES_MAX)]
        carrieds = list[Carried]()
        for index in range(0, len(traces), _TRACES_A_QUERY):
            rows = self._rows("export_links", trace_ids=traces[index : index + _TRACES_A_QUERY])
            carrieds += [Carried(*row) for row in rows]
        return carrieds

    def _on_wire(self, packets: PacketColumns) -> list[Carried]:
        """Return all that these connections carried then: a neighbour's packets are named, too."""
        flows = np.unique(packets.flow_hash).tolist()
        carrieds = list[Carried]()
        for index in range(0, len(flows), _FLOWS_A_QUERY):
            rows = self._rows(
                "export_carried",
                flow_hashes=flows[index : index + _FLOWS_A_QUERY],
                from_ns=int(packets.ts_ns.min()),
                to_ns=int(packets.ts_ns.max()),
                reach_ns=REACH_NS,
            )
            carrieds += [Carried(*row) for row in rows]
        return carrieds

    def _packets(self, name: str, carried: list[Carried]) -> tuple[PacketColumns, list[str], Mask]:
        flows = sorted({link.flow_hash for link in carried})
        if len(flows) > _FLOWS_A_QUERY:
            raise InputError(
                f"{name[:80]}: {len(flows)} connections, at most {_FLOWS_A_QUERY} fit into a file; "
                "name a decision or a trace of it"
            )
        table = self._store.reader().query_arrow(
            sql("export_packets", __file__),
            parameters={
                "name": name,
                "flow_hashes": flows,
                "from_ns": max(min((link.from_ns for link in carried), default=0) - _MARGIN_NS, 0),
                "to_ns": max((link.to_ns for link in carried), default=0) + _MARGIN_NS,
                "rows_max": PACKETS_MAX + 1,
            },
        )
        if table.num_rows > PACKETS_MAX:
            raise InputError(
                f"{name[:80]}: over {PACKETS_MAX} packets; name a decision or a trace of it"
            )
        is_named: Mask = table.column("is_named").to_numpy().astype(np.bool_)
        hosts = [str(host) for host in table.column("host").to_pylist()]
        return columns_of(table.drop_columns(["host", "is_named"])), hosts, is_named

    def _rows(self, noun: str, **parameters: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  whatever the query binds
        text = sql(noun, __file__)
        return [tuple(row) for row in self._store.reader().query(text, parameters).result_rows]


def _within(packets: PacketColumns, carried: list[Carried]) -> Mask:
    """Return which packets are of the time of a link of their connection, or just around it."""
    inside = np.zeros(len(packets), np.bool_)
    for _, rows in rows_carried(packets, carried, _MARGIN_NS):
        inside[rows] = True
    return inside
