"""I/O: reads of the store: one typed method per statement of the `sql/` beside this file.

A statement beside another module is asked by that module, through `Statements.ask`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from attribution.core.config import AttributionConfig
from attribution.core.segments import SEGMENTS
from attribution.sensitivity.job import read_book
from attribution.sensitivity.versions import SlopeBook
from collector.core.errors import InputError
from collector.core.event_schema import DIMENSIONS
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE
from collector.store.connect import Connections
from collector.store.cursors import attributed_ns, read_deferred
from collector.store.memory import answer_spans_max, memory_bytes
from dashboard.read.alerts.rows import AlertRow
from dashboard.read.packet_rows import Burst, KeptPackets, Packet, SpanEvidence, SpanFlow
from dashboard.read.rows import (
    Attributed,
    Attribution,
    Cell,
    DecisionFacts,
    Evidence,
    Outcome,
    PathSpan,
    Range,
    Reference,
    Rejected,
    Revenue,
    Revision,
    SegmentMeans,
    SentSpan,
    SpanEvent,
    SpanLink,
    TableSize,
    TraceSpan,
    exact_id,
    exact_of,
)
from dashboard.read.statements import Statements, store_errors

# What is normal is read of at most so many: more would move it by less than the reading costs.
NORMAL_DECISIONS_MAX = 500_000
_CLASS_DECISIONS_MIN = 10_000  # of what is asked for, where it has so many
_SLOTS_MIN = 100  # in which they lie, spread over the whole range
# An open alert is shown however long ago it last changed, up to this.
ALERT_LOOKBACK_NS = 7 * NS_PER_DAY
ALERTS_MAX = 500
# Of which sums and counts are made, whatever is shown of them.
ALERTS_COUNTED_MAX = 10_000
PACKETS_MAX = 5_000
BURSTS_MAX = 20
FOUND_MAX = 20  # decisions of one search
HABIT_CALLS_MAX = 5_000


class Reader(Statements):
    """Reads for the pages and `/api/v1`; each thread reads over its own connection."""

    def __init__(self, store: Connections, spans_max: int | None = None) -> None:
        """Read nothing yet; `spans_max` is how many spans one answer may have, by default what the
        memory of this process is enough for.
        """
        super().__init__(store)
        self._spans_max = spans_max or answer_spans_max(memory_bytes())

    def ping(self) -> None:
        """Raise StoreUnavailableError unless the store answers."""
        self.ask_text("SELECT 1", {})

    def scopes(self, from_ns: int, to_ns: int) -> tuple[list[str], list[str]]:
        """Return the actions and the regions that had decisions, each sorted."""
        row = self._rows("scopes", {"from_ns": from_ns, "to_ns": to_ns})[0]
        return [a for a in row["actions"] if a], [r for r in row["regions"] if r]

    def revenue(self, view: Range) -> Revenue:
        """Return what decisions were worth and what lateness cost."""
        return Revenue(**self._rows("revenue", _of(view))[0], window_ns=view.to_ns - view.from_ns)

    def latency_cells(self, view: Range, step_ns: int) -> list[Cell]:
        """Return counts by column of time and log2 bucket, in that order.

        A `step_ns` of less than a minute reads the decisions, otherwise the rollup by minute.
        """
        name = "latency_cells_recent" if step_ns < NS_PER_MINUTE else "latency_cells_minutes"
        return [Cell(**row) for row in self._rows(name, {**_of(view), "step_ns": step_ns})]

    def segment_means(self, view: Range) -> SegmentMeans | None:
        """Return the mean of each segment over all decisions, None without any."""
        begin_ns = min(-(-view.from_ns // NS_PER_MINUTE) * NS_PER_MINUTE, view.to_ns)
        end_ns = max(view.to_ns // NS_PER_MINUTE * NS_PER_MINUTE, begin_ns)
        whole = {"whole_from_ns": begin_ns, "whole_to_ns": end_ns}
        rows = self._rows("segment_means", _of(view) | whole)
        by_segment = {(row["stage"], row["class"]): row for row in rows}
        decisions = int(by_segment["", ""]["decisions"]) if by_segment else 0
        if not decisions:
            return None
        total_ns, *segments_ns = (
            by_segment[part]["sum_ns"] / decisions if part in by_segment else 0.0
            for part in (("", ""), *SEGMENTS)
        )
        return SegmentMeans(decisions, total_ns, segments_ns)

    def reference_means(self, view: Range, reference: Reference) -> SegmentMeans | None:
        """Return the same over the decisions that met their reference latency.

        Where more than NORMAL_DECISIONS_MAX decisions would be read, it is of a sample: of slots
        of time that lie all over the range.
        """
        means_of = (
            self.segment_means(each) for each in (view, replace(view, action="", region=""))
        )
        decisions, of_all = (means.decisions if means else 0 for means in means_of)
        # Powers of two, so that the next reading is of the same slots.
        sparing = 1 << (max(0, of_all - 1) // NORMAL_DECISIONS_MAX).bit_length()
        enough = 1 << (max(1, decisions // _CLASS_DECISIONS_MIN).bit_length() - 1)
        one_in = min(sparing, enough)
        slot_ns = max(1, (view.to_ns - view.from_ns) // (_SLOTS_MIN * one_in))
        # The engine refuses an empty list of actions, so a name that no action has stands in.
        by_action = reference.by_action_ns or {"": reference.default_ns}
        parameters = _of(view) | {
            "reference_actions": list(by_action),
            "reference_ns": list(by_action.values()),
            "default_reference_ns": reference.default_ns,
            "slot_ns": 1 << (slot_ns.bit_length() - 1),
            "one_in": one_in,
        }
        (row,) = self._rows("reference_means", parameters)
        read = row.pop("read")
        sample = (read, decisions) if one_in > 1 else None
        return SegmentMeans(**row, sample=sample) if row["decisions"] else None

    def alerts(
        self, view: Range, rows_max: int = ALERTS_MAX, incident_id: str = ""
    ) -> tuple[list[AlertRow], int]:
        """Return open alerts and those that changed in the range, and how many there are.

        With an incident they are those of it.
        """
        parameters = {
            "from_ns": view.from_ns,
            "to_ns": view.to_ns,
            "lookback_ns": max(0, min(view.to_ns - ALERT_LOOKBACK_NS, view.from_ns)),
            "rows_max": rows_max,
            "incident_id": incident_id,
        }
        rows = self._rows("alerts", parameters)
        total = max((int(row.pop("found")) for row in rows), default=0)
        return [AlertRow(**row) for row in rows], total

    def kept_packets(self, episode_ids: Sequence[str], view: Range) -> dict[str, KeptPackets]:
        """Return what is known of the packets of alerts, by episode."""
        lookback_ns = max(0, view.to_ns - ALERT_LOOKBACK_NS)
        parameters = {"episode_ids": list(episode_ids), "lookback_ns": lookback_ns}
        rows = self._rows("kept_packets", parameters) if episode_ids else []
        return {row.pop("episode_id"): KeptPackets(**row) for row in rows}

    def slopes(self, config: AttributionConfig) -> SlopeBook:
        """Return which slope the decisions of an instant are valued by."""
        return read_book(self._store, config)

    def modes(self, view: Range) -> list[str]:
        """Return the modes of decisions, such as live or canary, sorted; none where none say."""
        return [str(row["mode"]) for row in self._rows("modes", _of(view))]

    def evidence(self, view: Range) -> Evidence:
        """Return how far figures rest on packets and on moved clocks."""
        return Evidence(**self._rows("evidence", _of(view))[0])

    def decision_ids(self, name: str) -> list[str]:
        """Return the decisions meant by a decision id, a trace id or an outcome key."""
        return _told_apart(self._rows("decision_ids", {"id": name, "rows_max": FOUND_MAX}))

    def decision(self, decision_id: str) -> DecisionFacts | None:
        """Return one decision as its root told it, None where it is unknown.

        A sender may begin an id with a blank; whoever copies one has blanks about it that are none
        of its own. Of decisions that share an id it is the newest, or as `rows.exact_id` names it.
        """
        names = dict.fromkeys((decision_id, decision_id.strip()))
        tried = [*((each, 0) for each in names), *filter(None, map(exact_of, names))]
        rows = (
            row
            for each, ingress_ns in tried
            for row in self._rows("decision_facts", {"decision_id": each, "ingress_ns": ingress_ns})
        )
        row = next(rows, None)
        if row is None:
            return None
        root = {name: row[name] for name in ("trace_id", "root_span_id")}
        replaced = [str(each["replaced"]) for each in self._rows("replaced", root)]
        return DecisionFacts(
            **{each.name: row[each.name] for each in fields(DecisionFacts) if each.name in row},
            dimensions={each.column: row[each.column] for each in DIMENSIONS},
            replaced=next(iter(replaced), ""),
        )

    def attribution(self, facts: DecisionFacts) -> Attribution | None:
        """Return how a decision was split, None while it is not attributed."""
        rows = self._rows("attribution", _key(facts))
        return Attribution(**rows[0]) if rows else None

    def revisions(self, facts: DecisionFacts, latest: Attribution | None) -> list[Revision]:
        """Return what each revision up to the latest changed; none where there is only one."""
        if latest is None or latest.revision == 1:
            return []
        rows = self._rows("revisions", _key(facts) | {"revision": latest.revision})
        return [Revision(**row) for row in rows]

    def path_spans(self, facts: DecisionFacts, span_id: str = "") -> list[PathSpan]:
        """Return its spans as assembled at the latest revision, by start, or the one."""
        return [
            PathSpan(latency_class=row.pop("class"), **row)
            for row in self._span_rows("path_spans", _key(facts) | {"span_id": span_id})
        ]

    def path_evidence(self, facts: DecisionFacts) -> list[SpanEvidence]:
        """Return its network and store time by what packets or the kernel prove, by span."""
        return [
            SpanEvidence(latency_class=row.pop("class"), **row)
            for row in self._rows("path_evidence", _key(facts))
        ]

    def call_habits(
        self, calls: Sequence[tuple[str, str]], from_ns: int, to_ns: int
    ) -> dict[tuple[str, str], tuple[int, int]]:
        """Return by service and span name how many calls there were, and how many were answered."""
        parameters = {
            "calls": list(calls),
            "from_ns": from_ns,
            "to_ns": to_ns,
            "calls_max": HABIT_CALLS_MAX,
        }
        return {
            (row["service_name"], row["span_name"]): (row["calls"], row["answered"])
            for row in self._rows("call_habits", parameters)
        }

    def rejected_spans(self, trace_ids: Sequence[str], from_ns: int, to_ns: int) -> dict[str, str]:
        """Return why spans of these traces were quarantined, by span id."""
        parameters = {"trace_ids": list(trace_ids), "from_ns": from_ns, "to_ns": to_ns}
        rows = self._rows("rejected_spans", parameters)
        return {row["span_id"]: row["reason_code"] for row in rows}

    def outcomes(self, facts: DecisionFacts) -> list[Outcome]:
        """Return what it earned, by time."""
        keys = [facts.outcome_key] if facts.outcome_key else []
        parameters = {"decision_id": facts.decision_id, "outcome_keys": keys}
        return [Outcome(**row) for row in self._rows("outcomes", parameters)]

    def span_flows(self, facts: DecisionFacts) -> list[SpanFlow]:
        """Return which exchanges carried its spans, by time."""
        # A span of it may be late, and its clock wrong, by less than a day.
        parameters = {
            "decision_id": facts.decision_id,
            "from_ns": max(0, facts.ingress_ns - NS_PER_DAY),
            "to_ns": facts.end_ns + NS_PER_DAY,
        }
        rows = self._rows("span_flows", parameters)
        return [SpanFlow(**row) for row in rows]

    def packets(self, flow_hashes: Sequence[int], from_ns: int, to_ns: int) -> list[Packet]:
        """Return the kept packets of connections between two instants, by time."""
        parameters = {
            "flow_hashes": sorted(set(flow_hashes)),
            "from_ns": from_ns,
            "to_ns": to_ns,
            "rows_max": PACKETS_MAX,
        }
        return [Packet(**row) for row in self._rows("packets", parameters)]

    def bursts(self, from_ns: int, to_ns: int) -> list[Burst]:
        """Return the bursts on the wire that overlap a time, by start."""
        parameters = {"from_ns": from_ns, "to_ns": to_ns, "rows_max": BURSTS_MAX}
        return [Burst(**row) for row in self._rows("microbursts", parameters)]

    def trace_spans(self, trace_id: str, span_id: str = "") -> list[TraceSpan]:
        """Return every span of one trace by start, or the one; empty where it is unknown."""
        parameters = {"trace_id": trace_id, "span_id": span_id}
        spans = [_trace_span(row) for row in self._span_rows("trace_spans", parameters)]
        return sorted(spans, key=lambda span: (span.start_ns, -span.duration_ns, span.span_id))

    def sent_spans(self, trace_id: str) -> list[SentSpan]:
        """Return where every span of one trace hangs, without what it carried; in no order."""
        rows = self._span_rows("sent_spans", {"trace_id": trace_id})
        return [SentSpan(**row) for row in rows]

    def trace_decisions(self, trace_id: str) -> list[str]:
        """Return the decisions of one trace."""
        return _told_apart(self._rows("trace_decisions", {"trace_id": trace_id}))

    def rejected(self, from_ns: int) -> list[Rejected]:
        """Return what could not be used since an instant, by reason, most first."""
        return [Rejected(**row) for row in self._rows("rejected", {"from_ns": from_ns})]

    def table_sizes(self) -> list[TableSize]:
        """Return what each table takes, largest first."""
        return [TableSize(**row) for row in self._rows("table_sizes", {})]

    def attributed(self, now_ns: int) -> Attributed:
        """Return up to when all that is stored is attributed, and what of it is not.

        Now, where nothing was received after what is attributed.
        """
        cursors = self.job_cursors()
        until_ns = attributed_ns(cursors)
        if until_ns and not self._rows("sealed_next", {"after_ns": until_ns})[0]["next_ns"]:
            until_ns = now_ns
        with store_errors():
            put_off = tuple(read_deferred(self._store.reader(), cursors))
        [newest] = self._rows("newest_decision", {"now_ns": now_ns})
        return Attributed(until_ns, put_off, int(newest["seen_ns"] or newest["newest_ns"]))

    def job_cursors(self) -> dict[str, int]:
        """Return how far each job has read, as received_ns."""
        return {str(row["job"]): int(row["cursor_ns"]) for row in self._rows("job_cursors", {})}

    def _span_rows(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        rows = self._rows(name, parameters | {"rows_max": self._spans_max + 1})
        if len(rows) > self._spans_max:
            raise InputError(
                f"it has more than {self._spans_max:,} spans, which is as many as the memory of "
                "this process is enough for in one answer; give it more, or ask in SQL for some "
                "of them (`millworth query`, table otel_traces)"
            )
        return rows

    def _rows(self, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        return self.ask(name, __file__, parameters)


def _of(view: Range) -> dict[str, Any]:
    return {
        "from_ns": view.from_ns,
        "to_ns": view.to_ns,
        "action": view.action,
        "region": view.region,
    }


def _key(facts: DecisionFacts) -> dict[str, Any]:
    return {"ingress_ns": facts.ingress_ns, "decision_id": facts.decision_id}


def _trace_span(row: dict[str, Any]) -> TraceSpan:
    events = zip(
        row.pop("event_ns"), row.pop("event_names"), row.pop("event_attributes"), strict=True
    )
    links = zip(
        row.pop("link_trace_ids"),
        row.pop("link_span_ids"),
        row.pop("link_trace_states"),
        row.pop("link_attributes"),
        strict=True,
    )
    return TraceSpan(
        **row,
        events=[SpanEvent(*event) for event in events],
        links=[SpanLink(*link) for link in links],
    )


def _told_apart(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ids of decisions, those that several share with when each began."""
    ids = [str(row["decision_id"]) for row in rows]
    times = Counter(ids)
    return [
        each if times[each] == 1 else exact_id(each, row["ingress_ns"])
        for each, row in zip(ids, rows, strict=True)
    ]
