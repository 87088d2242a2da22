"""What the Health page says of the pipeline: one verdict, boxes, and what is not well."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace

import pytest

from dashboard.health.items import HealthItem
from dashboard.pages.answers.pipeline import (
    boxes,
    by_urgency,
    items_table,
    signals_table,
    verdict,
    wrong_list,
)
from dashboard.pages.parts import Component
from dashboard.units import Zone
from tests.support.dashboard.seed import TODAY_NS

RECEIVED = HealthItem("stage.received", 2.0, "s ago", "ok")
SILENT = HealthItem("stage.received", 600.0, "s ago", "ok")
QUIET = replace(SILENT, status="warn", detail="see that senders run")
NEVER = HealthItem("stage.received", None, "s ago", "ok")
STORED = HealthItem("stage.stored", 0.0, "s behind", "ok")
SLOW = HealthItem("stage.stored", 130.0, "s behind", "bad", "the store is slow; lost: 4 unparsable")
LATE = HealthItem("stage.late", 70.0, "s behind", "warn", "see job.late")
PUT_OFF = HealthItem("attribution.put_off", 38.0, "s", "warn", "more came than there is time for")
OFF = HealthItem("packet.recorder", "off", "", "warn", "run as root")


def rows_of(component: Component) -> list[list[object]]:
    """Return the cells of a plain table."""
    found: list[list[object]] = json.loads(getattr(component, "data-table"))["rows"]
    return found


@pytest.mark.parametrize(
    ("items", "words"),
    [
        pytest.param([RECEIVED, STORED],
                     "Everything is stored and attributed; the newest data are 2 s old.",
                     id="well"),
        pytest.param([RECEIVED, replace(STORED, value=29.0)],
                     "What came up to 29 s ago is stored and attributed; the newest data are 2 s "
                     "old.", id="behind, and not yet worth a look"),
        pytest.param([RECEIVED, replace(STORED, value=29.0), PUT_OFF],
                     "What came up to 29 s ago is stored, the newest data are 2 s old; 38 s of "
                     "what came before is still", id="behind, with more than can be attributed"),
        pytest.param([SILENT, STORED],
                     "All that came is stored and attributed, but nothing came for 10 min.",
                     id="senders are silent"),
        pytest.param([QUIET, STORED],
                     "All that came is stored and attributed, but nothing came for 10 min.",
                     id="nothing is wrong here, and alerts cannot be judged"),
        pytest.param([NEVER, STORED], "Nothing was received since the service started.",
                     id="nothing came"),
        pytest.param([RECEIVED, SLOW, OFF],
                     "Store is 2.2 min behind: the store is slow, and 1 more.", id="behind"),
        pytest.param([RECEIVED, LATE], "Attribution of late data is 70 s behind: see job.late.",
                     id="late data wait"),
        pytest.param([RECEIVED, STORED, OFF],
                     "Everything is stored and attributed; the newest data are 2 s old; look at "
                     "packet.recorder: off.", id="well but for one figure"),
        pytest.param([RECEIVED, STORED, LATE, PUT_OFF],
                     "Everything is stored, the newest data are 2 s old; 38 s of what came before "
                     "is still to be attributed; look at stage.late: 70.0 s behind.",
                     id="more comes than can be attributed"),
        pytest.param([replace(STORED, value=None, status="warn", detail="`millworth collect` has "
                              "not said yet how far it is")],
                     "Store is unknown: `millworth collect` has not said yet how far it is.",
                     id="another process receives"),
    ],
)  # fmt: skip
def test_verdict_is_the_first_thing_that_matters(items: list[HealthItem], words: str) -> None:
    """One line for whoever was called; a green list of forty figures hid it."""
    assert words in verdict(items)


def test_boxes_stand_in_the_order_of_the_flow_with_what_each_lost() -> None:
    """Late data are beside attribution, and an unknown stage is not zero."""
    drawn = str(boxes([RECEIVED, SLOW, LATE]))
    assert drawn.index("Receive") < drawn.index("Log") < drawn.index("Store")
    assert "2 s ago" in drawn
    assert "2.2 min behind" in drawn
    assert "lost: 4 unparsable" in drawn
    assert "late data: 70 s behind" in drawn
    assert drawn.count("unknown") >= 2
    assert "flow-bad" in drawn


def test_stage_is_not_behind_of_data_that_never_came() -> None:
    """An empty store said `6 s behind`: the time since a job that has nothing to do last ran."""
    idle = HealthItem("stage.attributed", 6.0, "s behind", "ok")
    assert "up to date" in str(boxes([NEVER, idle]))
    assert "6 s behind" in str(boxes([RECEIVED, idle]))
    assert "70 s behind" in str(boxes([NEVER, dataclasses.replace(LATE, name="stage.attributed")]))


def test_box_says_what_senders_were_told_to_bring_again() -> None:
    """Nothing is lost by it, and they wait."""
    full = HealthItem("stage.logged", 0.0, "s behind", "ok", "told to come again: 6 log_full")
    drawn = str(boxes([RECEIVED, full]))
    assert "nothing lost" in drawn
    assert "told to come again: 6 log_full" in drawn


def test_box_of_another_process_does_not_say_that_nothing_was_lost() -> None:
    """Who serves pages alone counts no losses: nobody there knows."""
    drawn = str(boxes([RECEIVED, STORED]))
    assert "nothing lost" not in drawn
    assert drawn.count("losses: its own /metrics") == 2


def test_boxes_of_a_page_that_loads_have_their_place() -> None:
    """What comes later must not push what is read already."""
    assert str(boxes(None)).count("…") == 5


def test_only_what_is_not_well_is_listed_worst_first() -> None:
    """Each with its remedy; where all is well that is said."""
    drawn = str(wrong_list([OFF, RECEIVED, SLOW]))
    assert drawn.index("stage.stored") < drawn.index("packet.recorder") < drawn.index("run as root")
    assert "stage.received" not in drawn
    assert "/network" in drawn
    assert "every figure below is well" in str(wrong_list([RECEIVED]))


def test_figures_keep_the_order_of_the_flow() -> None:
    """What is well is read from the collector on, not by the alphabet."""
    names = ("collector.spans_acked", "job.alerts", "packet.recorder", "alerts.firing")
    items = [HealthItem(name, 1, "", "ok") for name in names]
    bad = HealthItem("alerts.webhooks_dead", 1, "", "bad")
    assert [item.name for item in by_urgency([*items, bad])] == [bad.name, *names]
    shown = rows_of(
        items_table([*items, RECEIVED], {"alerts": TODAY_NS - 5_000_000_000}, TODAY_NS, Zone())
    )
    assert [row[1] for row in shown] == [*names, "alerts.cursor"]
    assert shown[-1][2] == "5 s ago"


def test_signal_is_a_row_and_what_is_not_known_of_it_is_said() -> None:
    """A watermark of zero would be a claim."""
    items = [
        HealthItem("signal.traces.last_request", 1.5, "s ago", "ok"),
        HealthItem("signal.traces.queue", 2048, "bytes", "ok"),
        HealthItem("signal.logs.watermark", None, "s ago", "ok"),
    ]
    assert rows_of(signals_table(items)) == [
        ["traces", "1.5 s ago", "unknown", "2.0 KiB", "unknown", "unknown"],
        ["logs", "unknown", "unknown", "unknown", "unknown", "unknown"],
    ]
