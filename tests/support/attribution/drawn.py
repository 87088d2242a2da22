"""Decisions of units whose draw falls into an arm, so that a test decides who is delayed."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal

from attribution.sensitivity.registered import Arm, Experiment, with_control
from attribution.sensitivity.registry import write_experiment
from collector.core.assignment import arm_ends, draw, unit_digest
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.attribution_job import count_outcomes
from tests.support.attribution.stored import MS


def unit_in(experiment: Experiment, arm: str, ingress_ns: int, seed: str = "") -> str:
    """Return what `decision.unit` says of somebody who is in an arm in the minute of an instant."""
    names = [each.name for each in experiment.arms]
    ends = arm_ends([each.share for each in experiment.arms])
    for number in itertools.count():
        unit = unit_digest(experiment.name, f"{seed}/{number}")
        drawn = draw(experiment.name, ingress_ns // NS_PER_MINUTE, unit)
        if names[bisect_right(ends, drawn)] == arm:
            return unit
    raise AssertionError("there is always another unit")


def put_drawn(
    store: Connections,
    experiment: Experiment,
    told: Sequence[tuple[int, str, str, str]],
    keys: Sequence[str] = (),
) -> None:
    """Insert decisions d0 and so on: when each began, its action, its arm if any, and its unit.

    `keys` are those of their outcomes, where these do not name them by id.
    """
    delays_ns = {arm.name: round(arm.delay_ms * MS) for arm in experiment.arms} | {"": 0}
    decisions, attributions = [], []
    for index, (start_ns, action, arm, unit) in enumerate(told):
        name, region = (experiment.name, "eu") if arm else ("", "us")
        same = [start_ns, f"d{index}", action, region]
        key = keys[index] if keys else ""
        decisions.append([*same, start_ns, start_ns, key, name, arm, unit, delays_ns[arm]])
        attributions.append([*same, 1, 100 * MS + delays_ns[arm]])
    keys = ["ingress_ns", "decision_id", "action", "region"]
    names = [
        "end_ns",
        "received_ns",
        "outcome_key",
        "experiment",
        "arm",
        "unit",
        "injected_delay_ns",
    ]
    store.client().insert("decisions", decisions, column_names=[*keys, *names])
    store.client().insert(
        "attributions", attributions, column_names=[*keys, "revision", "total_ns"]
    )
    write_experiment(store, experiment, 1)


def put_reloaded(store: Connections, from_ns: int) -> int:
    """Insert forty minutes of an experiment whose slow draws decide twice, and sell as the others.

    Returns:
        When it ends.
    """
    end_ns = from_ns + 40 * NS_PER_MINUTE
    reloaded = Experiment(
        name="reloaded", owner="ana", purpose="", arms=with_control([Arm("slow", 0.5, 50.0)]),
        targets={}, from_ns=from_ns, to_ns=end_ns, budget_usd=Decimal(1),
        registered_ns=from_ns - 1,
    )  # fmt: skip
    draw, told, sold = random.Random(5), [], []
    for minute, number in itertools.product(range(40), range(10)):
        begin_ns = from_ns + minute * NS_PER_MINUTE + number * NS_PER_S
        arm = ("slow", "control")[number % 2]
        told.append((begin_ns, "offer", arm, unit_in(reloaded, arm, begin_ns, str(number))))
        if arm == "slow":
            told.append((begin_ns + 20 * NS_PER_S, *told[-1][1:]))
        if draw.random() < 0.5:
            sold.append(len(told) - 1)
    put_drawn(store, reloaded, told)
    put_sold(store, [(told[at][0], f"d{at}", 3) for at in sold])
    return end_ns


def put_sold(
    store: Connections,
    sold: Sequence[tuple[int, str, int]],
    keys: Sequence[str] = (),
    received_ns: int = 0,
) -> None:
    """Insert a sale of each: when it happened, of which decision, its margin in USD.

    Where `keys` name the decisions their ids are "". Each came when it happened, or was received.
    """
    names = ["outcome_id", "decision_id", "outcome_key", "converted", "margin", "currency"]
    rows = [
        [f"o{number}", decision_id, keys[number] if keys else "", 1, Decimal(margin), "USD", at_ns,
         received_ns or at_ns]
        for number, (at_ns, decision_id, margin) in enumerate(sold)
    ]  # fmt: skip
    store.client().insert("outcomes", rows, column_names=[*names, "event_ns", "received_ns"])
    count_outcomes(store)
