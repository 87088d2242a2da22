"""I/O: takes decisions out of every sum for what their seals say, and puts genuine ones back.

A row of `decisions` that does not count is noted in `withdrawals` and removed, so that whoever sums
need not ask. Where its genuine copy was kept from the table by it, that copy is put in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from collector.core.counters import Counters
from collector.core.times import NS_PER_MINUTE
from collector.provenance.event import TRACE_ID_INDEX
from collector.provenance.live.outcome_withdrawals import PREFIX, OutcomeWithdrawals, Proof
from collector.provenance.live.sealed_reader import SealedReader
from collector.provenance.live.withdrawal_store import WithdrawalStore, chunks
from collector.provenance.verify import Finding, Verdict
from collector.store.row_removal import remove_rows
from collector.store.schema.backfill import decision_keys, rerun_spans

_HOLDS: Final = (Verdict.OK.value, Verdict.REORDERED.value)
_FORGED: Final = (Verdict.TAMPERED.value, Verdict.UNSIGNED.value)
# Forgeries whose genuine copies may be still to come.
_REMEMBERED_MAX: Final = 100_000
_SHADOWED_MAX: Final = 1_000  # read at a time
_LASTS_NS: Final = NS_PER_MINUTE  # nearly every decision begins within so long of its end
_OF_SPANS: Final = (
    "trace_id IN {trace_ids:Array(String)} AND (trace_id, root_span_id, received_ns) IN "
    "arrayZip({trace_ids:Array(String)}, {span_ids:Array(String)}, {received_ns:Array(UInt64)})"
)

Root = tuple[str, str]  # trace and span


class CopyVerdict(NamedTuple):
    """The verdict on one copy of an event."""

    trace_id: str
    span_id: str
    received_ns: int
    verdict: str
    reason: str

    @property
    def root(self) -> Root:
        """Return trace and span."""
        return self.trace_id, self.span_id


class Withdrawals:
    """Keeps what does not count out of `decisions`.

    Args:
        store: whose decisions they are, and the time of a pass.
        counters: what is counted on /metrics.
        sealed: reads the copies of events.
        proof: a decision that is not proven does not count where that is required; else only what
            stands in the way of the genuine copy, and what is replayed, does not.
    """

    def __init__(
        self,
        store: WithdrawalStore,
        counters: Counters,
        sealed: SealedReader,
        proof: Proof,
    ) -> None:
        self._store = store
        self._counters = counters
        self._sealed = sealed
        self._required = proof.decisions
        self._outcomes = OutcomeWithdrawals(store, counters, sealed, proof)
        self._forged: dict[Root, None] | None = None  # the latest; None: not read yet
        self.page_rows = _SHADOWED_MAX
        self._taken = 0

    @property
    def taken(self) -> int:
        """Return the decisions and outcomes that are out of the sums since this process began."""
        return self._taken + self._outcomes.taken

    def begin(self, now_ns: int) -> None:
        """Set the time of a pass at its beginning; what a long pass does late is noted by it."""
        self._store.begin(now_ns)

    def settle(self, rows: pa.Table, page: tuple[int, int], outcome_ids: Sequence[str]) -> None:
        """Act on the rows of a page of events, that arrived in (after, until].

        The ids are empty where a row is of a decision.
        """
        self._outcomes.settle(rows, outcome_ids)
        forged = self._remembered()
        bad = _copies_with(rows, _FORGED)
        for each in bad:
            forged[each.root] = None
        for root in list(islice(forged, max(0, len(forged) - _REMEMBERED_MAX))):
            del forged[root]
        out = _copies_with(rows, (Verdict.REPLAYED.value,))
        # What came at the instant of its replay goes with it, and has to come back.
        instants = {each[:3] for each in out}
        back = [each for each in _copies_with(rows, _HOLDS) if each[:3] in instants]
        out += bad if self._required else []
        if forged:
            holds = [each for each in _copies_with(rows, _HOLDS) if each.root in forged]
            for copies in self._copies({each.trace_id for each in [*bad, *holds]}).values():
                genuine = [each for each in copies if each.verdict in _HOLDS]
                if genuine:
                    out += [each for each in copies if each.verdict in _FORGED]
                    back += genuine
        self._take_out(out)
        ended = _chosen(rows, _HOLDS)["ended_ns"]
        if forged and len(ended):
            bounds = pc.min_max(ended).as_py()
            back += self._unshadowed(page, (bounds["min"], bounds["max"]))
        self._put_back(back)

    def settle_run(self, finding: Finding) -> None:
        """Act on the verdict on a whole run of events."""
        if self._required and finding.producer:
            rows = self._store.rows(
                "events_of_run",
                kid="",
                producer=finding.producer,
                epoch=finding.epoch,
                first_seq=finding.first_seq,
                last_seq=finding.last_seq,
                verdicts=[*_HOLDS, finding.verdict.value],
            )
            copies = [CopyVerdict(**row) for row in rows]
            self._outcomes.settle_names(each.span_id for each in copies)
            verdict, reason = finding.verdict.value, finding.reason
            self._take_out([each._replace(verdict=verdict, reason=reason) for each in copies])

    def settle_key(self, kid: str) -> None:
        """Act on what a change of a key made of its events."""
        self._outcomes.settle_key(kid)
        if not self._required:
            return
        run = {"producer": "", "epoch": "", "first_seq": 0, "last_seq": 0}
        rows = self._store.rows("events_of_run", kid=kid, verdicts=[Verdict.TAMPERED.value], **run)
        self._take_out([CopyVerdict(**row) for row in rows])
        rows = self._store.rows("withdrawn_of_key", kid=kid)
        self._put_back([CopyVerdict(**row, verdict=Verdict.OK.value, reason="") for row in rows])

    def _remembered(self) -> dict[Root, None]:
        if self._forged is None:
            rows = self._store.rows("recent_forgeries", limit=_REMEMBERED_MAX)
            self._forged = {(row["trace_id"], row["span_id"]): None for row in reversed(rows)}
        return self._forged

    def _copies(self, trace_ids: Iterable[str]) -> dict[Root, list[CopyVerdict]]:
        copies: dict[Root, list[CopyVerdict]] = {}
        for part in chunks(sorted(trace_ids)):
            for row in self._store.rows("siblings", trace_ids=part):
                copy = CopyVerdict(**row)
                copies.setdefault(copy.root, []).append(copy)
        return copies

    def _unshadowed(self, page: tuple[int, int], ended: tuple[int, int]) -> list[CopyVerdict]:
        """Take out what holds the place of genuine decisions of a page; return these.

        One that began longer before it ended than is looked at is put back where it is already,
        which changes nothing.
        """
        genuine = list(self._shadowed(page, ended))
        for part in chunks(genuine):
            keys = decision_keys(self._store.client, self._with_contents(part))
            holders = self._store.rows(
                "shadowing",
                ingress_ns=[ingress_ns for ingress_ns, _ in keys],
                decision_ids=[decision_id for _, decision_id in keys],
            )
            copies = self._copies({row["trace_id"] for row in holders})
            roots = {(row["trace_id"], row["span_id"]) for row in holders}
            out = [
                each for root in roots for each in copies.get(root, ()) if each.verdict in _FORGED
            ]
            self._take_out(out)
        return genuine

    def _shadowed(self, page: tuple[int, int], ended: tuple[int, int]) -> Iterable[CopyVerdict]:
        """Yield the genuine decisions of a page that nobody sees, all of them."""
        last: Root = ("", "")
        while rows := self._store.rows(
            "shadowed",
            after_ns=page[0],
            until_ns=page[1],
            from_ns=max(0, ended[0] - _LASTS_NS),
            to_ns=ended[1],
            after_trace=last[0],
            after_span=last[1],
            limit=self.page_rows,
        ):
            copies = [CopyVerdict(**row, verdict=Verdict.OK.value, reason="") for row in rows]
            yield from copies
            last = copies[-1].root

    def _take_out(self, copies: Sequence[CopyVerdict]) -> None:
        by_reason: dict[tuple[str, str], list[CopyVerdict]] = {}
        for each in copies:
            by_reason.setdefault((each.verdict, each.reason), []).append(each)
        for (verdict, reason), events in by_reason.items():
            for part in chunks(events):
                self._note(part, verdict, reason, is_back=False)
                remove_rows(self._store.connections, "decisions", _OF_SPANS, _spans(part))
                self._counters.provenance_withdrawn.inc(len(part))
                self._taken += len(part)

    def _put_back(self, copies: Sequence[CopyVerdict]) -> None:
        for part in chunks(copies):
            rerun_spans(self._store.client, self._with_contents(part))
            self._note(part, Verdict.OK.value, "", is_back=True)

    def _with_contents(self, copies: Sequence[CopyVerdict]) -> dict[str, Any]:
        """Return the spans with what was sent of those whose seals hold, among all their copies."""
        places = {each[:3] for each in copies}
        traces = sorted({each.trace_id for each in copies})
        contents: dict[tuple[str, str, int], str] = {}
        for event, _, content in self._sealed.genuine(traces):
            trace_id, span_id = event.fields[TRACE_ID_INDEX : TRACE_ID_INDEX + 2]
            place = trace_id, span_id, event.received_ns
            if place in places:  # of copies of one instant any, but one and the same each time
                contents[place] = min(str(content), contents.get(place, str(content)))
        return {**_spans(copies), "contents": sorted(contents.values())}

    def _note(
        self, copies: Sequence[CopyVerdict], verdict: str, reason: str, *, is_back: bool
    ) -> None:
        note = {"verdict": verdict, "reason": reason, "is_back": int(is_back)}
        note["now_ns"] = self._store.now_ns()
        self._store.command("withdraw", {**_spans(copies), **note})


def _copies_with(rows: pa.Table, verdicts: Sequence[str]) -> list[CopyVerdict]:
    return [
        CopyVerdict(**row)
        for row in _chosen(rows, verdicts).select(CopyVerdict._fields).to_pylist()
    ]


def _chosen(rows: pa.Table, verdicts: Sequence[str]) -> pa.Table:
    """Return the rows of decisions that have one of some verdicts."""
    is_one = pc.is_in(rows["verdict"].cast(pa.string()), pa.array(verdicts, pa.string()))
    is_decision = pc.invert(pc.starts_with(rows["span_id"], PREFIX))
    return rows.filter(pc.and_(is_one, is_decision))


def _spans(copies: Sequence[CopyVerdict]) -> dict[str, Any]:
    return {
        "trace_ids": [each.trace_id for each in copies],
        "span_ids": [each.span_id for each in copies],
        "received_ns": [each.received_ns for each in copies],
    }
