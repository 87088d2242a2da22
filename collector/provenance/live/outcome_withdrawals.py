"""I/O: takes outcomes out of every sum for what their seals say, and puts genuine ones back.

The latest revision of an outcome counts, so that a forged one replaces the genuine one in the table
`outcomes`. Whatever came of an outcome is in the log records: what counts among these is worked out
anew and put into the table, the rest is noted in `withdrawn_outcomes` and removed from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol, Self

import pyarrow as pa

from collector.core.counters import Counters
from collector.provenance.event import END_NS_INDEX, TRACE_ID_INDEX, Event, MacKey, is_unsigned
from collector.provenance.live.copies import Copy
from collector.provenance.live.rows import bound_forms, events_of
from collector.provenance.live.withdrawal_store import WithdrawalStore, chunks
from collector.provenance.verify import Verdict
from collector.store.row_removal import remove_rows
from collector.store.schema.backfill import rerun_outcomes

PREFIX: Final = "outcome:"  # of the names of outcomes among sealed events
_HOLDS: Final = (Verdict.OK.value, Verdict.REORDERED.value, Verdict.RETRIED.value)
_FORGED: Final = (Verdict.TAMPERED.value, Verdict.UNSIGNED.value)
_REMEMBERED_MAX: Final = 100_000
_OF_RECORDS: Final = (
    "outcome_id IN {outcome_ids:Array(String)} AND source = 'otlp' AND "
    "(outcome_id, event_ns, received_ns) IN "
    "arrayZip({outcome_ids:Array(String)}, {event_ns:Array(UInt64)}, {received_ns:Array(UInt64)})"
)
_NOTED: Final = (
    "outcome_id", "event_ns", "received_ns", "content_hash", "subject", "decision_id",
    "outcome_key", "revenue", "margin", "currency", "withdrawn_ns", "is_back", "verdict", "reason",
)  # fmt: skip


class OutcomeRecord(NamedTuple):
    """One log record of an outcome, with its seal."""

    event: Event  # of its fields only the name and the time are filled
    form: bytes
    content: str  # equal where every byte is
    outcome_id: str
    decision_id: str
    outcome_key: str
    revenue: Decimal | None  # in the currency; margin too
    margin: Decimal | None
    currency: str

    @classmethod
    def of_table(cls, table: Any, macs: Mapping[str, MacKey]) -> Iterator[Self]:  # noqa: ANN401  # an Arrow table
        """Yield the rows of `sealed_outcomes.sql`."""
        columns = (table[name].to_pylist() for name in ("copy", *cls._fields[3:]))
        for each in zip(events_of(table), bound_forms(table, macs), *columns, strict=True):
            yield cls(*each)

    @property
    def name(self) -> str:
        """Return what it is called among sealed events."""
        return self.event.fields[TRACE_ID_INDEX + 1]

    @property
    def key(self) -> tuple[str, int, int]:
        """Return what its row in `outcomes` has: the id, and when it happened and arrived."""
        return self.outcome_id, int(self.event.fields[END_NS_INDEX]), self.event.received_ns


@dataclass(frozen=True, slots=True)
class Proof:
    """What has to be proven before it counts."""

    decisions: bool  # and a sealed outcome that is not as it was sealed is out
    outcomes: bool  # and so is one without a seal

    @property
    def of_sealed(self) -> bool:
        """Return whether an outcome with a seal that does not hold is out in any case."""
        return self.decisions or self.outcomes


class Records(Protocol):
    """What reads the log records of outcomes; `SealedReader` is one."""

    def outcome_records(self, outcome_ids: Sequence[str]) -> Iterable[OutcomeRecord]:
        """Return all log records of some outcomes, and of what has the subjects of these."""
        ...

    def holds(self, copy: Copy) -> bool:
        """Return whether the seal of one copy is of what it says, under a key that counts."""
        ...


class Ruling(NamedTuple):
    """The verdict on an event, and its reason."""

    verdict: str
    reason: str


Rulings = dict[tuple[str, int], list[Ruling]]  # by name and arrival
Withdrawn = tuple[OutcomeRecord, Ruling]


class OutcomeWithdrawals:
    """Keeps what does not count out of `outcomes`.

    Args:
        store: whose outcomes they are, and the time of a pass.
        counters: what is counted on /metrics.
        sealed: reads the log records of outcomes.
        proof: what has to be proven; else only what stands in the way of a genuine copy is out.
    """

    def __init__(
        self,
        store: WithdrawalStore,
        counters: Counters,
        sealed: Records,
        proof: Proof,
    ) -> None:
        self._store = store
        self._counters = counters
        self._sealed = sealed
        self._proof = proof
        # Outcomes to look at again, by name and by id of a forgery; None: not read yet.
        self._forged: dict[str, set[str]] | None = None
        self.taken = 0

    def settle(self, rows: pa.Table, outcome_ids: Sequence[str]) -> None:
        """Act on the rows of a page of events; the ids are empty where a row is no outcome's."""
        names = rows["span_id"].to_pylist()
        verdicts = rows["verdict"].cast(pa.string()).to_pylist()
        of_outcomes = [each for each in zip(names, outcome_ids, verdicts, strict=True) if each[1]]
        if not of_outcomes:
            return
        forged = self._remembered()
        touched: set[str] = set()
        for name, outcome_id, verdict in of_outcomes:
            if verdict in (*_FORGED, Verdict.REPLAYED.value):
                touched.add(outcome_id)
                _remember(forged, name, outcome_id)
        for name, outcome_id, _ in of_outcomes if forged else ():
            touched |= forged.get(name, set()) | forged.get(outcome_id, set())
        self._work_out(touched)

    def settle_names(self, names: Iterable[str]) -> None:
        """Act on the verdict on a run of events, by their names."""
        outcome_names = sorted({name for name in names if name.startswith(PREFIX)})
        for part in chunks(outcome_names):
            self._work_out(
                {row["outcome_id"] for row in self._store.rows("outcome_ids", names=part, kid="")}
            )

    def settle_key(self, kid: str) -> None:
        """Act on what a change of a key made of its outcomes."""
        rows = self._store.rows("outcome_ids", names=[], kid=kid)
        self._work_out({row["outcome_id"] for row in rows})

    def _remembered(self) -> dict[str, set[str]]:
        if self._forged is None:
            self._forged = {}
            for row in self._store.rows("forged_outcomes", limit=_REMEMBERED_MAX):
                _remember(self._forged, row["span_id"], row["outcome_id"])
        return self._forged

    def _work_out(self, outcome_ids: set[str]) -> None:
        for part in chunks(sorted(outcome_ids)):
            records = [*self._sealed.outcome_records(part)]
            names = sorted({record.name for record in records})
            rulings: Rulings = {}
            for row in self._store.rows("outcome_words", names=names):
                ruling = Ruling(row["verdict"], row["reason"])
                rulings.setdefault((row["span_id"], row["received_ns"]), []).append(ruling)
            genuine = [each for each in records if self._is_genuine(each, rulings)]
            out = [
                (each, against)
                for each in records
                if (against := self._ruling_against(each, rulings, genuine)) is not None
            ]
            gone = {id(each) for each, _ in out}
            self._replace(out, [each for each in records if id(each) not in gone])

    def _is_genuine(self, record: OutcomeRecord, rulings: Rulings) -> bool:
        if is_unsigned(record.event) or not self._sealed.holds(record[:3]):
            return False
        own_rulings = rulings.get((record.name, record.event.received_ns), [])
        return not own_rulings or any(each.verdict in _HOLDS for each in own_rulings)

    def _ruling_against(
        self, record: OutcomeRecord, rulings: Rulings, genuine: Sequence[OutcomeRecord]
    ) -> Ruling | None:
        """Return the ruling by which a record does not count, None of one that does."""
        if any(record is each for each in genuine):
            return None
        against = [
            ruling
            for ruling in rulings.get((record.name, record.event.received_ns), [])
            if ruling.verdict not in _HOLDS
        ]
        bare = is_unsigned(record.event)
        if bare and not self._proof.outcomes:
            return None  # nobody judges it
        if not against:  # not judged yet: it is looked at again when it is
            return None
        # Of two at one instant either may have either ruling; a seal is there or it is not.
        is_like = (each for each in against if (each.verdict == Verdict.UNSIGNED.value) == bare)
        ruling = next(is_like, against[0])
        shadows = any(
            record.outcome_id == each.outcome_id or record.name == each.name for each in genuine
        )
        is_out = shadows or self._proof.of_sealed or ruling.verdict == Verdict.REPLAYED.value
        return ruling if is_out else None

    def _replace(self, out: Sequence[Withdrawn], keep: Sequence[OutcomeRecord]) -> None:
        # Attribution may look between the note and the change; so it is noted behind it again.
        self._note(out, keep)
        if out:
            outcome_ids, event_ns, received_ns = zip(*(each.key for each, _ in out), strict=True)
            chosen = {
                "outcome_ids": list(outcome_ids),
                "event_ns": list(event_ns),
                "received_ns": list(received_ns),
            }
            remove_rows(self._store.connections, "outcomes", _OF_RECORDS, chosen)
        sources = {
            "received_ns": sorted({each.event.received_ns for each in keep}),
            "contents": sorted({each.content for each in keep}),
        }
        rerun_outcomes(self._store.client, sources)
        self._note(out, keep)
        self._counters.provenance_withdrawn.inc(len(out))
        self.taken += len(out)

    def _note(self, out: Sequence[Withdrawn], keep: Sequence[OutcomeRecord]) -> None:
        now_ns = self._store.now_ns()
        rows = [_row(each, now_ns, 0, *ruling) for each, ruling in out]
        rows += [_row(each, now_ns, 1, Verdict.OK.value, "") for each in keep]
        if rows:
            self._store.client.insert("withdrawn_outcomes", rows, column_names=list(_NOTED))


def _remember(forged: dict[str, set[str]], name: str, outcome_id: str) -> None:
    for key in (name, outcome_id):
        forged.setdefault(key, set()).add(outcome_id)
    while len(forged) > 2 * _REMEMBERED_MAX:
        del forged[next(iter(forged))]


def _row(record: OutcomeRecord, now_ns: int, is_back: int, verdict: str, reason: str) -> list[Any]:
    subject = record.name.removeprefix(PREFIX) if record.event.tag else ""
    return [
        *record.key, _hash(record.content), subject, *record[4:], now_ns, is_back, verdict, reason,
    ]  # fmt: skip


def _hash(content: str) -> int:
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:8], "big")
