"""I/O: reads which experiments were registered and what was drawn, and stores a revision of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from attribution.read.parts import parts_of
from attribution.sensitivity.registered import Arm, Experiment, drawn_arms
from collector.core.sql import fill, sql
from collector.core.times import NS_PER_HOUR, NS_PER_MINUTE
from collector.store.connect import Connections

_COLUMNS = (
    "name", "owner", "purpose", "arms", "targets", "from_ns", "to_ns", "budget_usd",
    "registered_ns", "registered_by", "stopped_ns", "stopped_by", "stop_reason", "revision",
)  # fmt: skip
_SQL = sql("experiments", __file__)
# What statements over drawn delays say where they have `${is_drawn}`.
IS_DRAWN = sql("is_drawn", __file__).rstrip()
_DRAWS = sql("draws", __file__)
_UNDRAWN = fill(sql("undrawn", __file__), is_drawn=IS_DRAWN)
# Whose arms they are is looked at every few seconds, and by the hash of each decision.
_UNDRAWN_NS = NS_PER_HOUR


def read_experiments(store: Connections) -> list[Experiment]:
    """Return every experiment as it stands, in order of registration."""
    experiments = []
    for row in store.client().query(_SQL).result_rows:
        stored = dict(zip(_COLUMNS, row, strict=True))
        del stored["revision"]
        stored["arms"] = tuple(Arm(**arm) for arm in json.loads(stored["arms"]))
        targets = json.loads(stored["targets"]).items()
        stored["targets"] = {name: tuple(values) for name, values in targets}
        experiments.append(Experiment(**stored))
    return experiments


def write_experiment(store: Connections, experiment: Experiment, revision: int) -> None:
    """Store one experiment as it stands; `ExperimentJob` is who does it in a service."""
    row = {
        **{name: getattr(experiment, name) for name in _COLUMNS if hasattr(experiment, name)},
        "arms": json.dumps([asdict(arm) for arm in experiment.arms]),
        "targets": json.dumps(dict(experiment.targets)),
        "revision": revision,
    }
    store.client().insert("experiments", [[row[name] for name in _COLUMNS]], column_names=_COLUMNS)


def draw_parameters(registered: Sequence[Experiment]) -> dict[str, object]:
    """Return the values of what `is_drawn.sql` leaves open."""
    arms = drawn_arms(registered)
    return {
        "arms": [f"{e}\x1f{arm}" for e, arm in zip(arms.experiment, arms.arm, strict=True)],
        "delays_ns": list(arms.delay_ns),
        "firsts": list(arms.first),
        "ends": list(arms.end),
        "begin_ns": list(arms.from_ns),
        "end_ns": list(arms.to_ns),
    }


@dataclass(slots=True)
class ClaimedDraws:
    """What the decisions of an experiment claim to have been drawn, a unit once a minute."""

    by_arm: dict[str, int] = field(default_factory=dict)
    newest: int = 0  # of them, those of the last hour
    undrawn: int = 0  # of the newest, what Millworth did not draw


def read_draws(store: Connections, experiment: Experiment, window: tuple[int, int]) -> ClaimedDraws:
    """Return how many units were drawn by arm of an experiment, each counted once a minute.

    Args:
        store: to read from.
        experiment: the experiment; whatever its decisions claim counts.
        window: of the decisions, in ns.
    """
    claimed = ClaimedDraws()
    # Parts begin with a minute, so that no draw is in two of them.
    from_ns = window[0] // NS_PER_MINUTE * NS_PER_MINUTE
    for begin_ns, end_ns in parts_of(store, from_ns, window[1]):
        parameters = {"from_ns": begin_ns, "to_ns": end_ns, "experiment": experiment.name}
        for arm, draws in store.client().query(_DRAWS, parameters=parameters).result_rows:
            claimed.by_arm[arm] = claimed.by_arm.get(arm, 0) + draws
    parameters = {"from_ns": max(from_ns, window[1] - _UNDRAWN_NS), "to_ns": window[1]}
    parameters |= {"experiment": experiment.name, **draw_parameters([experiment])}
    ((claimed.newest, claimed.undrawn),) = (
        store.client().query(_UNDRAWN, parameters=parameters).result_rows
    )
    return claimed
