"""I/O: makes the VRAM model from what is stored, and keeps its versions."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from attribution.books.compound import GroupSum, dominated, following_usd
from attribution.books.group_values import (
    GroupValue,
    contradictions,
    missing_amounts,
    mixed_bases,
    read_group_values,
    spread_s,
    still_to_come,
    sums_by_name,
)
from attribution.books.unmatched import unmatched_outcomes
from attribution.compact.rows import trees_from_rows
from attribution.compact.trees import no_trees
from attribution.core.config import AttributionConfig
from attribution.core.selection import Selection
from attribution.path.columns import Table, ints
from attribution.path.spans import Ints
from attribution.read.reader import Reader
from attribution.revenue.loss import Slope
from attribution.sensitivity.groups import DIMENSIONS
from attribution.sensitivity.job import read_book, read_groups
from attribution.sensitivity.versions import SlopeBook, SlopeModel, unmeasured
from attribution.vram.allocation import Ranked, order
from attribution.vram.document import Document, content_hash, document
from attribution.vram.ranking import Group, Worth, curve, segment_weights, worth
from collector.core.config import AttributesConfig
from collector.core.errors import InputError, NotFoundError
from collector.core.sql import sql
from collector.core.times import NS_PER_MS, S_PER_DAY
from collector.store.connect import Connections

SHIFTS_MS = (-50, -20, -10, -5, -1, 0, 1, 5, 10, 20, 50, 100, 200)
SAMPLE_MAX = 2_000
# A group with fewer in the sample has more of its decisions read, the smallest groups first.
_OF_GROUP_MIN = 50
_THIN_MAX = 1_000
# Each weekday once.
YEAR_DAYS_MIN = 7
_SQL = sql("vram_models", __file__)
_COLUMNS = [
    "version", "computed_ns", "from_ns", "to_ns", "dimension", "decisions", "slope_version",
    "content_hash", "document",
]  # fmt: skip


class VramJob:
    """The one writer of `vram_models`."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store, AttributesConfig())

    def model(
        self, selection: Selection, dimension: str, now_ns: int, *, annualise: bool = False
    ) -> Document:
        """Make the model of some decisions; one that says something new is stored.

        Returns:
            The document with its version and instant; those of an equal one that is stored.
        """
        fresh = self.compute(selection, dimension, now_ns, annualise=annualise)
        window = selection.from_ns, selection.to_ns
        fresh["lineage"]["warnings"] += unmatched_outcomes(
            self._store, window, now_ns, self._config.outcome_delay_s
        )
        name = content_hash(fresh)
        stored = self.versions()
        twin = next((each for each in reversed(stored) if each[2] == name), None)
        if twin is not None:
            return {"version": twin[0], "computed_ns": twin[1], **fresh}
        version = stored[-1][0] + 1 if stored else 1
        lineage = fresh["lineage"]
        content = {"version": version, "computed_ns": now_ns, **fresh}
        self._store.client().insert(
            "vram_models",
            [[
                version, now_ns, selection.from_ns, selection.to_ns, dimension,
                lineage["decisions"], lineage["slope_version"], name, json.dumps(content),
            ]],
            column_names=_COLUMNS,
        )  # fmt: skip
        return content

    def versions(self, version: int = 0) -> list[tuple[int, int, str, str]]:
        """Return version, instant, content hash and document of all models, or of one."""
        result = self._store.client().query(_SQL, parameters={"version": version})
        return [(row[0], row[1], row[2], row[3]) for row in result.result_rows]

    def load(self, version: int) -> Document:
        """Return one version. Raises InputError where there is none."""
        rows = self.versions(version)
        if not rows or version == 0:
            versions = ", ".join(str(each[0]) for each in self.versions()) or "none yet"
            raise NotFoundError(f"there is no VRAM model {version}; versions: {versions}")
        content: Document = json.loads(rows[0][3])
        return content

    def compute(
        self,
        selection: Selection,
        dimension: str,
        now_ns: int | None = None,
        *,
        annualise: bool = False,
    ) -> Document:
        """Return the model of some decisions without a version, and store nothing.

        Args:
            selection: the decisions.
            dimension: one of DIMENSIONS.
            now_ns: no outcome that is due later is missed, and it is said where sales take longer
                than decisions are old; None where each should have come.
            annualise: state figures of a year on fewer than YEAR_DAYS_MIN days too.

        Raises:
            InputError: the dimension is none, or what lateness costs is unknown, with the reason.
        """
        if dimension not in DIMENSIONS:
            raise InputError(f"{dimension!r} is not a dimension; choose {', '.join(DIMENSIONS)}")
        extent = self._reader.selected_extent(selection)
        values = read_group_values(self._store, self._config, selection, dimension, now_ns)
        book = self._book(selection.to_ns)
        rows = self._sampled(selection, dimension, extent.decisions, values)
        slope, model = book.slope(selection.to_ns), book.in_force(selection.to_ns)
        slopes = {} if model is None else read_groups(self._store, model.version, dimension)
        counted_s = spread_s(values)
        # Two bursts eight days apart are two days of decisions.
        days = min(counted_s / S_PER_DAY, extent.days)
        is_long = days >= YEAR_DAYS_MIN
        a_year = annualise or is_long
        sums = sums_by_name(values)
        slope_of = dict.fromkeys((each.name for each in values), slope)
        slope_of |= {name: each.slope for name, each in slopes.items()}
        grouped = self._groups(rows, dimension, values, sums, counted_s, slope_of)
        groups = [group for group, _ in grouped]
        trees = trees_from_rows(rows) if len(rows) else no_trees()
        basis = book.basis(selection.to_ns, self._config.slope.basis)
        sample_rows = [group_rows for _, group_rows in grouped]
        return document(
            {
                "from_ns": selection.from_ns,
                "to_ns": selection.to_ns,
                "action": selection.action,
                "region": selection.region,
                "dimension": dimension,
                "decisions": extent.decisions,
                "sampled": len(rows),
                "slope_version": 0 if model is None else model.version,
                "slope": basis,
                "counted_s": counted_s if values else 0.0,
                "is_annualised": a_year,
                "annualised": _annualised(days, a_year=a_year, is_long=is_long),
                "denominator": _denominator(self._config),
                "warnings": self._warnings(values, sums, now_ns),
            },
            sorted((worth(group, a_year=a_year) for group in groups), key=_rank),
            {group.name: curve(group, _shifts_ms(group, model), a_year=a_year) for group in groups},
            segment_weights(trees, groups, sample_rows, a_year=a_year) if groups else [],
            sorted({each.name for each in values} - sums.keys()),
            sorted(sums.keys() - {group.name for group in groups}),
            {
                group.name: slopes[group.name].basis if group.name in slopes else basis
                for group in groups
            },
        )

    def _warnings(
        self, values: Sequence[GroupValue], sums: Mapping[str, GroupSum], now_ns: int | None
    ) -> list[str]:
        return [
            *contradictions(values, self._config),
            *missing_amounts(values),
            *mixed_bases(values),
            *still_to_come(values, now_ns),
            *dominated(sums),
        ]

    def _book(self, at_ns: int) -> SlopeBook:
        book = read_book(self._store, self._config)
        refusal = book.refusal(at_ns)
        if refusal:
            raise InputError(f"no figure: {refusal}")
        return book

    def _sampled(
        self, selection: Selection, dimension: str, count: int, values: Sequence[GroupValue]
    ) -> Table:
        """Return trees of a sample of the decisions, more of those of small groups."""
        every = max(1, math.ceil(count / SAMPLE_MAX))
        rows = self._reader.selected_trees(selection, every, by=dimension)
        counts, taken = Counter(rows[dimension].to_pylist()), Counter[str]()
        for each in values:
            taken[each.name] += each.decisions
        thin = {
            name: taken[name] for name in taken if counts[name] < min(taken[name], _OF_GROUP_MIN)
        }
        names = sorted(thin, key=lambda name: (thin[name], name))[:_THIN_MAX]
        if not names:
            return rows
        every = max(1, math.ceil(sum(thin[name] for name in names) / SAMPLE_MAX))
        denser = self._reader.selected_trees(selection, every, by=dimension, names=names)
        is_other = pc.invert(pc.is_in(rows[dimension], pa.array(names, pa.string())))
        return pa.concat_tables([rows.filter(is_other), denser]).combine_chunks()

    def _groups(
        self,
        rows: Table,
        dimension: str,
        values: Sequence[GroupValue],
        sums: Mapping[str, GroupSum],
        counted_s: float,
        slopes: Mapping[str, Slope],
    ) -> list[tuple[Group, Ints]]:
        """Return the groups whose decisions have a value, each with its own of the sample."""
        keys = [rows[name].to_pylist() for name in ("action", "region", dimension)]
        total_ns = ints(rows["end_ns"]) - ints(rows["ingress_ns"])
        is_error = ints(rows["is_error"]) != 0
        known_counts = {
            (each.action, each.region, each.name)
            for each in values
            if not math.isnan(each.value_usd)
        }
        places: dict[str, list[int]] = {}
        for index, key in enumerate(zip(*keys, strict=True)):
            if key in known_counts:
                places.setdefault(key[2], []).append(index)
        following = following_usd(sums)
        groups = []
        for name, at_all in sorted(places.items()):
            group_sum, sample = sums[name], np.array(at_all)
            group = Group(
                name=name,
                decisions=group_sum.decisions,
                decisions_per_s=group_sum.decisions / counted_s,
                value_usd=group_sum.usd / group_sum.decisions,
                slope=slopes[name],
                total_ns=total_ns[sample],
                is_error=is_error[sample],
                error_usd_per_s=group_sum.error_usd / counted_s,
                following_usd_per_s=following[name] / counted_s,
                known=group_sum.known,
                earned_usd=group_sum.earned_usd,
                kind=self._config.kind_of(name) if dimension == "channel" else "",
            )
            groups.append((group, sample))
        return groups


