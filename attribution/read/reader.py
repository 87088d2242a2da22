"""I/O: what the job reads from the store, one method a file of `sql/`; answers are Arrow tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.config import AttributionConfig, LatencyBudget
from attribution.core.segments import SEGMENTS, segments_of
from attribution.core.selection import CALIBRATION_ACTION, Selection
from attribution.core.slo import Measured
from attribution.path.columns import Table
from attribution.read.outcomes import within
from attribution.read.traces import TraceReader
from collector.core.sql import fill, sql
from collector.core.times import NS_PER_MINUTE, NS_PER_MS, NS_PER_S
from collector.store.row_removal import OF_DECISIONS, remove_rows

_BLOCK_BYTES = 16 * 2**20
# A list of more than a mebibyte is no constant to the engine: it is made anew for each row.
_REMOVED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Extent:
    """How many decisions a question is about, and when they were."""

    decisions: int
    first_ns: int  # 0 without any
    days: int  # of 24 hours since the beginning, that have one


class Reader(TraceReader):
    """Typed access to the queries of this room, over this thread's connection."""

    def attributions(self, ingress_ns: Sequence[int], decision_ids: Sequence[str]) -> Table:
        """Return what was written for these decisions before."""
        return self._table(
            "attributions", ingress_ns=list(ingress_ns), decision_ids=list(decision_ids)
        )

    def path_columns(self, from_ns: int, to_ns: int, *, threads: int = 0) -> Iterator[Table]:
        """Yield the trees of the decisions in [from, to), in chunks, each column one array.

        Args:
            from_ns: first ingress.
            to_ns: behind the last ingress.
            threads: of the engine; 0 leaves it the choice.
        """
        table = self._store.client().query_arrow(
            sql("path_columns", __file__),
            parameters={"from_ns": from_ns, "to_ns": to_ns},
            # Words need not be written out a row each. Of blocks of 1 MiB, as the engine cuts them,
            # a fifth of the time is spent on the cuts.
            settings={
                "preferred_block_size_bytes": _BLOCK_BYTES,
                "output_format_arrow_low_cardinality_as_dictionary": 1,
            }
            | ({"max_threads": threads} if threads else {}),
        )
        for batch in table.to_batches():
            if len(batch):
                yield pa.Table.from_batches([batch])

    def selected_extent(self, selection: Selection) -> Extent:
        """Return how many decisions a question is about, and when they were."""
        return Extent(*self._rows("selected_extent", **asked(selection))[0])

    def selected_segments(self, selection: Selection, every: int) -> Table:
        """Return the split of one in `every` of these decisions, the same ones every time."""
        return self._table("selected_segments", **asked(selection), every=every)

    def selected_trees(
        self, selection: Selection, every: int, *, by: str = "", names: Sequence[str] = ()
    ) -> Table:
        """Return the trees of one in `every` of these decisions, each column one chunk.

        Args:
            selection: of the decisions.
            every: so many stand for one.
            by: the dimension of `names`; the offer type of all is "" where it is not that.
            names: of these groups alone, by default of all.
        """
        table = self._table(
            "selected_trees", **asked(selection), every=every, by=by, names=list(names)
        )
        return table.combine_chunks()

    def selected_values(self, selection: Selection) -> Table:
        """Return what the decisions of this time were worth, by action and region."""
        return self._table(
            "selected_values",
            from_ns=selection.from_ns - selection.from_ns % NS_PER_S,
            to_ns=selection.to_ns,
        )

    def measured(self, budget: LatencyBudget, from_ns: int, to_ns: int) -> Measured:
        """Return how the decisions of one budget stand in [from, to)."""
        segments = segments_of(budget.segment)
        is_whole = len(segments) == len(SEGMENTS)
        row = self._rows(
            "budget",
            from_ns=from_ns,
            to_ns=to_ns,
            action=budget.action,
            region=budget.region,
            channel=budget.channel,
            left_out=[] if budget.action == CALIBRATION_ACTION else [CALIBRATION_ACTION],
            is_whole=int(is_whole),
            mask=[int(index in segments) for index in range(len(SEGMENTS))],
            target_p50_ns=round((budget.p50_ms or 0.0) * NS_PER_MS),
            target_p95_ns=round((budget.p95_ms or 0.0) * NS_PER_MS),
        )[0]
        decisions, p50_ns, p95_ns, over_p50, over_p95 = (int(each) for each in row[:5])
        return Measured(decisions, p50_ns, p95_ns, over_p50, over_p95, *row[6:])

    def attributions_between(self, from_ns: int, to_ns: int) -> Table:
        """Return what was written for the decisions in [from, to)."""
        return self._table("attributions_between", from_ns=from_ns, to_ns=to_ns)

    def drop_superseded(self, decisions: pa.Table) -> None:
        """Remove rows of `decisions` that are not the current ones of their roots, if any."""
        self._remove("decisions", decisions)

    def withdrawn(self, after_ns: int, until_ns: int) -> Table:
        """Return the decisions that were taken out of the sums, or put back, with a row hash."""
        return self._table("withdrawn", after_ns=after_ns, until_ns=until_ns)

    def drop_withdrawn(self, withdrawn: Table) -> set[int]:
        """Remove the attributions of decisions that were taken out of the sums.

        Returns:
            The starts of their seconds, Unix ns: what is left in them is to be summed anew.
        """
        if not len(withdrawn):
            return set()
        gone = withdrawn.filter(pc.equal(withdrawn["is_gone"], 1))
        self._remove("attributions", gone)
        return {each - each % NS_PER_S for each in withdrawn["ingress_ns"].to_pylist()}

    def _remove(self, table: str, decisions: Table) -> None:
        for begin in range(0, len(decisions), _REMOVED_MAX):
            keys = _keys(decisions.slice(begin, _REMOVED_MAX))
            remove_rows(self._store, table, OF_DECISIONS, keys)

    def rewrite_minutes(self, minutes_ns: Sequence[int]) -> None:
        """Write these minutes whole, under a new revision."""
        minutes = list(minutes_ns)
        self._store.client().command(
            sql("rewrite_minutes", __file__),
            parameters={
                "minutes_ns": minutes,
                "from_ns": min(minutes),
                "to_ns": max(minutes) + NS_PER_MINUTE,
            },
        )

    def minute_revisions(self, minutes_ns: Sequence[int]) -> dict[int, int]:
        """Return the revision of each of these minutes that is stored."""
        rows = self._rows("minute_revisions", minutes_ns=list(minutes_ns))
        return {int(minute_ns): int(revision) for minute_ns, revision in rows}

    def minutes(self, minutes_ns: Sequence[int]) -> Table:
        """Return these minutes as they are stored."""
        return self._table("minutes", minutes_ns=list(minutes_ns))

    def reconciled(
        self, from_ns: int, to_ns: int, config: AttributionConfig
    ) -> list[dict[str, Any]]:
        """Return the revenue of outcomes by day, by whether it finds its decision, and by node."""
        return self._counted("reconcile", from_ns, to_ns, config)

    def unmapped_size(self, from_ns: int, to_ns: int, config: AttributionConfig) -> Decimal:
        """Return the revenue of outcomes that is in no node, without signs."""
        (row,) = self._counted("unmapped", from_ns, to_ns, config)
        size: Decimal = row["size"]
        return size

    def _counted(
        self, name: str, from_ns: int, to_ns: int, config: AttributionConfig
    ) -> list[dict[str, Any]]:
        parameters: dict[str, object] = {"from_ns": from_ns, "to_ns": to_ns, **config.node_rules()}
        parameters |= {"currency": config.currency, "rate_days": config.rate_days_max}
        counted = sql("counted_outcomes", __file__).rstrip()
        text = fill(sql(name, __file__), counted=counted)
        return list(self._store.client().query(text, parameters=parameters).named_results())

    def cell_decisions(self, seconds_ns: Sequence[int], config: AttributionConfig) -> Table:
        """Return the attributed decisions of these seconds."""
        return self._table(
            "cell_decisions",
            **within(seconds_ns),
            all_sent=int(config.outcomes.all_sent),
            other_channels=config.other_channels,
            **config.horizons(),
        )

    def cells(self, from_ns: int, to_ns: int) -> Table:
        """Return the stored cells of the seconds in [from, to)."""
        return self._table("cells", from_ns=max(from_ns, 0), to_ns=max(to_ns, 0))

    def earned_in(self, seconds: Sequence[int], hours: Sequence[int]) -> Table:
        """Return what was earned in [a, b), in [c, d) and in whole hours, by hour and class."""
        ends = dict(zip(("from_ns", "until_ns", "again_ns", "to_ns"), seconds, strict=True))
        return self._table("earned_in", **ends, hours=list(hours))

    def newest_cell(self, from_ns: int, to_ns: int) -> tuple[int, int]:
        """Return the last second that has a cell, and the highest revision in [from, to)."""
        (row,) = self._rows("newest_cell", from_ns=from_ns, to_ns=to_ns)
        return int(row[0]), int(row[1])


def _keys(decisions: Table) -> dict[str, Any]:
    return {
        "ingress_ns": decisions["ingress_ns"].to_pylist(),
        "decision_ids": decisions["decision_id"].to_pylist(),
    }


def asked(selection: Selection) -> dict[str, Any]:
    """Return the parameters; a calibration is no customer's, and in no answer but its own."""
    return {**asdict(selection), "calibration": CALIBRATION_ACTION}
