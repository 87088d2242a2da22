"""I/O: what the job reads of outcomes from the store, one method a file of `sql/`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from attribution.path.columns import Table
from attribution.path.spans import Ints
from collector.core.sql import sql
from collector.core.times import NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections

# Decisions that share an id are looked for so long before and after one of them.
AROUND_NS: Final = NS_PER_HOUR
# To ask each filter for each of more ids takes longer than to read what it stands for.
_FILTERED_MAX = 2_000
_IGNORED = {"ignore_data_skipping_indices": "idx_decision_id,idx_outcome_key"}


class OutcomeReader:
    """Typed access to the outcomes, over this thread's connection; answers are Arrow tables."""

    def __init__(self, store: Connections) -> None:
        self._store = store

    def touched_outcomes(self, after_ns: int, until_ns: int, rate_days: int) -> Table:
        """Return the names and row hash of outcomes that came, or whose rate did."""
        window = {"after_ns": after_ns, "until_ns": until_ns}
        touched = self._table("touched_outcomes", **window)
        is_outcome = pc.not_equal(touched["outcome_id"], "")
        if not pc.all(is_outcome, min_count=0).as_py():
            revalued = self._table("revalued_outcomes", **window, rate_days=rate_days)
            touched = pa.concat_tables([touched.filter(is_outcome), revalued.cast(touched.schema)])
        return touched

    def outcome_seconds(
        self, decision_ids: Sequence[str], outcome_keys: Sequence[str], recent_ns: int
    ) -> set[int]:
        """Return the seconds in which the decisions of these ids or keys began.

        Args:
            decision_ids: of which one that began since `recent_ns` is not looked for before it:
                to look among all days costs a hundred times as much as among minutes.
            outcome_keys: a decision of any time may carry one.
            recent_ns: as above.
        """
        recent = self._began(decision_ids, (), max(recent_ns, 0))
        others = sorted(set(decision_ids) - {decision_id for _, decision_id in recent})
        older = self._began(others, outcome_keys, 0)
        return {second_ns for second_ns, _ in recent | older}

    def counted_seconds(self, outcome_ids: Sequence[str]) -> list[int]:
        """Return the seconds in which the decisions began that these outcomes are counted to."""
        return [int(row[0]) for row in self._rows("counted_seconds", outcome_ids=list(outcome_ids))]

    def outcome_matches(self, seconds_ns: Sequence[int], outcome_ids: Collection[str]) -> Table:
        """Return every revision kept of the matches of these seconds, and of these outcomes."""
        return self._table("outcome_matches", **within(seconds_ns), outcome_ids=sorted(outcome_ids))

    def cell_outcomes(
        self,
        seconds_ns: Sequence[int],
        currency: str,
        rate_days: int,
        received_ns: Ints | None = None,
    ) -> Table:
        """Return the outcomes that name decisions of these seconds.

        And where something was taken back by a key, those of all decisions that carry it.

        Args:
            seconds_ns: starts of the seconds.
            currency: that amounts are stated in.
            rate_days: how old a rate may be.
            received_ns: when each of their decisions was received, 0 where its root is gone; None
                where the caller does not know.
        """
        parameters = {**within(seconds_ns), "currency": currency, "rate_days": rate_days}
        # An outcome is told after its decision began, and after that came where a clock is ahead.
        begins_ns, ignored = parameters["from_ns"], None
        if received_ns is not None:
            came_ns = received_ns[received_ns > 0]
            begins_ns = int(came_ns.min(initial=begins_ns))
            ignored = _IGNORED if len(received_ns) > _FILTERED_MAX else None
        parameters["received_from_ns"] = max(begins_ns - NS_PER_HOUR, 0)
        outcomes = self._table("cell_outcomes", ignored, **parameters, kin_ids=[])
        by_key = pc.and_(
            pc.equal(outcomes["decision_id"], ""), pc.equal(outcomes["kind"], "refund")
        )
        if not pc.any(by_key, min_count=0).as_py():
            return outcomes
        kin = self._rows("kin", outcome_keys=outcomes.filter(by_key)["outcome_key"].to_pylist())
        # What was sold to the first of them came after it.
        first_ns = min((int(row[1]) for row in kin), default=begins_ns)
        parameters["received_from_ns"] = max(min(begins_ns, first_ns) - NS_PER_HOUR, 0)
        return self._table("cell_outcomes", ignored, **parameters, kin_ids=[row[0] for row in kin])

    def cell_candidates(
        self, seconds_ns: Sequence[int], decision_ids: Sequence[str], outcome_keys: Sequence[str]
    ) -> Table:
        """Return the decisions of these ids around these seconds, and of these keys at any time."""
        return self._table(
            "cell_candidates",
            decision_ids=list(decision_ids),
            outcome_keys=list(outcome_keys),
            from_ns=max(min(seconds_ns) - AROUND_NS, 0),
            to_ns=max(seconds_ns) + AROUND_NS,
        )

    def _began(
        self, decision_ids: Sequence[str], outcome_keys: Sequence[str], from_ns: int
    ) -> set[tuple[int, str]]:
        """Return (second, id) of the decisions since then that have one of these ids or keys."""
        if not decision_ids and not outcome_keys:
            return set()
        named = {"decision_ids": list(decision_ids), "outcome_keys": list(outcome_keys)}
        rows = self._rows("outcome_seconds", **named, from_ns=from_ns)
        return {(int(second_ns), str(decision_id)) for second_ns, decision_id in rows}

    def _table(
        self, name: str, settings: dict[str, Any] | None = None, /, **parameters: object
    ) -> Table:
        client = self._store.client()
        return client.query_arrow(sql(name, __file__), parameters=parameters, settings=settings)

    def _rows(self, name: str, **parameters: object) -> Sequence[Sequence[Any]]:
        # As a table: the library writes out each text of a list of ids character by character.
        columns = (column.to_pylist() for column in self._table(name, **parameters).columns)
        return list(zip(*columns, strict=True))


def within(seconds_ns: Sequence[int]) -> dict[str, Any]:
    """Return the parameters that say which seconds a query is about."""
    return {
        "seconds_ns": list(seconds_ns),
        "from_ns": min(seconds_ns),
        "to_ns": max(seconds_ns) + NS_PER_S,
    }
