"""I/O: reads what degraded modes and caches do to decisions; writes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from attribution.core.config import AttributionConfig
from attribution.core.selection import CALIBRATION_ACTION, Selection
from attribution.path.columns import ints
from attribution.read.reader import Reader
from attribution.revenue import earned_sql
from attribution.vram.caches import CacheDecisions, CacheSpread, spread
from attribution.vram.modes import CAUTION, ModeCell, ModeImpact, impacts
from collector.core.config import AttributesConfig
from collector.core.sql import sql
from collector.core.times import NS_PER_S
from collector.store.connect import Connections

_MODE_CELLS = earned_sql.statement("mode_cells", __file__)
_CACHE_DECISIONS = sql("cache_decisions", __file__)
_DECISIONS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Modes:
    """What every mode went with."""

    outcome: str  # margin, revenue, or converted: then dollars are sales
    currency: str
    outcomes_until_ns: int  # decisions after it are too young for dollars
    compared_with: str
    modes: list[ModeImpact]
    caution: str


@dataclass(frozen=True, slots=True)
class Caches:
    """What every cache goes with, the one that explains the most first."""

    decisions: int  # of the window
    sampled_every: int
    caches: list[CacheSpread]


class ImpactJob:
    """Asks the store on behalf of a person."""

    def __init__(self, config: AttributionConfig, store: Connections) -> None:
        self._config = config
        self._store = store
        self._reader = Reader(store, AttributesConfig())

    def modes(self, window: Selection, now_ns: int) -> Modes:
        """Return what the decisions of each mode took and earned, beside normal ones."""
        known_until_ns = max(now_ns - self._config.outcome_delay_s * NS_PER_S, 0)
        outcome, cells = self._cells(window, known_until_ns)
        base, mode_impacts = impacts(cells)
        return Modes(outcome, self._config.currency, known_until_ns, base, mode_impacts, CAUTION)

    def caches(self, window: Selection, target: float) -> Caches:
        """Return how the misses of each cache and the spread of latency go together."""
        count = self._reader.selected_extent(window).decisions
        every = max(1, math.ceil(count / _DECISIONS_MAX))
        table = self._store.client().query_arrow(
            _CACHE_DECISIONS, parameters={**asdict(window), "every": every}
        )
        names = np.array(table["cache"].to_pylist(), object)
        pairs = list(zip(table["action"].to_pylist(), table["region"].to_pylist(), strict=True))
        codes = {pair: index for index, pair in enumerate(sorted(set(pairs)))}
        group = np.array([codes[pair] for pair in pairs], np.int64)
        total_ns, hits, misses = (ints(table[name]) for name in ("total_ns", "hits", "misses"))
        spreads = []
        for name in sorted(set(names.tolist())):
            rows = np.flatnonzero(names == name)
            decisions = CacheDecisions(group[rows], total_ns[rows], hits[rows], misses[rows])
            spreads.append(spread(name, decisions, target))
        spreads.sort(
            key=lambda cache_spread: (-(cache_spread.explained_ratio or 0.0), cache_spread.cache)
        )
        return Caches(count, every, spreads)

    def _cells(self, window: Selection, known_until_ns: int) -> tuple[str, Sequence[ModeCell]]:
        """Return the sums by the best outcome that is known of nearly all decisions that earned."""
        cells: list[ModeCell] = []
        for outcome in ("margin", "revenue", "converted"):
            cells = self._read(window, known_until_ns, outcome)
            unknown, earning = sum(c.unknown for c in cells), sum(c.earning for c in cells)
            if any(c.sum_usd for c in cells) and earned_sql.is_known(unknown, earning):
                return outcome, cells
            if not earning:
                break  # by whatever outcome: the cells of the others are the same
        # Where nothing earned anything, outcomes are not sent: that is not known, and not nothing.
        return "converted", [replace(cell, earned=0, sum_usd=0.0, sum_usd2=0.0) for cell in cells]

    def _read(self, window: Selection, known_until_ns: int, outcome: str) -> list[ModeCell]:
        config = self._config
        parameters = {
            **earned_sql.parameters(outcome, config),
            "from_ns": window.from_ns,
            "to_ns": window.to_ns,
            "known_until_ns": known_until_ns,
            "left_out": CALIBRATION_ACTION,
        }
        result = self._store.client().query(_MODE_CELLS, parameters=parameters)
        return [ModeCell(*row) for row in result.result_rows]
