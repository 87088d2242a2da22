"""I/O: rewrites `revenue_cells` whole, second by second, from decisions and outcomes.

Two steps. A touched second is summed anew from its decisions. Then every later second of the
window is valued anew from the stored sums, because what a class earned is part of their value.
Only what differs from the stored rows is written. Where an outcome turns out to be another
decision's than it was, the second that loses it is touched too.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.core.config import AttributionConfig
from attribution.jobs.earned_hours import EarnedHours
from attribution.jobs.match_ledger import Matches, fields_of_matches
from attribution.path.columns import (
    Column,
    Table,
    ints,
    micros,
    micros_in_halves,
    money,
    names_of,
)
from attribution.path.spans import NONE, Ints, lookup
from attribution.read.outcomes import AROUND_NS
from attribution.read.reader import Reader
from attribution.revenue.loss import (
    Cells,
    Decisions,
    Values,
    replace_seconds,
    sum_cells,
    value_cells,
)
from attribution.revenue.matching import DecisionReference, match_outcomes
from attribution.revenue.outcomes import Outcomes, earned_by_decision
from attribution.revenue.sums import BASES, EarnedInCells
from attribution.revenue.window import earned_in_window, halves
from attribution.sensitivity.job import read_book
from attribution.sensitivity.versions import SlopeBook
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_S
from collector.store.connect import Connections

# The cells of so long are held at a time, of more where there are few: a piece costs a dozen
# questions, however short it is: a day of it costs a third more than six hours.
_PIECE_NS = 6 * NS_PER_HOUR
_PIECE_NS_MAX = 2 * NS_PER_DAY
_FEW, _MANY = 40_000, 100_000
# So many seconds are summed at a time, more while their decisions are few. Outcomes are looked for
# in all that came since, so a day of ten decisions a second costs a fifth when summed by hours.
_SECONDS = 120
_SECONDS_MIN, _SECONDS_MAX, _DECISIONS_MAX = 10, 3_600, 80_000
_ROUNDS_MAX = 8  # each is of what came during the one before
_KEY = ("second_ns", "action", "region")


class _Groups:
    """Codes of (action, region), as they are met."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self._codes: dict[tuple[str, str], int] = {}

    def codes(self, table: Table) -> Ints:
        """Return the code of each row."""
        action, region = (
            table[name].combine_chunks().dictionary_encode() for name in ("action", "region")
        )
        actions, regions = action.dictionary.to_pylist(), region.dictionary.to_pylist()
        pairs, code = np.unique(
            ints(action.indices) * len(regions) + ints(region.indices), return_inverse=True
        )
        names = [divmod(pair, len(regions)) for pair in pairs.tolist()]
        codes = [self._code((actions[each[0]], regions[each[1]])) for each in names]
        return np.array(codes, np.int64)[code]

    def _code(self, pair: tuple[str, str]) -> int:
        if pair not in self._codes:
            self._codes[pair] = len(self.names)
            self.names.append(pair)
        return self._codes[pair]


