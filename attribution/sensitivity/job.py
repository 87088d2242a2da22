"""I/O: estimates the slope from what is stored, and keeps its versions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from typing import Final

from attribution.core.config import AttributionConfig
from attribution.revenue import earned_sql
from attribution.sensitivity.cells import Outcome, SlopeCells, read_slope_cells
from attribution.sensitivity.estimate import Demands, estimate_slope
from attribution.sensitivity.groups import DIMENSIONS, GroupSlope, group_slopes
from attribution.sensitivity.versions import (
    ESTIMATE,
    PRIOR,
    SlopeBook,
    SlopeModel,
    is_news,
    model_of,
    numbered,
)
from collector.core.sql import sql
from collector.core.times import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_S, utc_day
from collector.store.connect import Connections
from collector.store.cursors import JobCursor

CURSOR: Final = "attribution.slope"  # when it ran
_SQL = sql("slope_models", __file__)
_GROUPS_SQL = sql("slope_groups", __file__)
_COLUMNS = [field.name for field in fields(SlopeModel)]
_OUTCOMES: Sequence[Outcome] = ("margin", "revenue", "converted")


@dataclass(frozen=True, slots=True)
class SlopeReport:
    """What one run found; `stored` None where it was no news."""

    model: SlopeModel
    stored: int | None  # its version


class SlopeJob:
    """The one writer of `slope_models`."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._ran = JobCursor(CURSOR)

    def run_due(self, now_ns: int) -> SlopeReport | None:
        """Run, unless it ran under these settings within the hour, in this process or before it.

        It reads weeks of decisions, which a service that starts again and again would do each time.
        """
        client = self._store.client()
        last = read_book(self._store, self._config).last
        is_same = last is not None and last.config_hash == config_hash(self._config)
        if is_same and 0 <= now_ns - self._ran.read(client) < NS_PER_HOUR:
            return None
        report = self.run_once(now_ns)
        self._ran.write(client, now_ns)
        return report

    def run_once(self, now_ns: int) -> SlopeReport:
        """Estimate over the window that ends when outcomes have arrived; store what is news."""
        config = self._config
        to_ns = (now_ns - config.outcome_delay_s * NS_PER_S) // NS_PER_MINUTE * NS_PER_MINUTE
        from_ns = max(to_ns - config.slope_window_days * NS_PER_DAY, 0)
        outcome, slope_cells = best_cells(self._store, config, from_ns, to_ns)
        basis = f"{outcome} of your own decisions"
        estimate = estimate_slope(slope_cells.cells, basis, demands_of(config))
        fresh = replace(
            model_of(estimate, config.slope, outcome, (from_ns, to_ns)),
            not_randomised=slope_cells.not_randomised,
            experiments=list(slope_cells.experiments),
            config_hash=config_hash(config),
        )
        if 0 < slope_cells.in_experiments < fresh.decisions:
            reason = (
                f"{fresh.reason}; measured on {slope_cells.in_experiments:,} of "
                f"{fresh.decisions:,} decisions, those in experiments, and assumed of the others"
            )
            fresh = replace(fresh, reason=reason, decisions=slope_cells.in_experiments)
        for following in slope_cells.following.values():
            fresh = replace(fresh, reason=f"{fresh.reason}; {following}")
        book = read_book(self._store, config)
        last, identified = book.last, book.identified
        if fresh.source == PRIOR and identified is not None:
            fresh = replace(fresh, reason=f"{fresh.reason}; {_left(identified, config)}")
        if not is_news(fresh, last):
            return SlopeReport(fresh, None)
        model = numbered(fresh, last, now_ns)
        if model.source == ESTIMATE:
            # First: whoever finds the version finds its groups.
            self._store_groups(model, slope_cells)
        self.store(model)
        return SlopeReport(model, model.version)

    def store(self, model: SlopeModel) -> None:
        """Store one version; it is never changed."""
        self._store.client().insert("slope_models", [list(astuple(model))], column_names=_COLUMNS)

    def _store_groups(self, model: SlopeModel, slope_cells: SlopeCells) -> None:
        rows: list[GroupSlope] = []
        for dimension in DIMENSIONS:
            cells = slope_cells
            if dimension in ("channel", "offer_type"):
                cells = best_cells(
                    self._store, self._config, model.from_ns, model.to_ns, by=dimension
                )[1]
            groups, demands = cells.groups(dimension), demands_of(self._config)
            rows += group_slopes(groups, dimension, model.slope, demands, model.version)
        self._store.client().insert(
            "slope_groups",
            [[*astuple(row), model.computed_ns] for row in rows],
            column_names=[*(field.name for field in fields(GroupSlope)), "computed_ns"],
        )


def _left(identified: SlopeModel, config: AttributionConfig) -> str:
    """Return in words where the slope of one's own has gone."""
    until = utc_day(identified.to_ns)
    return (
        f"version {identified.version} was identified on decisions until {until}, and the last "
        f"{config.slope_window_days} days (attribution.slope_window_days) do not confirm it: the "
        "prior is used until an experiment does again"
    )


def best_cells(
    store: Connections,
    config: AttributionConfig,
    from_ns: int,
    to_ns: int,
    *,
    by: str = "",
    experiment: str = "",
) -> tuple[Outcome, SlopeCells]:
    """Return the sums of the best outcome that is known of nearly all decisions that earned."""
    for outcome in _OUTCOMES:
        cells = read_slope_cells(
            store, config, from_ns, to_ns, outcome, by=by, experiment=experiment
        )
        has_earned, answers = bool(cells.cells.sums[:, 0].any()), cells.cells.answers
        if has_earned and earned_sql.is_known(
            int(answers.unknown.sum()), int(answers.earning.sum())
        ):
            return outcome, cells
    return "converted", cells


def demands_of(config: AttributionConfig) -> Demands:
    """Return what has to hold before a slope is shown."""
    return Demands(config.slope.median_per_100ms / 100)


def read_book(store: Connections, config: AttributionConfig) -> SlopeBook:
    """Return every version that is stored."""
    rows = store.client().query(_SQL).result_rows
    return SlopeBook([SlopeModel(*row) for row in rows], config.slope)


def read_groups(store: Connections, version: int, dimension: str) -> dict[str, GroupSlope]:
    """Return the groups of one version by name; none of the prior, or of an earlier program."""
    rows = store.client().query(
        _GROUPS_SQL, parameters={"version": version, "dimension": dimension}
    )
    return {each.name: each for each in (GroupSlope(*row) for row in rows.result_rows)}


def config_hash(config: AttributionConfig) -> str:
    """Return what names the settings that a slope is estimated under."""
    used = config.model_dump_json(
        include={"slope", "slope_window_days", "outcome_delay_s", "currency"}
    )
    counted = {
        "complete": config.outcomes.complete,
        "others": config.other_channels,
        **config.horizons(),
    }
    text = f"{used}{json.dumps(counted, sort_keys=True)}"
    return hashlib.sha256(text.encode()).hexdigest()
