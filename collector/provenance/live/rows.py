"""Pure: what is said of sealed events, as rows of `provenance_events`."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

from collector.provenance.event import Event, MacKey
from collector.provenance.export_file import is_bound
from collector.provenance.live.stream import BatchFindings, Missing
from collector.provenance.verify import Finding, Verdict

COLUMNS: Final = (
    "producer", "epoch", "seq", "item_id", "verdict", "count", "reason", "kid", "trace_id",
    "span_id", "ended_ns", "received_ns", "revision",
)  # fmt: skip


@dataclass(slots=True)
class ProvenanceReport:
    """What one run judged."""

    verdicts: Counter[str] = field(default_factory=Counter)  # events by verdict
    cursor_ns: int = 0  # everything that arrived up to here is judged


_SEAL: Final = ("kid", "producer", "epoch", "seq", "prev", "tag")


def merged(events: Any, outcomes: Any, macs: Mapping[str, MacKey]) -> Any:  # noqa: ANN401  # Arrow tables
    """Return both tables as one, in order of arrival, with `outcome_id`, empty of decisions."""
    none = pa.array([""] * len(events), pa.string())
    events = events.append_column("outcome_id", none)
    if not len(outcomes):
        return events
    column_index = outcomes.column_names.index("form")
    forms = pa.array(bound_forms(outcomes, macs), events.schema.field("form").type)
    outcomes = outcomes.set_column(column_index, "form", forms)
    outcomes = outcomes.select(events.column_names).cast(events.schema)
    order = [(name, "ascending") for name in ("received_ns", "producer", "epoch", "seq")]
    return pa.concat_tables([events, outcomes]).sort_by(order)


def bound_forms(outcomes: Any, macs: Mapping[str, MacKey]) -> list[bytes]:  # noqa: ANN401  # an Arrow table
    """Return the forms of outcomes; of one that is bound to other ids one no seal holds for."""
    return [
        form if is_bound(macs, kid, subject, ids) else b""
        for form, kid, subject, *ids in zip(
            outcomes["form"].cast(pa.binary()).to_pylist(),
            *(outcomes[name].to_pylist() for name in ("kid", "subject", *_BOUND)),
            strict=True,
        )
    ]


_BOUND: Final = ("outcome_id", "decision_id", "outcome_key")


def event_rows(table: Any, findings: BatchFindings, revision: int) -> Any:  # noqa: ANN401  # Arrow tables
    """Return the rows of a batch: every event is ok where nothing else is said of it."""
    size = len(table)
    verdicts, reasons = [Verdict.OK.value] * size, [""] * size
    items, counts = [""] * size, [1] * size
    spans = {name: table[name] for name in ("trace_id", "span_id", "received_ns")}
    copies: Counter[str] = Counter()
    for line, finding in findings.events.items():
        is_late = finding.verdict is Verdict.OK
        verdicts[line] = (Verdict.REORDERED if is_late else finding.verdict).value
        reasons[line] = finding.reason
        if not (is_late or finding.holds_place):
            items[line] = ":".join(str(column[line].as_py()) for column in spans.values())
            copies[items[line]] += 1
    for line in findings.events:
        counts[line] = copies.get(items[line], 1)
    return pa.table(
        {
            **{name: table[name] for name in ("producer", "epoch", "seq", "kid")},
            **spans,
            "ended_ns": table["ended_ns"],
            "item_id": pa.array(items),
            "verdict": pa.array(verdicts).dictionary_encode(),
            "count": pa.array(counts, pa.uint64()),
            "reason": pa.array(reasons).dictionary_encode(),
            "revision": pa.array([revision] * size, pa.uint64()),
        }
    )


def forms_of(table: Any) -> list[bytes]:  # noqa: ANN401  # an Arrow table
    """Return the end of the sealed form of each event of `sealed_events.sql`."""
    return list(table["form"].cast(pa.binary()).to_pylist())


def events_of(table: Any) -> Iterator[Event]:  # noqa: ANN401  # an Arrow table
    """Yield the events of `sealed_events.sql`; of their fields only ids and the end are filled."""
    names = ("trace_id", "span_id", "ended_ns", "received_ns", *_SEAL)
    column = {name: table[name].to_pylist() for name in names}
    ended = map(str, column["ended_ns"])
    starts = [""] * len(table)
    fields = zip(column["trace_id"], column["span_id"], starts, ended, strict=True)
    columns = (column[name] for name in _SEAL)
    return map(Event._make, zip(*columns, fields, column["received_ns"], strict=True))


def verdicts_of(rows: Any) -> Counter[str]:  # noqa: ANN401  # an Arrow table
    """Count the rows by what they say."""
    counted = rows["verdict"].value_counts().to_pylist()
    return Counter({each["values"]: each["counts"] for each in counted})


def run_row(finding: Finding, revision: int) -> list[Any]:
    """Return the row of what is said of a checkpoint, or of a run of numbers."""
    item = f"checkpoint:{finding.first_seq}-{finding.last_seq}"
    if finding.verdict is Verdict.FORGED_CHECKPOINT:  # under nobody's name, and each by itself
        item = f"forged:{hashlib.sha256(finding.reason.encode(errors='replace')).hexdigest()[:32]}"
    return [
        finding.producer, finding.epoch, finding.first_seq, item, finding.verdict.value,
        finding.count, finding.reason, "", "", "", 0, revision, revision,
    ]  # fmt: skip


def missing_row(hole: Missing, revision: int) -> list[Any]:
    """Return the row of a hole; of one of checkpoints that is filled, that nothing is missing."""
    is_event = hole.verdict is Verdict.MISSING
    item, reason = ("", "it is not here") if is_event else ("coverage", "no checkpoint is over it")
    verdict = hole.verdict if hole.count else Verdict.OK
    return [
        hole.producer, hole.epoch, hole.first_seq, item, verdict.value, hole.count,
        reason, "", "", "", 0, hole.seen_ns, revision,
    ]  # fmt: skip
