"""I/O: judges sealed decisions as they are stored, and writes `provenance_events`.

A pass reads what arrived since the last one, judges it, writes a row an event, and then, in one
insert, where every chain stands and how far it has read. A pass that was cut off is done again from
there and writes the same rows under the same keys.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from collector.core.clock import Clock, SystemClock
from collector.core.config import AttributesConfig
from collector.core.counters import Counters
from collector.core.errors import PermanentError
from collector.core.log import get_logger
from collector.core.sql import sql
from collector.core.times import FOREVER_NS, NS_PER_MINUTE, NS_PER_S
from collector.provenance.chain import ChainKey
from collector.provenance.config import ProvenanceConfig
from collector.provenance.event import TRACE_ID_INDEX, Event
from collector.provenance.keyring import KeyRing
from collector.provenance.keyring_file import note_ring, read_ring
from collector.provenance.live.copies import Place, equal_copies
from collector.provenance.live.late import LateArrivals
from collector.provenance.live.outcome_withdrawals import Proof
from collector.provenance.live.rows import (
    COLUMNS,
    ProvenanceReport,
    event_rows,
    events_of,
    forms_of,
    missing_row,
    run_row,
    verdicts_of,
)
from collector.provenance.live.sealed_reader import SealedReader
from collector.provenance.live.statements import sealed_sql
from collector.provenance.live.stream import BatchFindings, Stream
from collector.provenance.live.withdrawal_store import WithdrawalStore
from collector.provenance.live.withdrawals import Withdrawals
from collector.provenance.verify import Finding, Verdict
from collector.store.connect import Connections
from collector.store.cursors import next_received_ns, write_cursor
from collector.store.schema.cluster import render

CURSOR: Final = "provenance"
PAGE_ITEMS: Final = 50_000  # spans read at a time, of which decisions are some

# Read again where nobody says how far the store is: an insert may be held up for so long.
_OVERLAP_NS: Final = 30 * NS_PER_S
_STEP_NS: Final = 10 * NS_PER_MINUTE
# Producers that are seen in the first minutes of a store began before it did.
_FIRST_LOOK_NS: Final = 10 * NS_PER_MINUTE
# Without news the place is noted this often.
_IDLE_NS: Final = NS_PER_MINUTE
# Where the pass itself is, among the chains: no chain has it, since a seal or a checkpoint without
# a producer or an epoch is incomplete.
_PASS: Final[ChainKey] = "", ""
_COPIES: Final = 2_000  # replays whose copies are read at a time
_IDS: Final = (TRACE_ID_INDEX, TRACE_ID_INDEX + 1)  # trace and span among the fields
_RETRIED: Final = "a sender sent it again, byte for byte"
_LOG = get_logger("collector")


class ProvenanceJob:
    """Judges sealed decisions by the keys of one file.

    Args:
        config: where the keys are, and how long a hole is given.
        store: where everything is read and written.
        counters: what is counted on /metrics.
        attributes: a customer's own names, whose values are what is summed, and so sealed.
        stored_ns: returns an instant by which everything received is stored, None where unknown.
        clock: by which a pass becomes older, by default the machine's.

    Raises:
        InputError: the file of the keys cannot be read, or is no key ring.
        ConfigError: others may read it.
    """

    def __init__(
        self,
        config: ProvenanceConfig,
        store: Connections,
        counters: Counters,
        attributes: AttributesConfig,
        stored_ns: Callable[[], int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        assert config.keys_path is not None
        self._config = config
        self._path = config.keys_path
        self._store = store
        self._counters = counters
        self._stored_ns = stored_ns
        self._sql = sealed_sql(attributes, outcomes_required=config.outcomes_required)
        self._late = LateArrivals()
        self.page_items = PAGE_ITEMS
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._keys_text, self._ring = read_ring(self._path)
        self._sealed = SealedReader(store, self._ring, self._sql)
        self._withdrawals = Withdrawals(
            WithdrawalStore(store, clock or SystemClock(), self._sql),
            counters,
            self._sealed,
            Proof(config.required, config.outcomes_required),
        )
        self._stream: Stream | None = None  # None: as the store has it
        self._has_noted = False  # the keys, in the audit
        self._cursor_ns = 0
        self._noted_ns = 0  # the place that was remembered last
        self._began_ns = 0  # when the store's first span arrived
        self.keys_problem = ""  # why nothing is judged: what is in the way of the key ring

    def run_once(self, now_ns: int) -> ProvenanceReport:
        """Judge what arrived and is stored by now.

        Raises:
            InputError: the file of the keys was changed, and is no key ring.
        """
        with self._lock:
            try:
                return self._run(now_ns)
            except BaseException:
                # What a failed pass took into the chains was not remembered.
                self._stream = None
                raise

    def totals(self) -> Mapping[str, int]:
        """Return the events by verdict since the start of this process."""
        return dict(self._totals)

    def withdrawn(self) -> int:
        """Return the events that this process took out of every sum."""
        return self._withdrawals.taken

    def _run(self, now_ns: int) -> ProvenanceReport:
        report = ProvenanceReport()
        self._withdrawals.begin(now_ns)
        stream = self._stream or self._resume(now_ns, report)
        self._follow_keys(stream, now_ns, report)
        until_ns = now_ns if self._stored_ns is None else min(now_ns, self._stored_ns())
        overlap_ns = _OVERLAP_NS if self._stored_ns is None else 0
        while self._cursor_ns < until_ns:
            after_ns = max(self._cursor_ns - overlap_ns, 0)
            next_ns = next_received_ns(self._store.client(), after_ns)
            self._began_ns = self._began_ns or next_ns
            # Where nothing came there is no backlog to take in steps.
            step_ns = max(next_ns, self._cursor_ns) + _STEP_NS if next_ns else until_ns
            self._step(stream, after_ns, min(step_ns, until_ns), now_ns, report)
        if self._stored_ns is None:
            self._judge_late(stream, now_ns, report)
        self._count(report)
        report.cursor_ns = self._cursor_ns
        return report

    def _step(
        self, stream: Stream, after_ns: int, until_ns: int, now_ns: int, report: ProvenanceReport
    ) -> None:
        for page in self._pages(after_ns, until_ns):
            self._judge(stream, page, until_ns, report)
        missing = stream.missing(now_ns)
        self._insert([missing_row(hole, until_ns) for hole in missing], report)
        states = stream.states()
        self._cursor_ns = until_ns
        if states or until_ns - self._noted_ns >= _IDLE_NS:
            self._remember(states, until_ns)

    def _judge_late(self, stream: Stream, now_ns: int, report: ProvenanceReport) -> None:
        """Judge what others stored later than a pass looks back."""
        read_ns = max(self._cursor_ns - _OVERLAP_NS, 0)
        for minutes in self._late.ranges(self._store.client(), read_ns, now_ns):
            count_before = report.verdicts.total()
            for page in self._pages(*minutes):
                # Not read again once it is remembered, and read again if it is not.
                self._judge(stream, page, self._cursor_ns + 1, report)
            if report.verdicts.total() > count_before:
                self._cursor_ns += 1
                self._remember(stream.states(), self._cursor_ns)

    def _resume(self, now_ns: int, report: ProvenanceReport) -> Stream:
        """Return the chains as the last remembered pass left them."""
        client = self._store.client()
        producer, epoch = _PASS
        rows = client.query(
            self._sql("chain_states"), parameters={"producers": [producer], "epochs": [epoch]}
        ).result_rows
        self._cursor_ns = self._noted_ns = int(rows[0][3]) if rows else 0
        self._began_ns = int(rows[0][2]) if rows else 0
        missing_after_ns = round(self._config.missing_after_s * NS_PER_S)
        stream = self._stream = Stream(self._ring, missing_after_ns)
        open_chains = client.query(self._sql("open_chains")).result_rows
        stream.restore({(producer, epoch): state for producer, epoch, state in open_chains})
        self._reconsider(stream, KeyRing({}, {}), now_ns, report)
        return stream

    def _follow_keys(self, stream: Stream, now_ns: int, report: ProvenanceReport) -> None:
        try:
            text, ring = read_ring(self._path)
        except PermanentError as error:
            self.keys_problem = str(error)
            raise
        self.keys_problem = ""
        if not self._has_noted or text != self._keys_text:
            note_ring(self._store, ring, now_ns)
            self._has_noted = True
        if text == self._keys_text:
            return
        before, self._ring, self._keys_text = self._ring, ring, text
        self._sealed.ring = self._ring
        stream.change_keys(self._ring)
        _LOG.info("provenance_keys_changed", kids=sorted(self._ring.macs))
        self._reconsider(stream, before, now_ns, report)

    def _reconsider(
        self, stream: Stream, before: KeyRing, now_ns: int, report: ProvenanceReport
    ) -> None:
        """Judge events again that were judged by keys which have changed since."""
        for kid, key in self._ring.macs.items():
            if before.macs.get(kid) == key:
                continue
            until_ns = (
                0 if key.revoked else FOREVER_NS if key.retired_ns is None else key.retired_ns
            )
            if until_ns < FOREVER_NS:
                why = "is revoked" if key.revoked else "was retired before it ended or arrived"
                self._command(
                    "withdraw_key",
                    kid=kid,
                    after_ns=until_ns,
                    reason=f"taken back: key {kid} {why}",
                    revision=now_ns,
                )
            if until_ns > 0:
                self._command("restore_key", kid=kid, until_ns=until_ns, revision=now_ns)
                self._judge_refused(stream, kid, now_ns, report)
            self._withdrawals.settle_key(kid)

    def _judge_refused(
        self, stream: Stream, kid: str, now_ns: int, report: ProvenanceReport
    ) -> None:
        """Judge again what arrived while its key did not hold, or was not known."""
        (times,) = self._sealed.query("refused_arrivals", kid=kid).to_pylist()
        if not times["last_ns"]:
            return
        whole = times["first_ns"] - 1, times["last_ns"]
        for page in self._pages(*whole):
            self._judge(stream, page, now_ns, report, kid)
        # Before what was said is dropped: a stop in between judges them once more.
        self._remember(stream.states(), self._cursor_ns)
        statement = render(sql("drop_refused", __file__), self._store.config.cluster)
        parameters = {"kid": kid, "after_ns": whole[0], "until_ns": whole[1], "revision": now_ns}
        self._store.client().command(statement, parameters=parameters)

    def _pages(self, after_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
        """Cut (after, until] so that a page holds PAGE_ITEMS, whole instants only."""
        arrivals = self._sealed.query("arrivals", after_ns=after_ns, until_ns=until_ns)
        begin_ns, items = after_ns, 0
        instants = arrivals["received_ns"].to_pylist()
        for received_ns, count in zip(instants, arrivals["items"].to_pylist(), strict=True):
            items += count
            if items >= self.page_items:
                yield begin_ns, received_ns
                begin_ns, items = received_ns, 0
        if items:
            yield begin_ns, until_ns

    def _judge(
        self,
        stream: Stream,
        page: tuple[int, int],
        revision: int,
        report: ProvenanceReport,
        kid: str = "",
    ) -> None:
        """Judge what arrived in a page, or again those of it whose key did not hold then."""
        mode = "refused" if kid else "new"
        table = self._sealed.events(mode, page, self._cursor_ns, kid)
        events = list(events_of(table))
        checkpoints = [] if kid else self._sealed.checkpoints(page)
        self._load(stream, stream.unknown(events, checkpoints))
        findings = stream.judge(
            events,
            forms_of(table),
            checkpoints,
            first_look=page[1] <= self._began_ns + _FIRST_LOOK_NS,
        )
        self._tell_retries(events, findings, is_again=bool(kid))
        rows = event_rows(table, findings, revision)
        report.verdicts.update(verdicts_of(rows))
        if len(rows):
            self._store.client().insert_arrow("provenance_events", rows)
        self._withdrawals.settle(rows, page, table["outcome_id"].to_pylist())
        for finding in [*findings.earlier, *findings.runs]:
            if finding.verdict is Verdict.TAMPERED:
                self._amend(finding, revision, report)
            else:
                self._insert([run_row(finding, revision)], report)
            if finding.verdict in (Verdict.TAMPERED, Verdict.RECHAINED):
                self._withdrawals.settle_run(finding)

    def _tell_retries(
        self, events: Sequence[Event], findings: BatchFindings, *, is_again: bool = False
    ) -> None:
        """Tell a sender's own retries from replays, by all the copies that are stored.

        What is judged again may have its number already: a stop came before the old word was gone.
        """
        replays = [
            n for n, finding in findings.events.items() if finding.verdict is Verdict.REPLAYED
        ]
        equal_places: set[Place] = set()
        for begin in range(0, len(replays), _COPIES):
            part = replays[begin : begin + _COPIES]
            traces, spans = (sorted({events[line].fields[n] for line in part}) for n in _IDS)
            equal = equal_copies(self._ring.macs, self._sealed.copies(traces, spans))
            if is_again:
                numbers = self._sealed.query(
                    "held_numbers", trace_ids=traces, span_ids=spans
                ).to_pylist()
                equal_places |= {(*number.values(),) for number in numbers}
            for line in part:
                event = events[line]
                place = event.producer, event.epoch, event.seq, event.received_ns
                if place in equal_places:
                    equal_places.remove(place)
                    del findings.events[line]
                elif equal.get(place):
                    finding = findings.events[line]
                    findings.events[line] = replace(
                        finding, verdict=Verdict.RETRIED, reason=_RETRIED
                    )

    def _load(self, stream: Stream, keys: set[ChainKey]) -> None:
        if not keys:
            return
        producers, epochs = zip(*sorted(keys), strict=True)
        rows = self._sealed.query("chain_states", producers=list(producers), epochs=list(epochs))
        stream.restore({(row["producer"], row["epoch"]): row["state"] for row in rows.to_pylist()})

    def _amend(self, finding: Finding, revision: int, report: ProvenanceReport) -> None:
        self._command(
            "amend_run",
            verdict=finding.verdict.value,
            reason=finding.reason,
            producer=finding.producer,
            epoch=finding.epoch,
            first_seq=finding.first_seq,
            last_seq=finding.last_seq,
            revision=revision,
        )
        report.verdicts[finding.verdict] += finding.count

    def _insert(self, rows: list[list[Any]], report: ProvenanceReport) -> None:
        if rows:
            self._store.client().insert("provenance_events", rows, column_names=list(COLUMNS))
        for row in rows:
            report.verdicts[row[4]] += row[5]

    def _remember(self, states: Mapping[ChainKey, str], cursor_ns: int) -> None:
        rows = [[*key, state, cursor_ns] for key, state in states.items()]
        # The pass itself, in the same insert; its state is when the store's first span arrived.
        rows.append([*_PASS, str(self._began_ns), cursor_ns])
        client = self._store.client()
        client.insert(
            "provenance_chains", rows, column_names=["producer", "epoch", "state", "cursor_ns"]
        )
        self._noted_ns = cursor_ns
        write_cursor(client, CURSOR, cursor_ns)

    def _count(self, report: ProvenanceReport) -> None:
        for verdict, count in report.verdicts.items():
            self._counters.provenance_events.labels(verdict).inc(count)
        self._totals.update(report.verdicts)

    def _command(self, name: str, **parameters: object) -> None:
        self._store.client().command(self._sql(name), parameters=parameters)
