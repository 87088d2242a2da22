"""I/O: splits network and store time of spans by what their packets prove, as both come in."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from attribution.path.evidence import Evidence, Waited, finding, split_by_evidence
from collector.core.clock import NS_PER_HOUR, NS_PER_S
from collector.core.sql import sql
from collector.store.connect import Connections
from collector.store.cursors import JobCursor

CURSOR = "attribution.evidence"
# Rows that were written under an earlier instant may become visible after the last run.
_OVERLAP_NS = 30 * NS_PER_S
# A decision begins at most so long before the first packet of one of its spans.
_REACH_NS = NS_PER_HOUR
_SQL = sql("evidence_spans", __file__)
_PARTS = [field.name for field in fields(Evidence)]


@dataclass(frozen=True, slots=True)
class EvidenceReport:
    """What one run did."""

    spans: int  # split, those of the overlap again
    findings: int  # whose packets lie outside of them


class EvidenceJob:
    """The one writer of `path_evidence`."""

    def __init__(self, store: Connections) -> None:
        self._store = store
        self._cursor = JobCursor(CURSOR)

    def run_once(self, now_ns: int) -> EvidenceReport:
        """Split every span whose packets or whose attribution came since the last run."""
        client = self._store.client()
        after_ns = max(0, self._cursor.read(client) - _OVERLAP_NS)
        result = client.query(
            _SQL, parameters={"after_ns": after_ns, "until_ns": now_ns, "reach_ns": _REACH_NS}
        )
        rows, findings = [], 0
        for span in result.named_results():
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
            assert split.total_ns == span["self_ns"], "the evidence of a span misses its self time"
            odd = finding(waited, span["clock_bound_ns"])
            findings += bool(odd)
            own = ("ingress_ns", "decision_id", "span_id", "stage", "class", "self_ns")
            rows.append(
                [
                    *(span[name] for name in own),
                    *astuple(split),
                    odd,
                    span["outside_ns"],
                    span["revision"],
                    now_ns,
                ]
            )
        if rows:
            client.insert(
                "path_evidence",
                rows,
                column_names=[
                    "ingress_ns", "decision_id", "span_id", "stage", "class", "self_ns", *_PARTS,
                    "finding", "outside_ns", "revision", "computed_ns",
                ],
            )  # fmt: skip
        self._cursor.write(client, now_ns, has_news=bool(rows))
        return EvidenceReport(len(rows), findings)