def _rank(worth: Worth) -> tuple[float, bool, float, str]:
    return order(Ranked(worth.name, worth.kind, worth.marginal_usd_per_ms_hour.median, 0.0))


def _annualised(days: float, *, a_year: bool, is_long: bool) -> str:
    """Return in words what a year of these decisions is."""
    if is_long:
        return f"a year is {days:.3g} days of decisions, as if they went on so"
    if a_year:
        return f"a year is only {days:.3g} days of decisions, as if they went on so: as you asked"
    return (
        f"no figure of a year: {days:.3g} days of decisions, {YEAR_DAYS_MIN} are needed; "
        "--annualise states it all the same"
    )


def _denominator(config: AttributionConfig) -> str:
    """Return in words over which decisions a value is."""
    denominator = {
        "sales": "all decisions: one without an outcome earned nothing (outcomes.complete = sales)",
        "all": "decisions with an outcome: without one what was earned is unknown "
        "(outcomes.complete = all)",
    }
    complete, others = config.outcomes.complete, config.other_channels
    if not others:
        return denominator[complete]
    return f"{denominator[complete]}; the other way round in {', '.join(others)}"


def _shifts_ms(group: Group, model: SlopeModel | None) -> list[float]:
    """Return the shifts for which a curve says something: within what the arms delayed."""
    measured_ms = None if model is None else model.measured_ms
    mean_ms = float(group.total_ns.mean()) / NS_PER_MS
    return [
        shift
        for shift in SHIFTS_MS
        if shift == 0 or not unmeasured(measured_ms, mean_ms, mean_ms + shift)
    ]
