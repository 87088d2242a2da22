"""I/O: sealed decisions as they are stored, and whether rows that money is summed from are so."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

from collector.audit.log import AuditRow, acts_that_hold
from collector.core.config import AttributesConfig, DecisionsConfig, OutcomesConfig
from collector.core.event_schema import DIMENSIONS
from collector.core.sql import fill, sql
from collector.core.times import NS_PER_DAY, NS_PER_MINUTE, NS_PER_S
from collector.provenance.config import ProvenanceConfig
from collector.provenance.live.statements import with_parts
from collector.store.connect import Connections
from collector.store.retention_policy import RetentionConfig
from collector.store.schema.cluster import render
from collector.store.schema.migrate import VIEWS_DIR, load_views, render_view
from collector.store.schema.view_times import view_times
from dashboard.read.statements import Statements, store_errors

# A page scans what arrived in its window, not all that came later.
_WINDOW_NS: Final = 10 * NS_PER_MINUTE
# The next rows are looked for in the window that follows, then so far on, day by day.
_LOOKS_NS: Final = (_WINDOW_NS, *[NS_PER_DAY] * 30)
# What was received in the last moments may be on its way into the second of two tables.
_SETTLED_NS: Final = 10 * NS_PER_S
_SKEW_NS: Final = 60 * NS_PER_MINUTE  # a sender's clock may be so far ahead
_TABLES: Final[tuple[Literal["decisions", "outcomes"], ...]] = ("decisions", "outcomes")
CHANGED_MAX: Final = 1_000  # rows named by window and table
_VIEW_HEAD: Final = re.compile(r"\A(?:--.*\n)*CREATE MATERIALIZED VIEW .* AS\n")
_IMPORTED: Final = re.compile(r": ([0-9]{1,18}) imported, [0-9]+ refused\Z")  # what an import notes
_COLUMNS: Final = {
    "decisions": (
        "ingress_ns", "decision_id", "service_name", "start_ns", "end_ns", "transform_ns",
        "decision_ns", "egress_ns", "action", *(each.column for each in DIMENSIONS),
        "injected_delay_ns", "value_usd", "outcome_key", "is_error",
    ),
    "outcomes": (
        "kind", "decision_id", "outcome_key", "converted", "revenue", "margin", "currency",
        "channel", "event_ns",
    ),
}  # fmt: skip
_IN_WINDOW: Final = (
    "Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64}) "
    "AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})"
)
_OF_WINDOW: Final = "FROM (SELECT * FROM ${stored} WHERE ${window})\n"
# What the view of a table reads, and where those rows are stored.
_SOURCES: Final = {
    "decisions": ("otel_decision_spans", "otel_traces"),
    "outcomes": ("otel_logs", "otel_logs"),
}


@dataclass(frozen=True, slots=True)
class SealedPage:
    """Decisions in order of arrival, by the names of the seal."""

    items: list[dict[str, Any]]
    next: str  # `after` of the next page: Unix ns; "" where there is no more


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that is not what its event says, or that one of the two lacks."""

    table: Literal["decisions", "outcomes"]
    kind: Literal["changed", "inserted", "deleted", "withdrawn"]
    trace_id: str
    span_id: str
    id: str  # of the decision or the outcome
    columns: list[str]  # that differ; of what was withdrawn the verdict
    is_earlier: bool  # its event came before names were mapped as they are: no finding


@dataclass(frozen=True, slots=True)
class RowsPage:
    """What became of the rows of one window."""

    decisions: int
    outcomes: int
    imported: int  # outcomes of files, which have no event here
    replaced: int  # of files, where one of the same id was sent
    changed: list[ChangedRow]
    next: str  # `after` of the next page, where the next window begins; "" where there is no more
    undated: Sequence[str]  # tables of whose view the audit does not say since when it is as it is
    unaudited: int = 0  # outcomes of files, more than the audit has imports of; with the last page


