"""Rules of several tiers and wide budgets over stored cells: windows, alert, evidence."""

from __future__ import annotations

import random
from collections.abc import Mapping
from decimal import Decimal

from alerts.people.calendars import Calendars
from alerts.read.reader import AlertReader
from alerts.rules.dollar_burn import DollarBurn
from alerts.rules.tiers import DollarBurnConfig
from alerts.state.subject import ALL, Subject
from collector.core.times import NS_PER_MINUTE, NS_PER_S
from collector.store.connect import Connections
from tests.support.alerts.builders import moment, rule
from tests.support.alerts.scene import HURT, INCIDENT_S, START_NS, Scene, write_seconds

CLASSES = (Subject("checkout", "eu-west"), Subject("checkout", ""), Subject("search", "us-east"))


def test_windows_of_all_lengths_are_the_sums_of_their_seconds(store: Connections) -> None:
    """Each second is in every window that reaches back to it, and in none that does not."""
    draw = random.Random(18)
    end_ns = START_NS + 40 * NS_PER_MINUTE - 17 * NS_PER_S
    from_s = -3 * 86_400 - 600
    seconds = [draw.randrange(from_s, 2_400) for _ in range(400)]
    seconds += [draw.randrange(2_100, 2_400) for _ in range(200)]
    cells = {
        (START_NS + second * NS_PER_S, draw.choice(CLASSES)): (
            Decimal(2 * draw.randrange(10**9)) / 10**6,
            draw.randrange(1, 9),
        )
        for second in seconds
    }
    rows = [
        [second_ns, each.action, each.region, 1, decisions, loss, loss / 2, loss * 2, "margin"]
        for (second_ns, each), (loss, decisions) in cells.items()
    ]
    store.client().insert(
        "revenue_cells",
        rows,
        column_names=[
            *("second_ns", "action", "region", "revision", "decisions"),
            *("loss_usd", "loss_low_usd", "loss_high_usd", "basis"),
        ],
    )
    config = DollarBurnConfig(name="burn", budget_usd=1_000)

    facts = DollarBurn(config).read(
        AlertReader(store, Calendars(()).budget_factor), moment(end_ns=end_ns), {}
    )

    minute_ns = end_ns - end_ns % NS_PER_MINUTE
    for each in CLASSES:
        losses = facts.by_class[each].since(0, config.windows_s)
        for length in config.windows_s:
            until_ns = end_ns if length <= 1_800 else minute_ns
            held = _within(cells, each, until_ns - length * NS_PER_S, until_ns)
            window = losses.window(length)
            assert (window.loss_usd, window.decisions) == held, (each, length)
            assert (window.loss_low_usd, window.loss_high_usd) == (held[0] / 2, held[0] * 2)


def test_wide_budget_is_one_alert_with_the_evidence_of_the_class_that_loses(scene: Scene) -> None:
    """Two regions spend one budget: one page, and the segment of the region that is slow."""
    wide = rule(budget_usd=5_000.0, budget_for="all")
    scene.restart(rules=[wide])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)

    scene.judge()

    columns = "action, region, to_state, blamed_stage, blamed_class, focus, reason"
    [row] = scene.client.query(f"SELECT {columns} FROM alert_events FINAL").result_rows
    assert row[:5] == (ALL, ALL, "firing", "decision", "store")
    assert row[5] == f"checkout/{HURT}"
    assert f"{row[5]} loses most of it" in row[6]
    captures = scene.client.query("SELECT action, region FROM capture_requests FINAL").result_rows
    assert captures == [("checkout", HURT)]


def test_alert_ends_with_its_incident_and_not_with_its_longest_window(scene: Scene) -> None:
    """The hour remembers: it still holds more than the threshold when the incident is over."""
    hour = {"budget_share": 0.01, "long_window_s": 3_600, "short_window_s": 60}
    scene.restart(rules=[rule(budget_usd=5_000.0, tiers=[hour], reset_window_s=30)])
    scene.go_on(INCIDENT_S + 1, slow_ms=120)
    write_seconds(scene.client, scene.end_ns, 30, HURT, slow_ms=0)
    scene.judge()
    assert scene.events() == ["firing"]

    for _ in range(8):
        scene.go_on(10)
        scene.judge()

    assert scene.events() == ["firing", "cooling", "resolved"]


def _within(
    cells: Mapping[tuple[int, Subject], tuple[Decimal, int]],
    each: Subject,
    from_ns: int,
    to_ns: int,
) -> tuple[Decimal, int]:
    found = [
        figures
        for (second_ns, of), figures in cells.items()
        if of == each and from_ns <= second_ns < to_ns
    ]
    return sum((loss for loss, _ in found), Decimal(0)), sum(count for _, count in found)
