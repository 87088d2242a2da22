"""I/O: splits network and store time of spans by what proves it, as that comes in.

Packets prove most. A span without any whose service reads the state of its connections is split by
what the kernel knew; packets that come later take its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

from clickhouse_connect.driver.client import Client

from attribution.path.evidence import (
    PACKETS,
    TCP_INFO,
    Connection,
    Evidence,
    Waited,
    finding,
    split_by_connection,
    split_by_evidence,
)
from attribution.read.window import in_groups
from collector.core.sql import sql
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections
from collector.store.cursors import JobCursor, read_cursors, whole_ns

CURSOR = "attribution.evidence"
# By arrival, up to where decisions are attributed.
TCP_CURSOR = "attribution.tcp_info"
# Rows that were written under an earlier instant may become visible after the last run.
_OVERLAP_NS = 30 * NS_PER_S
# Where nothing was received for a minute, a run looks every half, for what others received.
_QUIET_NS = 60 * NS_PER_S
_QUIET_EVERY_NS = 30 * NS_PER_S
# A decision begins at most so long before the first packet of one of its spans.
_REACH_NS = NS_PER_HOUR
# Traces this far apart are read apart, so that neither reads the hours between them.
_APART_NS = NS_PER_HOUR
_TRACES_MAX = 2_000
_SPANS_MAX = 20_000
_WIRED = sql("wired_spans", __file__)
_SQL = sql("evidence_spans", __file__)
_TCP_TRACES = sql("tcp_traces", __file__)
_TCP_SPANS = sql("tcp_spans", __file__)
_PARTS = [field.name for field in fields(Evidence)]
_OWN = ("ingress_ns", "decision_id", "span_id", "stage", "class", "self_ns")


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """What one run did."""

    spans: int  # split by packets, those of the overlap again
    findings: int  # whose packets lie outside of them
    by_tcp_info: int = 0  # split by what the kernel knew of their connection


class EvidenceJob:
    """The one writer of `path_evidence`."""

    def __init__(self, store: Connections) -> None:
        self._store = store
        self._cursor, self._tcp_cursor = JobCursor(CURSOR), JobCursor(TCP_CURSOR)
        self._asked_ns = 0  # when the last run began that looked

    def run_once(self, now_ns: int, newest_ns: int | None = None) -> EvidenceReport:
        """Split every span whose proof or whose attribution came since the last run.

        Args:
            now_ns: the instant of this run.
            newest_ns: when something was received last, if the caller knows.
        """
        is_quiet = newest_ns is not None and now_ns - newest_ns > _QUIET_NS
        if is_quiet and 0 <= now_ns - self._asked_ns < _QUIET_EVERY_NS:
            return EvidenceReport(0, 0)
        self._asked_ns = now_ns
        client = self._store.client()
        cursor_ns = self._cursor.read(client)
        rows = list(_by_packets(client, max(0, cursor_ns - _OVERLAP_NS), now_ns))
        seen_ns = whole_ns(read_cursors(client))
        known_ns = self._tcp_cursor.read(client)
        seen_ns = max(seen_ns, known_ns)  # what is late holds it up
        received = known_ns or max(0, seen_ns - NS_PER_HOUR), seen_ns
        by_tcp_info = list(_by_tcp_info(client, (cursor_ns, now_ns), received))
        findings = sum(bool(row[-5]) for row in rows)
        if rows or by_tcp_info:
            client.insert(
                "path_evidence",
                [*rows, *by_tcp_info],
                column_names=[
                    *_OWN, *_PARTS, "finding", "outside_ns", "method", "revision", "computed_ns",
                ],
            )  # fmt: skip
        if seen_ns:
            self._tcp_cursor.write(client, seen_ns, has_news=bool(by_tcp_info))
        self._cursor.write(client, now_ns, has_news=bool(rows or by_tcp_info))
        return EvidenceReport(len(rows), findings, len(by_tcp_info))


def _by_packets(client: Client, after_ns: int, now_ns: int) -> Iterator[list[Any]]:
    """Yield a row of each span whose packets are known."""
    window = {"after_ns": after_ns, "until_ns": now_ns}
    touched = client.query(_WIRED, parameters=window).result_rows
    for begin in range(0, len(touched), _SPANS_MAX):
        trace_ids, span_ids = zip(*touched[begin : begin + _SPANS_MAX], strict=True)
        named = {"trace_ids": list(trace_ids), "span_ids": list(span_ids), "reach_ns": _REACH_NS}
        yield from _split(client.query(_SQL, parameters=named).named_results(), now_ns)


def _split(spans: Iterable[Mapping[str, Any]], now_ns: int) -> Iterator[list[Any]]:
    for span in spans:
        shift_ns = span["shift_ns"]
        waited = Waited(
            start_ns=span["start_ns"] + shift_ns,
            kinds=span["kinds"],
            ends_ns=[each + shift_ns for each in span["ends_ns"]],
            exchanges=span["exchanges"],
            rtt_ns=span["rtt_ns"],
            outside_ns=span["outside_ns"],
        )
        split = split_by_evidence(span["sections"], waited, span["class"])
        odd = finding(waited, span["clock_bound_ns"])
        yield _row(span, split, (odd, span["outside_ns"], PACKETS), now_ns)


def _by_tcp_info(
    client: Client, computed: tuple[int, int], received: tuple[int, int]
) -> Iterator[list[Any]]:
    """Yield a row of each span without packets whose connection the kernel knew.

    Args:
        client: of the store.
        computed: from the last run to this one.
        received: from the last run to where everything is attributed.
    """
    traces = client.query(
        _TCP_TRACES,
        parameters={
            "after_ns": received[0],
            "until_ns": received[1],
            "computed_after_ns": max(0, computed[0] - _OVERLAP_NS),
            "computed_until_ns": computed[1],
        },
    ).result_rows
    for begin, end in in_groups([each[1] for each in traces], _APART_NS, _TRACES_MAX):
        group = traces[begin:end]
        result = client.query(
            _TCP_SPANS,
            parameters={
                "trace_ids": sorted({each[0] for each in group}),
                "from_ns": group[0][1],
                "to_ns": max(each[2] for each in group),
                "reach_ns": _REACH_NS,
            },
        )
        names = [field.name for field in fields(Connection)]
        for span in result.named_results():
            connection = Connection(**{name: span[name] for name in names})
            split, limit = split_by_connection(span["sections"], connection)
            yield _row(span, split, (limit, 0, TCP_INFO), computed[1])


def _row(
    span: Mapping[str, Any], split: Evidence, source: tuple[str, int, str], now_ns: int
) -> list[Any]:
    assert split.total_ns == span["self_ns"], "the evidence of a span misses its self time"
    return [*(span[name] for name in _OWN), *astuple(split), *source, span["revision"], now_ns]
