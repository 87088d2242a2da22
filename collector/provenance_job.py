"""I/O: judges sealed decisions as they are stored, and writes `provenance_events`.

A pass reads what arrived since the last one, judges it, writes a row an event, and then, in one
insert, where every chain stands and how far it has read. A pass that was cut off is done again from
there and writes the same rows under the same keys.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from collector.clock import NS_PER_MINUTE, NS_PER_S
from collector.counters import Counters
from collector.errors import PermanentError
from collector.log import get_logger
from collector.provenance import Event
from collector.provenance_chain import ChainKey
from collector.provenance_config import ProvenanceConfig
from collector.provenance_keys import KeyRing
from collector.provenance_lines import checkpoint_of
from collector.provenance_ring import read_ring
from collector.provenance_stream import Judged, Missing, Stream
from collector.provenance_verify import Finding, Verdict
from collector.store.connect import Connections
from collector.store.cursors import next_received_ns, write_cursor

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
_SQL: Final = {p.stem: p.read_text() for p in (Path(__file__).parent / "sql").glob("*.sql")}
_COLUMNS: Final = (
    "producer", "epoch", "seq", "item_id", "verdict", "count", "reason", "kid", "trace_id",
    "span_id", "ended_ns", "received_ns", "revision",
)  # fmt: skip

_LOG = get_logger("collector")


@dataclass(slots=True)
class ProvenanceReport:
    """What one run judged."""

    verdicts: Counter[str] = field(default_factory=Counter)  # events by verdict
    cursor_ns: int = 0  # everything that arrived up to here is judged


class ProvenanceJob:
    """Judges sealed decisions by the keys of one file.

    Args:
        config: where the keys are, and how long a hole is given.
        store: where everything is read and written.
        counters: what is counted on /metrics.
        stored_ns: returns an instant by which everything received is stored, None where unknown.

    Raises:
        InputError: the file of the keys cannot be read, or is no key ring.
        ConfigError: others may read it.
    """

    def __init__(
        self,
        config: ProvenanceConfig,
        store: Connections,
        counters: Counters,
        stored_ns: Callable[[], int] | None = None,
    ) -> None:
        assert config.keys_path is not None
        self._config = config
        self._path = config.keys_path
        self._store = store
        self._counters = counters
        self._stored_ns = stored_ns
        self.page_items = PAGE_ITEMS
        self._lock = threading.Lock()
        self._totals: Counter[str] = Counter()
        self._keys_text, self._ring = read_ring(self._path)
        self._stream: Stream | None = None  # None: as the store has it
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

    def _run(self, now_ns: int) -> ProvenanceReport:
        stream = self._stream or self._resume(now_ns)
        self._follow_keys(stream, now_ns)
        report = ProvenanceReport()
        until_ns = now_ns if self._stored_ns is None else min(now_ns, self._stored_ns())
        overlap_ns = _OVERLAP_NS if self._stored_ns is None else 0
        while self._cursor_ns < until_ns:
            after_ns = max(self._cursor_ns - overlap_ns, 0)
            next_ns = next_received_ns(self._store.client(), after_ns)
            self._began_ns = self._began_ns or next_ns
            # Where nothing came there is no backlog to take in steps.
            step_ns = max(next_ns, self._cursor_ns) + _STEP_NS if next_ns else until_ns
            self._step(stream, after_ns, min(step_ns, until_ns), now_ns, report)
        self._count(report)
        report.cursor_ns = self._cursor_ns
        return report

    def _step(
        self, stream: Stream, after_ns: int, until_ns: int, now_ns: int, report: ProvenanceReport
    ) -> None:
        for page in self._pages(after_ns, until_ns):
            self._judge(stream, page, until_ns, report)
        found = stream.missing(now_ns)
        self._insert([_missing_row(hole, until_ns) for hole in found], report)
        states = stream.states()
        self._cursor_ns = until_ns
        if states or until_ns - self._noted_ns >= _IDLE_NS:
            self._remember(states, until_ns)

    def _resume(self, now_ns: int) -> Stream:
        """Return the chains as the last remembered pass left them."""
        client = self._store.client()
        producer, epoch = _PASS
        rows = client.query(
            _SQL["chain_states"], parameters={"producers": [producer], "epochs": [epoch]}
        ).result_rows
        self._cursor_ns = self._noted_ns = int(rows[0][3]) if rows else 0
        self._began_ns = int(rows[0][2]) if rows else 0
        missing_after_ns = round(self._config.missing_after_s * NS_PER_S)
        stream = self._stream = Stream(self._ring, missing_after_ns)
        open_chains = client.query(_SQL["open_chains"]).result_rows
        stream.restore({(producer, epoch): state for producer, epoch, state in open_chains})
        self._withdraw(KeyRing({}, {}), now_ns)
        return stream

    def _follow_keys(self, stream: Stream, now_ns: int) -> None:
        try:
            text, ring = read_ring(self._path)
        except PermanentError as error:
            self.keys_problem = str(error)
            raise
        self.keys_problem = ""
        if text == self._keys_text:
            return
        before, self._ring, self._keys_text = self._ring, ring, text
        stream.change_keys(self._ring)
        _LOG.info("provenance_keys_changed", kids=sorted(self._ring.macs))
        self._withdraw(before, now_ns)

    def _withdraw(self, before: KeyRing, now_ns: int) -> None:
        """Take back what was said of events whose key does not count any more."""
        for kid, key in self._ring.macs.items():
            if before.macs.get(kid) == key or not (key.revoked or key.retired_ns is not None):
                continue
            reason = "is revoked" if key.revoked else "was retired before it ended"
            self._command(
                "withdraw_key",
                kid=kid,
                after_ns=0 if key.revoked else key.retired_ns,
                reason=f"key {kid} {reason}",
                revision=now_ns,
            )

    def _pages(self, after_ns: int, until_ns: int) -> Iterator[tuple[int, int]]:
        """Cut (after, until] so that a page holds PAGE_ITEMS, whole instants only."""
        arrivals = self._query("arrivals", after_ns=after_ns, until_ns=until_ns)
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
        self, stream: Stream, page: tuple[int, int], revision: int, report: ProvenanceReport
    ) -> None:
        span = {"after_ns": page[0], "until_ns": page[1]}
        table = self._query("sealed_events", **span, cursor_ns=self._cursor_ns)
        events = list(_events(table))
        records = self._query("sealed_checkpoints", **span)["attributes"].to_pylist()
        checkpoints = [checkpoint_of(dict(record)) for record in records]
        self._load(stream, stream.unknown(events, checkpoints))
        judged = stream.judge(
            events,
            table["form"].cast(pa.binary()).to_pylist(),
            checkpoints,
            first_look=page[1] <= self._began_ns + _FIRST_LOOK_NS,
        )
        rows = event_rows(table, judged, revision)
        report.verdicts.update(_verdicts(rows))
        if len(rows):
            self._store.client().insert_arrow("provenance_events", rows)
        for finding in judged.earlier:
            self._amend(finding, revision, report)
        self._insert([_run_row(finding, revision) for finding in judged.runs], report)

    def _load(self, stream: Stream, keys: set[ChainKey]) -> None:
        if not keys:
            return
        producers, epochs = zip(*sorted(keys), strict=True)
        rows = self._query("chain_states", producers=list(producers), epochs=list(epochs))
        stream.restore({(row["producer"], row["epoch"]): row["state"] for row in rows.to_pylist()})

    def _amend(self, finding: Finding, revision: int, report: ProvenanceReport) -> None:
        self._command(
            "amend_event",
            verdict=finding.verdict.value,
            reason=finding.reason,
            producer=finding.producer,
            epoch=finding.epoch,
            seq=finding.first_seq,
            revision=revision,
        )
        report.verdicts[finding.verdict] += 1

    def _insert(self, rows: list[list[Any]], report: ProvenanceReport) -> None:
        if rows:
            self._store.client().insert("provenance_events", rows, column_names=list(_COLUMNS))
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

    def _query(self, name: str, **parameters: object) -> Any:  # noqa: ANN401  # an Arrow table
        return self._store.client().query_arrow(_SQL[name], parameters=parameters)

    def _command(self, name: str, **parameters: object) -> None:
        self._store.client().command(_SQL[name], parameters=parameters)


def event_rows(table: Any, judged: Judged, revision: int) -> Any:  # noqa: ANN401  # Arrow tables
    """Return the rows of a batch: every event is ok where nothing else is said of it."""
    size = len(table)
    verdicts, reasons = [Verdict.OK.value] * size, [""] * size
    items, counts = [""] * size, [1] * size
    spans = {name: table[name] for name in ("trace_id", "span_id", "received_ns")}
    copies: Counter[str] = Counter()
    for line, finding in judged.events.items():
        is_late = finding.verdict is Verdict.OK
        verdicts[line] = (Verdict.REORDERED if is_late else finding.verdict).value
        reasons[line] = finding.reason
        if not (is_late or finding.holds_place):
            items[line] = ":".join(str(column[line].as_py()) for column in spans.values())
            copies[items[line]] += 1
    for line in judged.events:
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


def _events(table: Any) -> Iterator[Event]:  # noqa: ANN401  # an Arrow table
    column = {name: table[name].to_pylist() for name in table.column_names if name != "form"}
    ended = map(str, column["ended_ns"])
    starts = [""] * len(table)
    fields = zip(column["trace_id"], column["span_id"], starts, ended, strict=True)
    names = ("kid", "producer", "epoch", "seq", "prev", "tag")
    return map(Event._make, zip(*(column[name] for name in names), fields, strict=True))


def _verdicts(rows: Any) -> Counter[str]:  # noqa: ANN401  # an Arrow table
    counted = rows["verdict"].value_counts().to_pylist()
    return Counter({each["values"]: each["counts"] for each in counted})


def _run_row(finding: Finding, revision: int) -> list[Any]:
    count = finding.last_seq - finding.first_seq + 1
    item = f"checkpoint:{finding.first_seq}-{finding.last_seq}"
    return [
        finding.producer, finding.epoch, finding.first_seq, item, finding.verdict.value,
        max(count, 0), finding.reason, "", "", "", 0, revision, revision,
    ]  # fmt: skip


def _missing_row(hole: Missing, revision: int) -> list[Any]:
    return [
        hole.producer, hole.epoch, hole.first_seq, "", Verdict.MISSING.value, hole.count,
        "it is not here", "", "", "", 0, hole.seen_ns, revision,
    ]  # fmt: skip