@dataclass(slots=True)
class Rewrite:
    """Seconds that are being summed anew, and how far the values that follow from them are."""

    due: list[int]  # ascending
    matches: Matches
    at_ns: int = 0  # what is before it is done
    until_ns: int = 0  # no value from here on follows from what was summed
    piece_ns: int = _PIECE_NS
    seconds_max: int = _SECONDS  # that the next piece sums anew
    open: set[int] = field(default_factory=set)  # an outcome came or left since they were summed
    rounds: int = 0
    written: int = 0  # cells; those that came out as they are stored are not
    is_done: bool = False

    def next_touched(self) -> list[int]:
        """Take the seconds of the next piece; it begins at the first where nothing is open."""
        if self.at_ns >= self.until_ns:
            self.at_ns = self.until_ns = self.due[0]
        end_ns = self.at_ns + self.piece_ns
        count = min(bisect_left(self.due, end_ns), self.seconds_max)
        touched, self.due = self.due[:count], self.due[count:]
        self.open.difference_update(touched)
        return touched

    def pace(self, seconds: int, decisions: int) -> int:
        """Return how many seconds are summed next, by the decisions of those just summed."""
        most = self.seconds_max * (1 + (seconds >= self.seconds_max))
        most = min(most, _SECONDS_MAX, seconds * _DECISIONS_MAX // max(decisions, 1))
        self.seconds_max = max(most, _SECONDS_MIN)
        return self.seconds_max


class CellWriter:
    """The one writer of `revenue_cells`."""

    def __init__(self, config: AttributionConfig, store: Connections, reader: Reader) -> None:
        self._config = config
        self._store = store
        self._reader = reader
        self._window_ns = config.value_window_s * NS_PER_S
        self._begun: Rewrite | None = None
        self.seconds_max = _SECONDS  # that were summed at a time last, or may be
        self._earned = EarnedHours(reader)

    def rewrite(self, seconds_ns: Sequence[int]) -> int:
        """Rewrite these seconds, ascending, and the values that follow from them.

        Returns:
            How many cells were written; those that came out as they are stored are not.
        """
        previous = self._begun.matches if self._begun is not None else None
        work = self._rewrite(seconds_ns, previous)
        while not work.is_done:
            self.step(work)
        return work.written

    def begin(self, seconds_ns: Sequence[int]) -> Rewrite:
        """Return the same to be done in steps, beside rewrites of other seconds; one at a time."""
        assert self._begun is None, "a rewrite in steps has not been left"
        self._begun = self._rewrite(seconds_ns, None)
        return self._begun

    def leave(self) -> None:
        """End what was begun: it is done, or given up."""
        self._begun = None

    def _rewrite(self, seconds_ns: Sequence[int], previous: Matches | None) -> Rewrite:
        work = Rewrite(list(seconds_ns), Matches(self._store, self._reader, previous))
        work.seconds_max, work.is_done = self.seconds_max, not seconds_ns
        return work

    def step(self, work: Rewrite) -> None:
        """Rewrite the next hours, and sum at most some hundred seconds anew.

        Each cell is rewritten once, however many seconds before it were touched: its value follows
        from the sums of its window, and those are stored before it is reached.
        """
        if not work.due and work.at_ns >= work.until_ns:
            work.rounds += 1
            work.due = sorted(work.open)
            if not work.due or work.rounds > _ROUNDS_MAX:
                work.matches.keep()
                work.is_done = True
                return
        touched = work.next_touched()
        from_ns = work.at_ns
        last_ns = touched[-1] if touched else from_ns - NS_PER_S
        ends_ns = from_ns + work.piece_ns
        newest_ns, revision = self._reader.newest_cell(from_ns, ends_ns)
        # A second outside the window of the last touched one is worth what it was.
        follows_ns = max(work.until_ns, last_ns + self._window_ns + NS_PER_S if touched else 0)
        work.until_ns = max(min(newest_ns + NS_PER_S, follows_ns), last_ns + NS_PER_S)
        to_ns = min(work.until_ns, ends_ns)
        if work.due:  # the piece ends where the next one has seconds to sum
            to_ns = min(to_ns, max(work.due[0], last_ns + NS_PER_S))
        if from_ns < to_ns:
            self._rewrite_piece(touched, (from_ns, to_ns), revision, work)
        work.at_ns = max(to_ns, from_ns)

    def _rewrite_piece(
        self, seconds_ns: Sequence[int], piece: tuple[int, int], revision: int, work: Rewrite
    ) -> None:
        groups, book = _Groups(), read_book(self._store, self._config)
        fresh = self._summed(seconds_ns, groups, book, work.matches) if seconds_ns else None
        work.open |= work.matches.take_touched().difference(seconds_ns)
        stored = self._reader.cells(*piece)
        stored_cells = _stored_cells(stored, groups)
        cells = stored_cells
        if fresh is not None:
            cells = replace_seconds(stored_cells, fresh, np.array(seconds_ns, np.int64))
        window = self._window(cells, *piece, groups)
        sources = book.sources(cells.second_ns)
        rows = _rows(cells, value_cells(cells, window), groups.names, sources)
        changed = _changed(rows, cells, stored, stored_cells)
        self._earned.forget(seconds_ns)
        if len(changed):
            self._store.client().insert_arrow(
                "revenue_cells",
                changed.append_column(
                    "revision", pa.array([revision + 1] * len(changed), pa.uint64())
                ),
            )
        work.written += len(changed)
        if fresh is not None:
            self.seconds_max = work.pace(len(seconds_ns), int(fresh.decisions.sum()))
        if len(stored) < _FEW:
            work.piece_ns = min(2 * work.piece_ns, _PIECE_NS_MAX)
        elif len(stored) > _MANY:
            work.piece_ns //= 2

    def _summed(
        self, seconds_ns: Sequence[int], groups: _Groups, book: SlopeBook, matches: Matches
    ) -> Cells:
        """Sum the decisions of these seconds and their outcomes."""
        table = self._reader.cell_decisions(seconds_ns, self._config)
        ingress_ns = ints(table["ingress_ns"])
        stated, is_stated = micros(table["value_usd"])
        group = groups.codes(table)
        reference = [self._config.reference_ns(action) for action, _ in groups.names]
        decisions = Decisions(
            second_ns=ingress_ns - ingress_ns % NS_PER_S,
            group=group,
            total_ns=ints(table["total_ns"]),
            reference_ns=np.array(reference, np.int64)[group],
            is_error=ints(table["is_error"]) != 0,
            stated_micros=stated,
            is_stated=is_stated,
            is_silent=ints(table["is_silent"]) != 0,
        )
        earned = earned_by_decision(self._outcomes(seconds_ns, table, matches), len(table))
        return sum_cells(decisions, earned, book.slopes(decisions.second_ns))

    def _outcomes(self, seconds_ns: Sequence[int], decisions: Table, matches: Matches) -> Outcomes:
        """Return the outcomes of these decisions, each matched to one of them."""
        table = self._reader.cell_outcomes(
            seconds_ns,
            self._config.currency,
            self._config.rate_days_max,
            ints(decisions["received_ns"]),
        )
        ids, keys = table["decision_id"].to_pylist(), table["outcome_key"].to_pylist()
        kept_matches = matches.known(seconds_ns, table["outcome_id"].to_pylist())
        if not ids:
            matches.note(seconds_ns, {}, kept_matches)
            return Outcomes.from_rows(())
        candidates = self._reader.cell_candidates(
            seconds_ns,
            sorted({each for each in ids if each}),
            sorted({key for key, each in zip(keys, ids, strict=True) if not each}),
        )
        pairs = _pairs(candidates)
        channels = dict(zip(pairs, candidates["channel"].to_pylist(), strict=True))
        keys = candidates["outcome_key"].to_pylist()
        named = [(*pair, key) for pair, key in zip(pairs, keys, strict=True)]
        window_ns = min(seconds_ns) - AROUND_NS, max(seconds_ns) + AROUND_NS
        # Hours before, one of the same id may have begun: it keeps what is counted to it.
        others = {
            match[:2]: str(kept.said[0])
            for match, kept in kept_matches.items()
            if kept.said is not None and not window_ns[0] <= match.ingress_ns < window_ns[1]
        }
        channels |= others
        named += [(*pair, "") for pair in others]
        matched = match_outcomes(_named(table), sorted(named))
        placed = [None if each is None else (*each, channels[each]) for each in matched]
        matches.note(seconds_ns, fields_of_matches(table, placed), kept_matches)
        index_by_pair = {key: index for index, key in enumerate(_pairs(decisions))}
        ends_ns = ints(decisions["ingress_ns"]) + ints(decisions["horizon_ns"])
        places = [NONE if each is None else index_by_pair.get(each, NONE) for each in matched]
        return _outcomes(table, np.array(places, np.int64), ends_ns)

    def _window(self, cells: Cells, from_ns: int, to_ns: int, groups: _Groups) -> EarnedInCells:
        opens_ns = from_ns - self._window_ns + NS_PER_S
        before_table = self._earned.between(opens_ns, from_ns)
        leaving = _stored_cells(
            self._reader.cells(opens_ns, min(to_ns - self._window_ns, from_ns)), groups
        )
        before_group = groups.codes(before_table)
        before = np.zeros((len(groups.names), len(fields(EarnedInCells)), 2), np.int64)
        np.add.at(before, before_group, _earned_in_halves(before_table))
        # Of a piece longer than the window its own first cells leave it again.
        is_own = cells.second_ns < to_ns - self._window_ns
        return earned_in_window(
            cells,
            before,
            np.concatenate([leaving.second_ns, cells.second_ns[is_own]]),
            np.concatenate([leaving.group, cells.group[is_own]]),
            np.concatenate([leaving.earned.matrix(), cells.earned.matrix()[is_own]]),
            self._window_ns,
        )


def _pairs(table: Table) -> list[tuple[int, str]]:
    return list(zip(table["ingress_ns"].to_pylist(), table["decision_id"].to_pylist(), strict=True))


def _named(table: Table) -> list[DecisionReference]:
    names = ("decision_id", "outcome_key", "event_ns", "received_ns")
    columns = [table[name].to_pylist() for name in names]
    flags = pc.equal(table["kind"], "refund").to_pylist(), table["is_sale"].to_pylist()
    return [DecisionReference(*each) for each in zip(*columns, *flags, strict=True)]


def _outcomes(table: Table, matched: Ints, ends_ns: Ints) -> Outcomes:
    """Return the outcomes of which a decision was found, with its index."""
    is_found = matched != NONE
    table, decision = table.filter(pa.array(is_found)), matched[is_found]
    is_refund, is_correction = (
        np.asarray(pc.equal(table["kind"], kind), bool) for kind in ("refund", "correction")
    )
    return Outcomes(
        decision,
        is_refund,
        ints(table["is_sale"]) != 0,
        # A correction is never late: what it corrects had a time.
        ~is_correction & (ints(table["event_ns"]) > ends_ns[decision]),
        *micros(table["margin"]),
        *micros(table["revenue"]),
    )


def _earned_in_halves(table: Table) -> Ints:
    """Return `matrix()` of sums that may be beyond 64 bits, in halves."""
    return np.stack(
        [
            micros_in_halves(column) if pa.types.is_decimal(column.type) else halves(ints(column))
            for column in (table[_stored_name(each.name)] for each in fields(EarnedInCells))
        ],
        axis=1,
    )


def _stored_name(name: str) -> str:
    return name.replace("_micros", "_usd")


def _column(table: Table, name: str) -> Column:
    """Return the column that the cores call `name`, as it is stored."""
    if name.endswith("_micros"):
        return micros(table[_stored_name(name)])[0]
    if name.endswith("_ns") or not pa.types.is_floating(table.schema.field(name).type):
        return ints(table[name])
    return np.asarray(table[name].to_numpy(), np.float64)


def _stored_cells(table: Table, groups: _Groups) -> Cells:
    columns: dict[str, Column] = {
        each.name: groups.codes(table) if each.name == "group" else _column(table, each.name)
        for each in fields(Cells)
    }
    return Cells(**columns)


def _rows(
    cells: Cells, values: Values, names: Sequence[tuple[str, str]], sources: Sequence[str]
) -> Table:
    """Return rows of `revenue_cells` without `revision`."""
    columns: dict[str, Column] = {
        "action": names_of(cells.group, [name[0] for name in names]),
        "region": names_of(cells.group, [name[1] for name in names]),
        "basis": names_of(values.basis, BASES),
        "slope_source": pa.array(sources, pa.string()),
    }
    for source in (cells, values):
        for each in fields(source):
            column = getattr(source, each.name)
            if each.name.endswith("_micros"):
                columns[_stored_name(each.name)] = money(column)
            elif each.name not in ("group", "basis"):
                columns[each.name] = pa.array(column)
    return pa.table(columns)


def _changed(rows: Table, cells: Cells, stored: Table, stored_cells: Cells) -> Table:
    """Return the rows that differ from what is stored under their key."""
    count = int(max(cells.group.max(initial=0), stored_cells.group.max(initial=0))) + 1
    stored_key = stored_cells.second_ns // NS_PER_S * count + stored_cells.group
    order = np.argsort(stored_key)
    row = lookup(stored_key[order], cells.second_ns // NS_PER_S * count + cells.group)
    twins = stored.take(pa.array(order[row] if len(order) else row, mask=row < 0))
    is_same = pa.array(row >= 0)
    for name in set(rows.column_names) - set(_KEY):
        is_same = pc.and_(is_same, pc.fill_null(pc.equal(rows[name], twins[name]), False))
    return rows.filter(pc.invert(is_same))
