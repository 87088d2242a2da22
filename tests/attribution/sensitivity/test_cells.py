from __future__ import annotations

import itertools
import random
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pytest

from attribution.core.segments import SEGMENTS
from attribution.path.spans import NONE
from attribution.revenue.loss import MICROS, Outcome, earned_by_decision
from attribution.revenue.matching import Named, match_outcomes
from attribution.sensitivity.cells import read_slope_cells
from attribution.sensitivity.sums import CellSums
from collector.core.clock import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.attribution.cell_rows import cell_sums
from tests.support.attribution.stored import BASE_NS, MS

MINUTES = 5
REGIONS = ("eu", "us")
COHORTS = ("new", "old", "vip")
ACTIONS = ("offer", "price")
EXPERIMENTS = ("", "e1")
CHANNELS = ("app", "web")
END_NS = BASE_NS + MINUTES * NS_PER_MINUTE


KEYS: list[tuple[str, ...]] = sorted(
    itertools.product(REGIONS, COHORTS, ACTIONS, EXPERIMENTS, ("", *CHANNELS))
)


def key_of(one: dict[str, Any], by: str) -> tuple[str, ...]:
    """Return which cell of its minute a decision falls into."""
    names = ("region", "cohort", "action", "experiment")
    return (*(one[name] for name in names), one["channel"] if by == "channel" else "")


