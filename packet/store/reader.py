"""I/O: what this room reads from the store, one typed method per file in `sql/`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_MINUTE
from collector.store.connect import Connections
from packet.correlate.claims import SpanEndpoints
from packet.correlate.spans import SpanFlow
from packet.correlate.trace_context import Context
from packet.decode.columns import U32, PacketColumns, address_words, normal_address
from packet.sampling.triggers import Outlier

# A span longer than this is not looked for behind the start of a range.
REACH_NS = NS_PER_MINUTE
_TRACES_A_QUERY = 2_000  # 72 kB of ids; a query may have 256 KiB
# What is usual is what the ten minutes before were; 99.9 % of fewer decisions is their slowest one.
_USUAL_NS = 10 * NS_PER_MINUTE
_USUAL_DECISIONS_MIN = 1_000
_CALLS_MAX = 100_000  # of a minute: more do not make an estimate better

# Where each side of a connection is found, the surest first: what the socket said, then what a
# header or a name may have said, then OpenTelemetry's names before semantic conventions 1.21.
_ANY_REQUEST = """
SELECT 1 FROM
(
    SELECT to_ns FROM capture_requests WHERE to_ns >= {horizon_ns:UInt64}
    UNION ALL
    SELECT to_ns FROM capture_triggers WHERE to_ns >= {horizon_ns:UInt64}
)
LIMIT 1
"""
_ENDPOINT_NAMES = {
    "client_local_port": ("network.local.port",),
    "client_peer_port": ("network.peer.port", "server.port", "net.peer.port"),
    "client_peer_address": ("network.peer.address", "server.address", "net.peer.ip"),
    "server_local_port": ("network.local.port", "server.port", "net.host.port"),
    "server_peer_port": ("network.peer.port", "client.port", "net.peer.port"),
    "server_peer_address": ("network.peer.address", "client.address", "net.peer.ip"),
}


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What an alert or a trigger asks for, as in `capture_requests` and `capture_triggers`."""

    trigger_id: str
    cause: str  # "alert", or a `triggers.Cause`
    from_ns: int
    to_ns: int
    action: str  # of an alert: "" for every action
    region: str  # ... "" for every region
    trace_ids: tuple[str, ...] = ()  # of a trigger
    port_pairs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FlowSpan:
    """The key and the end of one row of `flows`."""

    flow_hash: int
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class SpanReach:
    """The time that spans cover; (0, 0) for none."""

    new_ns: tuple[int, int]
    all_ns: tuple[int, int]  # ... with those received shortly before
    before: int  # spans stored of those received shortly before
    next_before: int  # what `before` is the next time, unless more of them come in


@dataclass(frozen=True, slots=True)
class HostCall:
    """A call from one host to another, by both of their clocks."""

    client_host: str
    server_host: str
    client_start_ns: int
    client_end_ns: int
    server_start_ns: int
    server_end_ns: int
    client_synced: str  # clock.synced of the resource, "" for unknown
    server_synced: str


