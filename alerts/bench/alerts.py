"""Pure: `millworth bench alerts`: the default dollar rule beside the workbook's six approaches.

Seeds from 1000 on: the defaults were chosen on seeds below ten.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from alerts.bench.approaches import dollar_rule, workbook
from alerts.bench.score import score
from alerts.bench.world import make_world
from collector.bench.harness import Progress

_SEEDS_FROM: Final = 1_000
_SEEDS_PER_RUN: Final = 4
_Z95: Final = 1.96


def run_alerts(runs: int, progress: Progress) -> dict[str, float]:
    """Return figures by approach and world: means over seeds, with the 95 % interval of the mean.

    The figures of the dollar rule in the money world have no prefix.
    """
    seeds = range(_SEEDS_FROM, _SEEDS_FROM + _SEEDS_PER_RUN * runs)
    found: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        money = make_world(seed)
        scores = {name: score(money, alerts) for name, alerts in workbook(money).items()}
        scores[""] = score(money, dollar_rule(money))
        scores["half"] = score(money, dollar_rule(money, value_factor=0.5))
        scores["double"] = score(money, dollar_rule(money, value_factor=2.0))
        equal = make_world(seed, is_equal=True)
        scores["equal"] = score(equal, dollar_rule(equal))
        scores["equal_workbook_6"] = score(equal, workbook(equal)["workbook_6"])
        flat = make_world(seed, is_flat=True)
        scores["flat"] = score(flat, dollar_rule(flat))
        scores["flat_workbook_6"] = score(flat, workbook(flat)["workbook_6"])
        for name, scored in scores.items():
            found.setdefault(name, []).append(scored)
        progress(f"seed {seed}: {_line(scores[''])}; workbook 6: {_line(scores['workbook_6'])}")
    figures: dict[str, float] = {}
    for name in sorted(found):
        figures |= {f"{name}_{key}" if name else key: v for key, v in _means(found[name]).items()}
    return figures


def _means(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    figures: dict[str, float] = {}
    for key in scores[0]:
        values = [each[key] for each in scores if each[key] == each[key]]  # no NaN
        mean = statistics.fmean(values) if values else float("nan")
        half = _Z95 * statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
        figures |= {key: mean, f"{key}_low": mean - half, f"{key}_high": mean + half}
    return figures


def _line(scored: Mapping[str, float]) -> str:
    return (
        f"{scored['pages']:.0f} pages, precision {scored['precision']:.2f}, "
        f"recall {scored['recall']:.2f}, silent {scored['silent_ratio']:.2f}"
    )