def some_decisions(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Return decisions in order of time, some under one id or key, a few failed."""
    instants = sorted(rng.sample(range(MINUTES * 60_000), count))
    return [
        {
            "ingress_ns": BASE_NS + at * MS + rng.randrange(MS),
            "decision_id": f"d{number}" if number % 40 else "twice",
            "outcome_key": f"k{number % 60}" if number % 3 == 0 else "",
            "region": rng.choice(REGIONS),
            "cohort": rng.choice(COHORTS),
            "action": rng.choice(ACTIONS),
            "experiment": rng.choice(EXPERIMENTS),
            "channel": rng.choice(CHANNELS),
            "injected_delay_ns": rng.choice((0, 0, 25 * MS)),
            "parts": [rng.randrange(20 * MS) for _ in SEGMENTS],
            "is_error": int(rng.random() < 0.05),
        }
        for number, at in enumerate(instants)
    ]


def some_outcomes(rng: random.Random, decisions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return sales, refunds and corrections by id or key, some of unknown amount."""
    outcomes = []
    for number, each in enumerate(decisions):
        if rng.random() < 0.5:
            continue
        by_key = bool(each["outcome_key"]) and rng.random() < 0.7
        outcomes += [
            {
                "outcome_id": f"o{number}-{copy}",
                "kind": rng.choice(("sale", "sale", "correction", "refund")),
                "decision_id": "" if by_key else each["decision_id"],
                "outcome_key": each["outcome_key"] if by_key else "",
                "converted": int(rng.random() < 0.6),
                "margin": rng.choice((None, Decimal(rng.randrange(9_999_999)) / MICROS)),
                "currency": rng.choice(("USD", "USD", "EUR")),
                "event_ns": each["ingress_ns"] + rng.randrange(NS_PER_MINUTE),
            }
            for copy in range(rng.choice((1, 1, 2)))
        ]
    return outcomes


def put(
    store: Connections, decisions: list[dict[str, Any]], outcomes: list[dict[str, Any]]
) -> None:
    """Insert them, every attribution in two revisions of which the first is wrong."""
    names = [
        "ingress_ns", "decision_id", "outcome_key", "region", "cohort", "injected_delay_ns",
        "experiment", "channel",
    ]  # fmt: skip
    store.client().insert(
        "decisions",
        [[each[name] for name in names] + [each["ingress_ns"]] * 2 for each in decisions],
        column_names=[*names, "end_ns", "received_ns"],
    )
    parts = [f"{stage}_{latency_class}_ns" for stage, latency_class in SEGMENTS]
    names = ["ingress_ns", "decision_id", "region", "cohort", "action", "is_error"]
    store.client().insert(
        "attributions",
        [
            [*(each[name] for name in names), revision, sum(own), *own]
            for each in decisions
            for revision, own in ((1, [MS] * len(parts)), (2, each["parts"]))
        ],
        column_names=[*names, "revision", "total_ns", *parts],
    )
    names = [
        "outcome_id", "kind", "decision_id", "outcome_key", "converted", "margin", "currency",
        "event_ns",
    ]  # fmt: skip
    store.client().insert(
        "outcomes",
        [[each[name] for name in names] + [each["event_ns"]] for each in outcomes],
        column_names=[*names, "received_ns"],
    )


def is_known(outcome: dict[str, Any]) -> bool:
    """Say whether its margin is: there are no rates."""
    return outcome["margin"] is not None and outcome["currency"] == "USD"


def row_level(
    decisions: list[dict[str, Any]], outcomes: list[dict[str, Any]], outcome: str, by: str
) -> tuple[CellSums, int]:
    """Return the cells by the code that values decisions, and how many are unknown."""
    index = {(each["ingress_ns"], each["decision_id"]): at for at, each in enumerate(decisions)}
    matched = match_outcomes(
        [
            Named(
                each["decision_id"],
                each["outcome_key"],
                each["event_ns"],
                each["kind"] == "refund",
                each["kind"] != "refund" and (bool(each["converted"]) or is_known(each)),
            )
            for each in outcomes
        ],
        [(each["ingress_ns"], each["decision_id"], each["outcome_key"]) for each in decisions],
    )
    told = [
        Outcome(
            index[found] if found else NONE,
            each["kind"],
            bool(each["converted"]),
            int(each["margin"] * MICROS) if is_known(each) else None,
            None,
        )
        for found, each in zip(matched, outcomes, strict=True)
    ]
    assert all(each.decision >= 0 for each in told)
    earned = earned_by_decision(told, len(decisions))
    is_unknown = (earned.converted == 1) & (earned.margins == 0)
    sold = np.zeros(len(decisions))
    for each in told:
        if each.kind != "refund" and (each.converted or each.margin_micros is not None):
            sold[each.decision] = 1
    y = sold if outcome == "converted" else earned.margin_micros / MICROS
    parts = np.array([each["parts"] for each in decisions])
    is_backend = [latency_class in ("compute", "store") for _, latency_class in SEGMENTS]
    values = np.stack(
        [
            y,
            parts.sum(axis=1) / MS,
            parts[:, is_backend].sum(axis=1) / MS,
            np.array([each["injected_delay_ns"] for each in decisions]) / MS,
        ],
        axis=1,
    )
    keep = np.array([each["is_error"] == 0 for each in decisions])
    unknown = int((keep & is_unknown).sum()) if outcome == "margin" else 0
    if outcome == "margin":
        keep &= ~is_unknown
    minute = np.array([each["ingress_ns"] // NS_PER_MINUTE * NS_PER_MINUTE for each in decisions])
    place = np.array([KEYS.index(key_of(each, by)) for each in decisions])
    return cell_sums(minute[keep], place[keep], values[keep]), unknown


@pytest.mark.parametrize(("outcome", "by"), [("converted", ""), ("margin", "channel")])
def test_cells_of_the_store_are_the_sums_over_its_rows(
    store: Connections, outcome: Literal["converted", "margin"], by: str
) -> None:
    """Twelve digits, by other code: an alias that shadows its column merges cells silently."""
    rng = random.Random(20_261_125)
    decisions = some_decisions(rng, 900)
    outcomes = some_outcomes(rng, decisions)
    # Nobody bought anything in these: they are in no cell.
    asked = [
        {**each, "action": "calibration", "decision_id": f"c{at}", "outcome_key": ""}
        for at, each in enumerate(some_decisions(rng, 50))
    ]
    put(store, decisions + asked, outcomes)
    found = read_slope_cells(store, BASE_NS, END_NS, outcome, "USD", by=by)
    expected, unknown = row_level(decisions, outcomes, outcome, by)
    keys = zip(found.region, found.cohort, found.action, found.experiment, found.part, strict=True)
    told = list(zip(found.cells.minute.tolist(), keys, strict=True))
    assert (
        told
        == sorted(set(told))
        == sorted(
            {
                (each["ingress_ns"] // NS_PER_MINUTE * NS_PER_MINUTE, key_of(each, by))
                for each in decisions
                if not each["is_error"]
            }
        )
    )
    assert set(found.groups("channel")) == (set(CHANNELS) if by else {""})
    assert set(found.groups("cohort")) == set(COHORTS)
    known = found.cells.take(found.cells.n > 0)  # the others hold what is unknown alone
    np.testing.assert_array_equal(known.minute, expected.minute)
    np.testing.assert_array_equal(known.n, expected.n)
    np.testing.assert_allclose(known.sums, expected.sums, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(known.products, expected.products, rtol=1e-12, atol=1e-9)
    assert found.unknown.sum() == unknown
    assert expected.sums[:, 0].sum() > 0


def test_cells_of_one_experiment_are_its_own(store: Connections) -> None:
    """Who is in it and who is not may differ in anything but what was drawn."""
    decisions = some_decisions(random.Random(7), 200)
    put(store, decisions, [])
    found = read_slope_cells(store, BASE_NS, END_NS, "converted", "USD", experiment="e1")
    own = [d for d in decisions if d["experiment"] == "e1" and not d["is_error"]]
    assert int(found.cells.n.sum()) == len(own) > 0
    assert set(found.experiment) == {"e1"}


def test_window_without_decisions_has_no_cells(store: Connections) -> None:
    """A new store asks for its slope too."""
    assert len(read_slope_cells(store, 0, NS_PER_S, "margin", "USD").cells) == 0
