"""I/O: minute x region x cohort x action sums of stored decisions, which slopes are estimated from.

Decisions of one experiment have cells of their own: who is in it, and who is not, may differ in
latency and in intent, and only inside it was the delay drawn at random. Where region, cohort or
action follow the delay, such a cell is all of the experiment's decisions of a minute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from attribution.core.config import AttributionConfig
from attribution.core.selection import AT_ONCE, CALIBRATION_ACTION
from attribution.read.parts import parts_of
from attribution.revenue import earned_sql
from attribution.sensitivity.registered import (
    ClassDraws,
    Experiment,
    following,
    is_foreign,
    sample_ratio,
)
from attribution.sensitivity.registry import (
    IS_DRAWN,
    draw_parameters,
    read_experiments,
)
from attribution.sensitivity.sums import (
    AGAIN_MAX,
    COUNTED_WHOLE,
    CellSums,
    Draws,
    cells_from_columns,
)
from collector.core.sql import fill, sql
from collector.store.connect import Connections

Outcome = Literal["margin", "revenue", "converted"]
_SQL = earned_sql.statement("slope_cells", __file__, is_drawn=IS_DRAWN)
_COUNTED_WHOLE = earned_sql.statement("counted_whole", __file__)
_DRAWS_AGAIN = fill(sql("draws_again", __file__), is_drawn=IS_DRAWN)
_CLASSES = fill(sql("draws_of_classes", __file__), is_drawn=IS_DRAWN)
_UNSURE = fill(sql("unsure_sales", __file__), is_drawn=IS_DRAWN)
_UNITS = sql("units", __file__)
# Enough to see what matters, of however many there are.
_CLASS_DRAWS = 200_000
_CELL = ("region", "cohort", "action", "experiment", "part")


@dataclass(frozen=True, slots=True)
class SlopeCells:
    """Cells of whole minutes, one row an arm, with what they are of."""

    cells: CellSums
    region: tuple[str, ...]
    cohort: tuple[str, ...]
    action: tuple[str, ...]
    experiment: tuple[str, ...]  # "" of decisions that are in none
    part: tuple[str, ...]  # channel or offer type, "" where neither was asked for
    # Decisions that claim an experiment or a delay which Millworth did not draw, or of experiments
    # whose arms cannot be believed: they are in no sum.
    not_randomised: int
    disbelieved: tuple[str, ...]  # these experiments
    following: Mapping[str, str]  # dimensions that follow the delay, and in words how

    @property
    def experiments(self) -> tuple[str, ...]:
        """Return the experiments that the decisions are of."""
        return tuple(sorted(set(self.experiment) - {""}))

    @property
    def in_experiments(self) -> int:
        """Return how many of the decisions are in one, delayed or not."""
        return int(self.cells.n[np.array(self.experiment, object) != ""].sum())

    def groups(self, by: str) -> dict[str, CellSums]:
        """Return the cells of each region, cohort, action, channel or offer type, by name.

        None of one that follows the delay: who is in a group is then another in each arm.
        """
        if by in self.following:
            return {}
        names = getattr(self, by) if by in ("region", "cohort", "action") else self.part
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(names):
            rows.setdefault(name, []).append(row)
        # Of which group the unsure sales are, nobody asked.
        whole = replace(self.cells, unsure=0)
        return {name: whole.take(np.array(indices)) for name, indices in sorted(rows.items())}


def read_slope_cells(
    store: Connections,
    config: AttributionConfig,
    from_ns: int,
    to_ns: int,
    outcome: Outcome,
    *,
    by: str = "",
    experiment: str = "",
    at_once: int = AT_ONCE,
) -> SlopeCells:
    """Return the cells of the decisions that began in [from, to).

    Args:
        store: to read from.
        config: in which currency, and what is known of a decision without an outcome.
        from_ns: the start of a minute.
        to_ns: the start of a minute, long enough ago that outcomes have arrived.
        outcome: what is summed as the outcome.
        by: channel or offer_type, where the cells have to tell those apart.
        experiment: of these decisions alone; by default of all.
        at_once: decisions that are summed at a time, about.
    """
    registered = read_experiments(store)
    parameters = {**earned_sql.parameters(outcome, config), "from_ns": from_ns, "to_ns": to_ns}
    limit = 0.0
    if outcome != "converted":
        whole = store.client().query(
            _COUNTED_WHOLE, parameters={**parameters, "share": COUNTED_WHOLE}
        )
        limit = float(whole.result_rows[0][0])
    parameters |= draw_parameters(registered) | {
        "limit": limit,
        "by": by,
        "experiment": experiment,
        # Nobody bought anything in these, however long they took.
        "left_out": [CALIBRATION_ACTION],
    }
    columns, words = _read_sums(store, parameters, _pieces(store, from_ns, to_ns, at_once))
    cells = cells_from_columns(columns, words["experiment"] != "")
    drawn = _read_drawn(store, parameters, from_ns, to_ns)
    wrong = [
        each.name
        for each in registered
        if _is_wrong(each, [row for row in drawn if row.experiment == each.name])
    ]
    keep = ~np.isin(words["experiment"], wrong)
    left_out = columns["not_randomised"].sum() + cells.answers.enrolled[~keep].sum()
    cells, words = cells.take(keep), {name: values[keep] for name, values in words.items()}
    kept = parameters | draw_parameters([each for each in registered if each.name not in wrong])
    classes = _read_classes(store, kept, from_ns, to_ns, sum(row.draws for row in drawn))
    followed = following(
        [row for row in classes if row.dimension in ("", "region", "cohort", "action", by)]
    )
    if followed:
        cells = _of_minutes(cells, words["experiment"])
    return SlopeCells(
        cells=replace(
            cells,
            draws=_draws([row for row in drawn if row.is_drawn and row.experiment not in wrong]),
            unsure=_read_unsure(store, kept) if drawn else 0,
        ),
        **{name: tuple(words[name].tolist()) for name in _CELL},
        not_randomised=int(left_out),
        disbelieved=tuple(sorted(wrong)),
        following=followed,
    )


def _read_sums(
    store: Connections, parameters: dict[str, object], pieces: Sequence[tuple[int, int]]
) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, npt.NDArray[np.object_]]]:
    """Return the columns of numbers, and those of texts, of `sql/slope_cells.sql`."""
    tables = [
        store.client().query_arrow(_SQL, parameters={**parameters, "from_ns": begin, "to_ns": end})
        for begin, end in pieces
    ]
    texts = (*_CELL, "arm")
    columns = {
        name: np.concatenate([table[name].to_numpy() for table in tables])
        for name in tables[0].column_names
        if name not in texts
    }
    words = {
        name: np.array([word for table in tables for word in table[name].to_pylist()], object)
        for name in texts
    }
    return columns, words


def _of_minutes(cells: CellSums, experiment: npt.NDArray[np.object_]) -> CellSums:
    """Return the cells with all of an experiment's decisions of a minute as one.

    Whatever the delay did to them afterwards, arms are alike in that.
    """
    names, place = np.unique(experiment.astype(str), return_inverse=True)
    minute = np.unique(cells.minute, return_inverse=True)[1].reshape(-1)
    # Codes of the other cells are hashes of 64 bits.
    drawn = minute * len(names) + place.reshape(-1)
    cell = np.where(experiment != "", drawn, cells.answers.cell)
    return replace(cells, answers=replace(cells.answers, cell=cell), is_coarse=True)


class _Drawn(NamedTuple):
    """A row of `sql/draws_again.sql`."""

    minute_ns: int
    experiment: str
    arm: str
    delay_ms: float
    draws: int
    again: int
    is_drawn: int


def _read_drawn(
    store: Connections, parameters: dict[str, object], from_ns: int, to_ns: int
) -> list[_Drawn]:
    """Return what the draws of the window are of, read a part of it at a time."""
    drawn: list[_Drawn] = []
    for begin_ns, end_ns in parts_of(store, from_ns, to_ns):
        window = {"from_ns": begin_ns, "to_ns": end_ns, "again_max": AGAIN_MAX}
        answer = store.client().query(_DRAWS_AGAIN, parameters={**parameters, **window})
        drawn += [_Drawn(*row) for row in answer.result_rows]
    return drawn


def _read_classes(
    store: Connections, parameters: dict[str, object], from_ns: int, to_ns: int, draws: int
) -> list[ClassDraws]:
    """Return of what classes the draws of the window are, of about _CLASS_DRAWS of them."""
    class_draws: list[ClassDraws] = []
    if not draws:
        return class_draws
    parameters = {**parameters, "one_in": max(draws // _CLASS_DRAWS, 1)}
    for begin_ns, end_ns in parts_of(store, from_ns, to_ns):
        answer = store.client().query(
            _CLASSES, parameters={**parameters, "from_ns": begin_ns, "to_ns": end_ns}
        )
        class_draws += [ClassDraws(*row) for row in answer.result_rows]
    return class_draws


def _read_unsure(store: Connections, parameters: dict[str, object]) -> int:
    """Return of how many sales of the window nobody knows the arm."""
    ((unsure,),) = store.client().query(_UNSURE, parameters=parameters).result_rows
    return int(unsure)


def _is_wrong(experiment: Experiment, claimed: Sequence[_Drawn]) -> bool:
    """Return whether the arms of an experiment cannot be believed, by what claims them."""
    draws: dict[str, int] = {}
    for row in claimed:
        if row.is_drawn:
            draws[row.arm] = draws.get(row.arm, 0) + row.draws
    every = sum(row.draws for row in claimed)
    is_another_s = is_foreign(every - sum(draws.values()), every)
    return is_another_s or sample_ratio(experiment.arms, draws).is_wrong


def _draws(drawn: Sequence[_Drawn]) -> Draws:
    cells: dict[tuple[int, str], int] = {}
    for row in drawn:
        cells.setdefault((row.minute_ns, row.experiment), len(cells))
    return Draws(
        minute=np.array([row.minute_ns for row in drawn], np.int64),
        cell=np.array([cells[row.minute_ns, row.experiment] for row in drawn], np.int64),
        delay_ms=np.array([row.delay_ms for row in drawn], np.float64),
        draws=np.array([row.draws for row in drawn], np.int64),
        again=np.array([row.again for row in drawn], np.int64),
    )


def _pieces(store: Connections, from_ns: int, to_ns: int, at_once: int) -> list[tuple[int, int]]:
    """Return the parts of a window that are summed one by one.

    What a unit bought on earlier days is in its sums, so that a window with units is one part.
    """
    window = {"from_ns": from_ns, "to_ns": to_ns}
    has_units = store.client().query(_UNITS, parameters=window).result_rows
    return [(from_ns, to_ns)] if has_units else parts_of(store, from_ns, to_ns, at_once)
