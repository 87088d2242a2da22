"""I/O: reads sealed events, their copies and their checkpoints from what was received."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from collector.provenance.checkpoint import Checkpoint
from collector.provenance.keyring import KeyRing
from collector.provenance.live.copies import Copy, seal_holds
from collector.provenance.live.outcome_withdrawals import OutcomeRecord
from collector.provenance.live.rows import events_of, forms_of, merged
from collector.provenance.records import checkpoint_of
from collector.store.connect import Connections


class SealedReader:
    """Reads what is judged.

    Args:
        store: which is read.
        ring: by whose keys seals hold; set anew when the keys change.
        sql: reads a statement of this room by its name.
    """

    def __init__(self, store: Connections, ring: KeyRing, sql: Callable[[str], str]) -> None:
        self.ring = ring
        self._store = store
        self._sql = sql

    def events(
        self,
        mode: str,
        page: tuple[int, int],
        cursor_ns: int = 0,
        kid: str = "",
        *,
        trace_ids: Sequence[str] = (),
        spans: Sequence[str] = (),
    ) -> Any:  # noqa: ANN401  # an Arrow table
        """Return decisions and outcomes in order of arrival, as `sealed_events.sql` has them.

        Args:
            mode: which of them, as that statement says.
            page: after and until, Unix ns.
            cursor_ns: up to where a pass has judged.
            kid: of the key that said nothing good of them.
            trace_ids: of copies those of these traces.
            spans: of copies of outcomes those that have these names.
        """
        parameters = {"mode": mode, "after_ns": page[0], "until_ns": page[1], "kid": kid}
        parameters["cursor_ns"] = cursor_ns
        events = self.query("sealed_events", **parameters, trace_ids=[*filter(None, trace_ids)])
        outcomes = self.query("sealed_outcomes", **parameters, spans=list(spans), outcome_ids=[])
        return merged(events, outcomes, self.ring.macs)

    def copies(self, trace_ids: Sequence[str], spans: Sequence[str] = ()) -> Iterator[Copy]:
        """Yield all copies of the events of some traces, and of some outcomes by their names."""
        table = self.events("copies", (0, 0), trace_ids=trace_ids, spans=spans)
        return zip(events_of(table), forms_of(table), table["copy"].to_pylist(), strict=True)

    def genuine(self, trace_ids: Sequence[str]) -> list[Copy]:
        """Return the copies of the events of some traces whose seals hold."""
        return [copy for copy in self.copies(trace_ids) if self.holds(copy)]

    def holds(self, copy: Copy) -> bool:
        """Return whether the seal of one copy is of what it says, under a key that counts."""
        return seal_holds(self.ring.macs, copy)

    def outcome_records(self, outcome_ids: Sequence[str]) -> Iterator[OutcomeRecord]:
        """Yield all log records of some outcomes, and of what has the subjects of these."""
        parameters = {"mode": "revisions", "after_ns": 0, "until_ns": 0, "cursor_ns": 0, "kid": ""}
        table = self.query("sealed_outcomes", **parameters, spans=[], outcome_ids=list(outcome_ids))
        return OutcomeRecord.of_table(table, self.ring.macs)

    def checkpoints(self, page: tuple[int, int]) -> list[Checkpoint]:
        """Return the checkpoints that arrived in (after, until]."""
        records = self.query("sealed_checkpoints", after_ns=page[0], until_ns=page[1])
        return [checkpoint_of(dict(record)) for record in records["attributes"].to_pylist()]

    def query(self, name: str, **parameters: object) -> Any:  # noqa: ANN401  # an Arrow table
        """Return what a statement of this room says."""
        return self._store.client().query_arrow(self._sql(name), parameters=parameters)