class SealedStore:
    """Reads what `millworth verify provenance` asks a service for.

    Args:
        store: which is read.
        attributes: a customer's own names: what they yield is what is sealed and summed.
        decisions: which spans are decisions beside those that say so.
        outcomes: how outcomes are read.
        retention: rows that may have lost their events to it are not compared.
        proof: what has to be proven to be in a sum; what the audit says was asked for before counts
            too.
    """

    def __init__(
        self,
        store: Connections,
        attributes: AttributesConfig | None = None,
        decisions: DecisionsConfig | None = None,
        outcomes: OutcomesConfig | None = None,
        retention: RetentionConfig | None = None,
        proof: ProvenanceConfig | None = None,
    ) -> None:
        self._store = store
        self._statements = Statements(store)
        self._names = (
            attributes or AttributesConfig(),
            decisions or DecisionsConfig(),
            outcomes or OutcomesConfig(),
        )
        self._proof = proof or ProvenanceConfig()
        days = retention or RetentionConfig()
        tables = ("decisions", "outcomes", "otel_traces", "otel_logs")
        self._days = min(days.days(table) for table in tables)

    def events(self, after_ns: int, limit: int) -> SealedPage:
        """Return about `limit` decisions that arrived after an instant."""
        (following,) = self._rows("sealed_next", after_ns=after_ns)
        if not following["next_ns"]:
            return SealedPage([], "")
        until_ns = following["next_ns"] + _WINDOW_NS
        rows = self._rows(
            "sealed_spans", after_ns=after_ns, until_ns=until_ns, limit=limit, trace_ids=[]
        )
        return SealedPage(rows, str(rows[-1]["received_ns"] if rows else until_ns))

    def outcomes(self, after_ns: int, limit: int) -> SealedPage:
        """Return about `limit` sealed outcomes that arrived after an instant."""
        rows = self._rows("sealed_outcomes", after_ns=after_ns, limit=limit, subjects=[])
        return SealedPage(rows, str(rows[-1]["received_ns"]) if rows else "")

    def outcome_copies(self, subjects: list[str]) -> list[dict[str, Any]]:
        """Return all copies of the sealed outcomes that are bound by some subjects."""
        if not subjects:
            return []
        return self._rows("sealed_outcomes", after_ns=0, limit=2**31, subjects=subjects)

    def copies(self, trace_ids: list[str]) -> list[dict[str, Any]]:
        """Return all copies of the sealed decisions of some traces, in order of arrival."""
        if not trace_ids:
            return []
        return self._rows("sealed_spans", after_ns=0, until_ns=0, limit=0, trace_ids=trace_ids)

    def checkpoints(self, after_ns: int, limit: int) -> SealedPage:
        """Return about `limit` checkpoints that arrived after an instant."""
        rows = self._rows("sealed_checkpoints", after_ns=after_ns, limit=limit)
        return SealedPage(
            [row["attributes"] for row in rows], str(rows[-1]["received_ns"]) if rows else ""
        )

    def rows(self, from_ns: int, now_ns: int) -> RowsPage:
        """Compare the rows of decisions and outcomes of the next window with their events.

        Of days without rows one call passes over a month; then it says where the next goes on.
        """
        kept_ns = now_ns - (self._days - 1) * NS_PER_DAY
        begin_ns, next_ns = self._next(max(from_ns, kept_ns, 0), now_ns + NS_PER_DAY)
        if not begin_ns:
            unaudited = 0 if next_ns else self._unaudited()
            return RowsPage(0, 0, 0, 0, [], str(next_ns or ""), [], unaudited)
        window = {"from_ns": begin_ns, "to_ns": begin_ns + _WINDOW_NS}
        bounds = {"until_ns": now_ns - _SETTLED_NS, "kept_ns": max(kept_ns, 0)}
        bounds["ahead_ns"] = now_ns + NS_PER_DAY
        since, out = self._view_times(), self._unsigned_out
        (counts,) = self._rows("stored_counts", **window)
        changed = []
        for table in _TABLES:
            since_ns = since.get(table, 0)
            rows = self._changed(table, unsigned_out=int(table in out), **bounds, **window)
            changed += [
                ChangedRow(
                    table,
                    row["kind"],
                    row["trace_id"],
                    row["span_id"],
                    row["id"],
                    row["columns"],
                    # No arrival is sealed: what happened later did not arrive before.
                    is_earlier=row["stored_ns"] < since_ns
                    and row["happened_ns"] < since_ns + _SKEW_NS,
                )
                for row in rows
            ]
        undated = [table for table in _TABLES if table not in since]
        return RowsPage(**counts, changed=changed, next=str(window["to_ns"]), undated=undated)

    @cached_property
    def _unsigned_out(self) -> set[str]:
        """Return the tables that what has no seal was taken out of at any time, by the settings.

        Who writes to the store by SQL can say of a row that it was, and cannot write the audit. It
        is read once: the settings of this process are in it before anybody asks.
        """
        required = {"decisions": self._proof.required, "outcomes": self._proof.outcomes_required}
        names = {"decisions": "required", "outcomes": "outcomes_required"}
        for row in self._acts("configured"):
            # Without a seal anybody may have written it.
            with suppress(ValueError, TypeError, KeyError):
                settings = json.loads(row.detail)["settings"]
                for table, name in names.items():
                    required[table] |= settings[f"provenance.{name}"] == "true"
        return {table for table, is_asked in required.items() if is_asked}

    def _unaudited(self) -> int:
        """Return how many outcomes say that they came from files which nobody imported."""
        acts = (_IMPORTED.search(row.detail) for row in self._acts("outcomes_imported"))
        audited = sum(int(match[1]) for match in acts if match)
        (stored,) = self._rows("file_outcomes")
        return max(0, int(stored["outcomes"]) - audited)

    def _acts(self, action: str) -> list[AuditRow]:
        with store_errors():
            return acts_that_hold(self._store.reader(), action, self._store.audit_seal)

    def _view_times(self) -> dict[str, int]:
        """Return by table since when its view has the text that it has, where the audit says so."""
        views = load_views(*self._names, self._store.config.cluster)
        with store_errors():
            times = view_times(self._store.reader(), views, self._store.audit_seal)
        names = {f"view {table}_mv": table for table in _TABLES}
        return {names[name]: times[name] for name in names if name in times}

    def _next(self, from_ns: int, end_ns: int) -> tuple[int, int]:
        """Return when the first row is from an instant on, else where to look on; 0 for neither."""
        for look_ns in _LOOKS_NS:
            to_ns = min(from_ns + look_ns, end_ns)
            if to_ns <= from_ns:
                return 0, 0
            (row,) = self._rows("next_stored", from_ns=from_ns, to_ns=to_ns)
            if row["next_ns"]:
                return row["next_ns"], 0
            from_ns = to_ns
        return 0, from_ns

    def _changed(self, table: str, **window: int) -> list[dict[str, Any]]:
        """Return the rows of one table that its view does not make of what is stored."""
        view = render_view(render((VIEWS_DIR / f"{table}_mv.sql").read_text(), ""), *self._names)
        source, stored = _SOURCES[table]
        of_window = fill(_OF_WINDOW, stored=stored, window=_IN_WINDOW)
        # What the view says of one insert as a whole it does not say of a window.
        each = _VIEW_HEAD.sub("", view).partition("\nQUALIFY ")[0]
        events = each.replace(f"FROM {source}\n", of_window)
        columns = _COLUMNS[table]
        texts = ", ".join(f"ifNull(toString({name}), '')" for name in columns)
        names = ", ".join(f"'{name}'" for name in columns)
        text = render_view(
            sql(f"changed_{table}", __file__),
            *self._names,
            events=events,
            texts=f"[{texts}]",
            names=f"[{names}]",
            window=_IN_WINDOW,
        )
        return self._statements.ask_text(text, {**window, "limit": CHANGED_MAX})

    def _rows(self, name: str, **parameters: object) -> list[dict[str, Any]]:
        text = render_view(with_parts(sql(name, __file__)), *self._names)
        return self._statements.ask_text(text, parameters)