class Reader:
    """Reads of the packet job, on the connection of whichever thread asks."""

    def __init__(self, store: Connections, attributes: AttributesConfig, host: str = "") -> None:
        """Read for one recorder; `host` is its `packet.host`."""
        self._store = store
        self._host = host
        self._endpoint_names = {
            parameter: [
                name
                for canonical in names
                for name in dict.fromkeys((canonical, attributes.name(canonical)))
            ]
            for parameter, names in _ENDPOINT_NAMES.items()
        }

    def capture_requests(self, horizon_ns: int, late_ns: int) -> list[CaptureRequest]:
        """Return the requests that end after `horizon_ns` and are not judged yet, oldest first.

        One is judged `late_ns` after its end; what was judged before that has grown since.
        """
        bounds = {"horizon_ns": horizon_ns, "late_ns": late_ns, "host": self._host}
        # Most often there are none, and to plan the question costs three times what this does.
        if not self._store.client().query(_ANY_REQUEST, parameters=bounds).result_rows:
            return []
        rows = self._rows("capture_requests", bounds)
        return [
            CaptureRequest(name, cause, from_ns, to_ns, action, region, tuple(traces), tuple(pairs))
            for name, cause, from_ns, to_ns, action, region, traces, pairs in rows
        ]

    def affected_traces(
        self, request: CaptureRequest, after_ns: int, until_ns: int, traces_max: int
    ) -> tuple[list[str], int]:
        """Return traces whose decisions a request names, received in (after_ns, until_ns].

        The slowest decision is first, so that a limit leaves out those that matter least; how many
        there are without it stands beside them.
        """
        rows = self._rows(
            "affected_traces",
            {
                "from_ns": request.from_ns,
                "to_ns": request.to_ns,
                "action": request.action,
                "region": request.region,
                "after_ns": after_ns,
                "until_ns": until_ns,
                "traces_max": traces_max,
            },
        )
        return [str(row[0]) for row in rows], int(rows[0][1]) if rows else 0

    def spans(
        self,
        from_ns: int,
        to_ns: int,
        *,
        trace_ids: Sequence[str] = (),
        port_pairs: Collection[int] = (),
        portless: bool = False,
    ) -> list[SpanEndpoints]:
        """Return spans that name both ports and overlap [from_ns, to_ns], by time.

        Args:
            from_ns: start of the range.
            to_ns: end of the range.
            trace_ids: only spans of these traces; empty for any.
            port_pairs: only spans of these connections, see `columns.port_pair`; empty for any.
            portless: also those that do not name both ports.
        """
        rows = list[tuple[Any, ...]]()
        for index in range(0, max(len(trace_ids), 1), _TRACES_A_QUERY):
            rows += self._rows(
                "spans",
                {
                    "from_ns": from_ns,
                    "to_ns": to_ns,
                    "reach_ns": REACH_NS,
                    "trace_ids": list(trace_ids[index : index + _TRACES_A_QUERY]),
                    "port_pairs": list(port_pairs),
                    "portless": portless,
                    "host": self._host,
                    **self._endpoint_names,
                },
            )
        return [SpanEndpoints(*(*row[:8], normal_address(row[8]), *row[9:])) for row in rows]

    def kept_traces(
        self, threshold: str, after_ns: int, until_ns: int, traces_max: int
    ) -> list[str]:
        """Return traces received in (after_ns, until_ns] whose randomness reaches a threshold."""
        rows = self._rows(
            "kept_traces",
            {
                "threshold": threshold,
                "after_ns": after_ns,
                "until_ns": until_ns,
                "traces_max": traces_max,
            },
        )
        return [str(row[0]) for row in rows]

    def usual_ns(self, until_ns: int) -> dict[str, int]:
        """Return what 99.9 % of an action's decisions took in the ten minutes before, by action."""
        rows = self._rows(
            "usual_times",
            {
                "from_ns": max(until_ns - _USUAL_NS, 0),
                "until_ns": until_ns,
                "decisions_min": _USUAL_DECISIONS_MIN,
            },
        )
        return {str(action): int(usual_ns) for action, usual_ns in rows}

    def outliers(
        self,
        usual_ns: Mapping[str, int],
        ratio: float,
        after_ns: int,
        until_ns: int,
        *,
        from_ns: int,
        rows_max: int,
    ) -> list[Outlier]:
        """Return decisions received in (after_ns, until_ns] that took `ratio` times what is usual.

        Args:
            usual_ns: by action; others have no outliers.
            ratio: so many times.
            after_ns: received later than this.
            until_ns: ... and by then.
            from_ns: what began before is not looked at.
            rows_max: of more the slowest are returned.
        """
        rows = self._rows(
            "outliers",
            {
                "actions": list(usual_ns),
                "limits_ns": [ratio * each for each in usual_ns.values()],
                "after_ns": after_ns,
                "until_ns": until_ns,
                "from_ns": max(from_ns, 0),
                "rows_max": rows_max,
            },
        )
        return [
            Outlier(trace_id, action, ingress_ns, end_ns, usual_ns[action])
            for trace_id, action, ingress_ns, end_ns in rows
        ]

    def budget_left(self) -> int | None:
        """Return what was left in the byte budget before this start, None where none was kept."""
        rows = self._rows("budget_left", {"host": self._host})
        return int(rows[0][0]) if rows else None

    def first_budget_ns(self) -> int | None:
        """Return when this host's recorder first kept account, None where it never did."""
        rows = self._rows("first_budget", {"host": self._host})
        return int(rows[0][0]) if rows else None

    def span_reach(self, after_ns: int, until_ns: int, late_ns: int) -> SpanReach:
        """Return the time that spans received in (after_ns, until_ns] cover, and what came late."""
        bounds = {
            "after_ns": after_ns,
            "until_ns": until_ns,
            "late_from_ns": max(after_ns - late_ns, 0),
            "next_late_from_ns": max(until_ns - late_ns, 0),
        }
        (row,) = self._rows("span_reach", bounds)
        from_ns, to_ns, all_from_ns, all_to_ns, before, next_before = (int(each) for each in row)
        return SpanReach((from_ns, to_ns), (all_from_ns, all_to_ns), before, next_before)

    def packets(
        self,
        from_ns: int,
        to_ns: int,
        flow_hashes: Collection[int] = (),
        *,
        host: str | None = None,
    ) -> PacketColumns:
        """Return kept packets seen in [from_ns, to_ns]; of any connection where none is given.

        `host` is the recorder that kept them, by default the reader's own.
        """
        table = self._store.client().query_arrow(
            sql("packets", __file__),
            parameters={
                "from_ns": from_ns,
                "to_ns": to_ns,
                "flow_hashes": list(flow_hashes),
                "host": self._host if host is None else host,
            },
        )
        return columns_of(table)

    def contexts(
        self,
        from_ns: int,
        to_ns: int,
        flow_hashes: Collection[int] = (),
        *,
        host: str | None = None,
    ) -> list[Context]:
        """Return what was found in packets kept of [from_ns, to_ns]; `host` as in `packets`."""
        rows = self._rows(
            "contexts",
            {
                "from_ns": from_ns,
                "to_ns": to_ns,
                "flow_hashes": list(flow_hashes),
                "host": self._host if host is None else host,
            },
        )
        return [Context(*row) for row in rows]

    def links(self, from_ns: int, to_ns: int) -> list[SpanFlow]:
        """Return the links whose exchange begins in [from_ns, to_ns), none that is by number."""
        return [SpanFlow(*row) for row in self._rows("links", {"from_ns": from_ns, "to_ns": to_ns})]

    def packet_hosts(self, from_ns: int, to_ns: int) -> list[str]:
        """Return the named recorders that kept packets seen in [from_ns, to_ns)."""
        rows = self._rows("packet_hosts", {"from_ns": from_ns, "to_ns": to_ns})
        return [str(row[0]) for row in rows]

    def host_calls(self, from_ns: int, to_ns: int) -> list[HostCall]:
        """Return calls between hosts that were served in [from_ns, to_ns), 100,000 at most."""
        rows = self._rows(
            "clock_spans",
            {"from_ns": from_ns, "to_ns": to_ns, "reach_ns": REACH_NS, "rows_max": _CALLS_MAX},
        )
        return [HostCall(*row) for row in rows]

    def flow_spans(self, flow_hashes: Collection[int], from_ns: int, to_ns: int) -> list[FlowSpan]:
        """Return when the known stretches of connections lie that touch [from_ns, to_ns]."""
        rows = self._rows(
            "flow_spans",
            {
                "flow_hashes": list(flow_hashes),
                "from_ns": from_ns,
                "to_ns": to_ns,
                "host": self._host,
            },
        )
        return [FlowSpan(*row) for row in rows]

    def _rows(self, noun: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        rows = (
            self._store.client().query(sql(noun, __file__), parameters=dict(parameters)).result_rows
        )
        return [tuple(row) for row in rows]


def columns_of(table: pa.Table) -> PacketColumns:
    """Return rows of `packets` as columns."""
    numbers = {
        name: table.column(name).to_numpy()
        for name in table.column_names
        if name not in {"src_address", "dst_address"}
    }
    return PacketColumns(
        src=_words(table.column("src_address").to_pylist()),
        dst=_words(table.column("dst_address").to_pylist()),
        **numbers,
    )


def _words(texts: list[str]) -> U32:
    parsed = {text: address_words(text) for text in set(texts)}
    return np.array([parsed[text] for text in texts], np.uint32).reshape(-1, 4)
