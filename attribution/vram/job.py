"""I/O: makes the VRAM model from what is stored, and keeps its versions."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
from attribution.vram.document import Document, content_hash, document
from attribution.vram.group_values import GroupValue, read_group_values
from attribution.vram.ranking import Group, curve, segment_weights, worth
from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from collector.core.config import AttributesConfig
from collector.core.errors import InputError
from collector.core.sql import sql
from collector.store.connect import Connections

SHIFTS_MS = (-50, -20, -10, -5, -1, 0, 1, 5, 10, 20, 50, 100, 200)
SAMPLE_MAX = 2_000
# A group with fewer in the sample has more of its decisions read, the smallest groups first.
_OF_GROUP_MIN = 50
_THIN_MAX = 1_000
# A first decision a moment ago is not a rate of thousands a second.
_COUNTED_NS_MIN = NS_PER_MINUTE
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

    def model(self, selection: Selection, dimension: str, now_ns: int) -> Document:
        """Make the model of some decisions; one that says something new is stored.

        Returns:
            The document with its version and instant; those of an equal one that is stored.
        """
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
        values = [
            each
            for each in read_group_values(self._store, self._config, selection, dimension)
            if each.selected
        ]
        rows = self._sampled(selection, dimension, count, values)
        book = read_book(self._store, self._config)
        slope = book.slope(selection.to_ns)
        model = book.in_force(selection.to_ns)
        own = {} if model is None else read_groups(self._store, model.version, dimension)
        # Before its first decision a service earned nothing, which says nothing of its rate.
        counted_ns = selection.to_ns - max(selection.from_ns, first_ns)
        found = self._groups(
            rows,
            dimension,
            values,
            max(counted_ns, _COUNTED_NS_MIN) / NS_PER_S,
            {each.name: own[each.name].slope if each.name in own else slope for each in values},
        )
        groups = [group for group, _ in found]
        valued = {each.name for each in values if not math.isnan(each.value_usd)}
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
            segment_weights(trees, groups, [of for _, of in found]) if groups else [],
            sorted({each.name for each in values} - valued),
            sorted(valued - {group.name for group in groups}),
            {group.name: own[group.name].basis if group.name in own else told for group in groups},
        )

    def _sampled(
        self, selection: Selection, dimension: str, count: int, values: Sequence[GroupValue]
    ) -> Table:
        """Return trees of a sample of the decisions, more of those of small groups."""
        every = max(1, math.ceil(count / SAMPLE_MAX))
        rows = self._reader.selected_trees(selection, every, by=dimension)
        seen, own = Counter(rows[dimension].to_pylist()), Counter[str]()
        for each in values:
            own[each.name] += each.selected
        thin = {name: own[name] for name in own if seen[name] < min(own[name], _OF_GROUP_MIN)}
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
        counted_s: float,
        slopes: Mapping[str, Slope],
    ) -> list[tuple[Group, Ints]]:
        """Return the groups whose decisions have a value, each with its own of the sample."""
        keys = [rows[name].to_pylist() for name in ("action", "region", dimension)]
        total_ns = ints(rows["end_ns"]) - ints(rows["ingress_ns"])
        reference_ns = np.array([self._config.reference_ns(each) for each in keys[0]], np.int64)
        is_error = ints(rows["is_error"]) != 0
        valued: dict[str, list[GroupValue]] = {}
        for each in values:
            if not math.isnan(each.value_usd):
                valued.setdefault(each.name, []).append(each)
        known = {(each.action, each.region, each.name) for own in valued.values() for each in own}
        places: dict[str, list[int]] = {}
        for at, key in enumerate(zip(*keys, strict=True)):
            if key in known:
                places.setdefault(key[2], []).append(at)
        found = []
        for name, at_all in sorted(places.items()):
            own, of = valued[name], np.array(at_all)
            count = sum(each.selected for each in own)
            earned = [each.selected * each.value_usd for each in own]
            error = math.hypot(*(x * y.error for x, y in zip(earned, own, strict=True)))
            group = Group(
                name=name,
                decisions=count,
                decisions_per_s=count / counted_s,
                # Losing decisions that cost money is no loss.
                value_usd=max(sum(earned) / count, 0.0),
                slope=slopes[name],
                total_ns=total_ns[of],
                reference_ns=reference_ns[of],
                is_error=is_error[of],
                error=error / abs(sum(earned)) if sum(earned) else 0.0,
            )
            found.append((group, of))
        return found
