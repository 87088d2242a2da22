"""I/O: makes the VRAM model from what is stored, and keeps its versions."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from attribution.answers import Selection
from attribution.columns import Table, ints, micros_in_halves
from attribution.compact import no_trees
from attribution.compact_rows import trees_from_rows
from attribution.config import AttributionConfig
from attribution.earned_window import whole
from attribution.queries import Reader
from attribution.revenue import MICROS, Slope
from attribution.slope_groups import DIMENSIONS, GroupSlope
from attribution.slope_job import read_book, read_groups
from attribution.spans import Ints
from attribution.vram import Group, curve, segment_weights, worth
from attribution.vram_model import Document, content_hash, document
from collector.clock import NS_PER_S
from collector.config import AttributesConfig
from collector.errors import InputError
from collector.store.connect import Connections

SHIFTS_MS = (-50, -20, -10, -5, -1, 0, 1, 5, 10, 20, 50, 100, 200)
SAMPLE_MAX = 2_000
# A first decision a moment ago is not a rate of thousands a second.
_COUNTED_NS_MIN = 60 * NS_PER_S
_SQL = (Path(__file__).parent / "sql" / "vram_models.sql").read_text()
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

    def model(self, selection: Selection, dimension: str, now_ns: int) -> Document:
        """Make the model of some decisions; one that says something new is stored.

        Returns:
            The document with its version and instant; those of an equal one that is stored.
        """
        try:
            fresh = self.made(selection, dimension)
            name = content_hash(fresh)
            stored = self.versions()
            twin = next((each for each in reversed(stored) if each[2] == name), None)
            if twin is not None:
                return {"version": twin[0], "computed_ns": twin[1], **fresh}
            version = stored[-1][0] + 1 if stored else 1
            lineage = fresh["lineage"]
            told = {"version": version, "computed_ns": now_ns, **fresh}
            self._store.client().insert(
                "vram_models",
                [[
                    version, now_ns, selection.from_ns, selection.to_ns, dimension,
                    lineage["decisions"], lineage["slope_version"], name, json.dumps(told),
                ]],
                column_names=_COLUMNS,
            )  # fmt: skip
        except BaseException:
            self._store.close()
            raise
        return told

    def versions(self, version: int = 0) -> list[tuple[int, int, str, str]]:
        """Return version, instant, content hash and document of all models, or of one."""
        result = self._store.client().query(_SQL, parameters={"version": version})
        return [(row[0], row[1], row[2], row[3]) for row in result.result_rows]

    def stored(self, version: int) -> Document:
        """Return one version. Raises InputError where there is none."""
        found = self.versions(version)
        if not found or version == 0:
            known = ", ".join(str(each[0]) for each in self.versions()) or "none yet"
            raise InputError(f"there is no VRAM model {version}; versions: {known}")
        told: Document = json.loads(found[0][3])
        return told

    def made(self, selection: Selection, dimension: str) -> Document:
        """Return the model of some decisions without a version, and store nothing."""
        if dimension not in DIMENSIONS:
            raise InputError(f"{dimension!r} is no dimension; choose {', '.join(DIMENSIONS)}")
        extent = self._reader.selected_extent(selection)
        count, first_ns = extent.decisions, extent.first_ns
        every = max(1, math.ceil(count / SAMPLE_MAX))
        rows = self._reader.selected_trees(selection, every, with_offers=dimension == "offer_type")
        book = read_book(self._store, self._config)
        slope = book.slope(selection.to_ns)
        model = book.in_force(selection.to_ns)
        own = {} if model is None else read_groups(self._store, model.version, dimension)
        # Before its first decision a service earned nothing, which says nothing of its rate.
        counted_ns = selection.to_ns - max(selection.from_ns, first_ns)
        rate = count * NS_PER_S / max(counted_ns, _COUNTED_NS_MIN)
        groups, of, unknown = self._groups(rows, dimension, selection, rate, slope, own)
        trees = trees_from_rows(rows) if len(rows) else no_trees()
        worths = sorted(
            (worth(group) for group in groups),
            key=lambda each: (-each.marginal_usd_per_ms_year.median, each.name),
        )
        told = book.told(selection.to_ns, self._config.slope.basis)
        return document(
            {
                "from_ns": selection.from_ns,
                "to_ns": selection.to_ns,
                "action": selection.action,
                "region": selection.region,
                "dimension": dimension,
                "decisions": count,
                "sampled": len(rows),
                "slope_version": 0 if model is None else model.version,
                "slope": told,
                "counted_s": counted_ns / NS_PER_S if count else 0.0,
            },
            worths,
            {group.name: curve(group, SHIFTS_MS) for group in groups},
            segment_weights(trees, groups, of) if groups else [],
            unknown,
            {group.name: own[group.name].basis if group.name in own else told for group in groups},
        )

    def _groups(
        self,
        rows: Table,
        dimension: str,
        selection: Selection,
        rate: float,
        slope: Slope,
        own_slopes: Mapping[str, GroupSlope],
    ) -> tuple[list[Group], list[Ints], list[str]]:
        """Return the groups whose decisions have a value, their trees, and the other groups."""
        values = self._values(selection)
        pairs = list(zip(rows["action"].to_pylist(), rows["region"].to_pylist(), strict=True))
        value = np.array([values.get(pair, math.nan) for pair in pairs], np.float64)
        total_ns = ints(rows["end_ns"]) - ints(rows["ingress_ns"])
        reference_ns = np.array([self._config.reference_ns(each[0]) for each in pairs], np.int64)
        names = np.array(rows[dimension].to_pylist(), object)
        groups, of, unknown = [], [], []
        for name in sorted(set(names.tolist())):
            own = np.flatnonzero(names == name)
            known = own[~np.isnan(value[own])]
            if not len(known):
                unknown.append(name)
                continue
            group = Group(
                name=name,
                decisions_per_s=len(known) / len(rows) * rate,
                value_usd=float(value[known].mean()),
                slope=own_slopes[name].slope if name in own_slopes else slope,
                total_ns=total_ns[known],
                reference_ns=reference_ns[known],
                is_error=(ints(rows["is_error"]) != 0)[known],
            )
            groups.append(replace(group, value_usd=max(group.value_usd, 0.0)))
            of.append(known)
        return groups, of, unknown

    def _values(self, selection: Selection) -> dict[tuple[str, str], float]:
        """Return the value of a decision by action and region, where it is known."""
        table = self._reader.selected_values(selection)
        amount = whole(micros_in_halves(table["value_usd"]))
        pairs = zip(table["action"].to_pylist(), table["region"].to_pylist(), strict=True)
        return {
            pair: usd / count / MICROS
            for pair, usd, count in zip(
                pairs, amount.tolist(), ints(table["valued"]).tolist(), strict=True
            )
            if count
        }
