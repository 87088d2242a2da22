"""I/O: reads which experiments were registered, and stores a revision of one."""

from __future__ import annotations

import json
from dataclasses import asdict

from attribution.sensitivity.registered import Arm, Experiment
from collector.core.sql import sql
from collector.store.connect import Connections

_COLUMNS = (
    "name", "owner", "purpose", "arms", "targets", "from_ns", "to_ns", "budget_usd",
    "registered_ns", "registered_by", "stopped_ns", "stopped_by", "stop_reason", "revision",
)  # fmt: skip
_SQL = sql("experiments", __file__)


def read_experiments(store: Connections) -> list[Experiment]:
    """Return every experiment as it stands, in order of registration."""
    found = []
    for row in store.client().query(_SQL).result_rows:
        stored = dict(zip(_COLUMNS, row, strict=True))
        del stored["revision"]
        stored["arms"] = tuple(Arm(**arm) for arm in json.loads(stored["arms"]))
        targets = json.loads(stored["targets"]).items()
        stored["targets"] = {name: tuple(values) for name, values in targets}
        found.append(Experiment(**stored))
    return found


def write_experiment(store: Connections, each: Experiment, revision: int) -> None:
    """Store one experiment as it stands; `ExperimentJob` is who does it in a service."""
    row = {
        **{name: getattr(each, name) for name in _COLUMNS if hasattr(each, name)},
        "arms": json.dumps([asdict(arm) for arm in each.arms]),
        "targets": json.dumps(dict(each.targets)),
        "revision": revision,
    }
    store.client().insert("experiments", [[row[name] for name in _COLUMNS]], column_names=_COLUMNS)
