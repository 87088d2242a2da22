"""Figures are held as JSON values: what an operator reads is what the rows say."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.core.segments import SEGMENTS
from collector.core.times import NS_PER_HOUR, NS_PER_MS, NS_PER_S, instant_ns
from dashboard.pages.charts.figures import (
    QUANTILE_ERROR,
    bucket_position,
    decision_path,
    heatmap,
    quantile_ns,
    quantile_text,
    worst_segment,
)
from dashboard.pages.charts.theme import ALARM, CLASS_COLOURS
from dashboard.read.rows import Cell, Range, SegmentMeans
from dashboard.units import Zone

SEEN = Range(1_790_000_000 * NS_PER_S, 1_790_000_060 * NS_PER_S)
TARGET_NS = 80 * NS_PER_MS
UTC = Zone().axis(SEEN.to_ns)


def means(**ms_by_segment: float) -> SegmentMeans:
    """Return means with the named segments (`decision_store=40`) and zero elsewhere."""
    segments = [ms_by_segment.get(f"{s}_{c}", 0.0) * NS_PER_MS for s, c in SEGMENTS]
    return SegmentMeans(100, sum(segments), segments)


def test_heatmap_places_each_cell_at_its_time_and_bucket() -> None:
    """Off by one bucket is 9 % wrong in latency, and looks right."""
    bucket = int(bucket_position(100 * NS_PER_MS))
    figure = heatmap([Cell(SEEN.from_ns, bucket, 100)], SEEN, 10 * NS_PER_S, TARGET_NS, UTC)
    trace = figure["data"][0]
    row = trace["y"].index(bucket + 0.5)
    assert trace["z"][row] == [2.0, None]
    assert trace["text"][row] == ["100", ""]
    assert trace["x"][0] == "2026-09-21T14:13:25.000"
    assert sum(n is not None for line in trace["z"] for n in line) == 1


def test_heatmap_of_a_zone_has_one_offset_that_a_click_takes_off_again() -> None:
    """Over the night on which clocks are set back, two hours would lie on each other."""
    night_ns = instant_ns("2026-10-25T01:00:00Z", "night")  # in Berlin 03:00 became 02:00
    seen = Range(night_ns - 2 * NS_PER_HOUR, night_ns + NS_PER_HOUR)
    cells = [Cell(seen.from_ns + hour * NS_PER_HOUR, 200, 1) for hour in range(3)]
    axis = Zone("Europe/Berlin").axis(seen.to_ns)
    figure = heatmap(cells, seen, NS_PER_HOUR, TARGET_NS, axis)
    trace, layout = figure["data"][0], figure["layout"]
    assert [at[11:16] for at in trace["x"]] == ["00:30", "01:30", "02:30"]
    assert layout["xaxis"]["range"][1] == "2026-10-25T03:00:00.000"
    assert layout["meta"]["offset_ms"] == 3_600_000
    assert layout["meta"]["range_ns"] == [str(seen.from_ns), str(seen.to_ns)]
    assert "CET" in trace["hovertemplate"]


@pytest.mark.parametrize(
    ("step_s", "frozen", "from_s", "to_s"),
    [(10, "", 40, 100), (10, "then", 40, 100), (60, "", 60, 100), (60, "then", 60, 120)],
)
def test_heatmap_knows_what_its_outer_cells_are_of(
    step_s: int, frozen: str, from_s: int, to_s: int
) -> None:
    """Of minutes a cell has those that begin in the range; of now nothing is later."""
    minute_ns = 1_790_000_000 * NS_PER_S - 20 * NS_PER_S  # a whole one
    seen = Range(minute_ns + 40 * NS_PER_S, minute_ns + 100 * NS_PER_S)
    cells = [Cell(minute_ns, 200, 1)]
    figure = heatmap(cells, seen, step_s * NS_PER_S, TARGET_NS, UTC, frozen=frozen)
    ends = [minute_ns + each * NS_PER_S for each in (from_s, to_s)]
    assert figure["layout"]["meta"]["range_ns"] == [str(each) for each in ends]


def test_heatmap_draws_the_target_where_its_latency_lies() -> None:
    """The axis counts buckets, so the line is at the bucket's position, not at 80."""
    figure = heatmap([Cell(SEEN.from_ns, 200, 1)], SEEN, 10 * NS_PER_S, TARGET_NS, UTC)
    line = figure["layout"]["shapes"][0]
    assert line["y0"] == line["y1"] == pytest.approx(8 * math.log2(80_000_000))
    axis = figure["layout"]["yaxis"]
    assert axis["tickvals"][axis["ticktext"].index("80")] == line["y0"]


def test_heatmap_has_a_column_for_each_step_without_traffic_too() -> None:
    """A gap in traffic must be seen as a gap."""
    cells = [Cell(SEEN.from_ns, 200, 1), Cell(SEEN.from_ns + 30 * NS_PER_S, 200, 1)]
    trace = heatmap(cells, SEEN, 10 * NS_PER_S, TARGET_NS, UTC)["data"][0]
    assert len(trace["x"]) == 4
    assert [n is None for n in trace["z"][trace["y"].index(200.5)]] == [False, True, True, False]


def test_empty_heatmap_says_why() -> None:
    """An empty panel without a word looks like a fault of the page."""
    figure = heatmap([], SEEN, 10 * NS_PER_S, TARGET_NS, UTC)
    assert figure["data"] == []
    assert "No decision in this window" in figure["layout"]["annotations"][0]["text"]


@given(
    st.integers(1, 10**11).flatmap(
        lambda around: st.lists(
            st.integers(max(1, around * 9 // 10), around * 11 // 10) | st.integers(1, 10**11),
            min_size=1,
            max_size=60,
        )
    ),
    st.floats(0.01, 0.99),
)
def test_exact_quantile_lies_within_the_error_that_is_stated(
    latencies: list[int], share: float
) -> None:
    """Of any latencies, also such as bunch at one end of a bucket, and as the text has it."""
    cells = [Cell(0, int(bucket_position(ns)), 1) for ns in latencies]
    exact = sorted(latencies)[max(0, math.ceil(share * len(latencies)) - 1)]
    found = quantile_ns(cells, share)
    assert found is not None
    shown_ns = float(quantile_text(found).removesuffix(" ms").replace(",", "")) * NS_PER_MS
    error = float(QUANTILE_ERROR.removeprefix("±").removesuffix(" %")) / 100
    assert abs(shown_ns - exact) <= error * exact


@pytest.mark.parametrize(
    ("ns", "said"),
    [(160_700_000, "161 ms"), (42_130_000, "42.1 ms"), (4_213_000_000, "4,213 ms")],
)
def test_quantile_has_no_more_digits_than_it_is_known_to(ns: float, said: str) -> None:
    """A tenth of a millisecond of 160 looked as if it were known."""
    assert quantile_text(ns) == said


def test_quantile_of_nothing_is_unknown() -> None:
    """Unknown is not zero."""
    assert quantile_ns([], 0.5) is None


def test_path_pairs_observed_with_reference_and_outlines_the_worst() -> None:
    """The segment that exceeds its reference most stands out, not the largest one."""
    observed = means(decision_store=50, decision_compute=60, egress_network=11)
    reference = means(decision_store=14, decision_compute=59, egress_network=11)
    figure = decision_path(observed, reference, ("decision", "store"))
    bars = {trace["name"]: trace for trace in figure["data"] if trace["type"] == "bar"}
    place = SEGMENTS.index(("decision", "store"))
    assert worst_segment(observed, reference) == place
    assert bars["reference"]["y"][place] == pytest.approx(14)
    row = bars["store"]["text"].index("decision/store")
    assert bars["store"]["y"][row] == pytest.approx(50)
    assert bars["store"]["marker"]["line"]["width"] == [0, 0, 3, 0]
    assert bars["store"]["marker"]["line"]["color"] == ALARM
    assert bars["store"]["marker"]["color"] == CLASS_COLOURS["store"]
    notes = [note["text"] for note in figure["layout"]["annotations"] if note["text"]]
    assert notes == ["<b>blamed</b><br><b>+36.0 ms</b>"]


def test_texts_of_neighbours_do_not_lie_on_each_other() -> None:
    """What the alert blamed and what is worst now may be two classes of one stage."""
    observed = means(decision_store=80, decision_compute=60)
    reference = means(decision_store=14, decision_compute=10)
    figure = decision_path(observed, reference, ("decision", "compute"))
    notes = {note["text"]: note for note in figure["layout"]["annotations"] if note["text"]}
    assert {text: note["xanchor"] for text, note in notes.items()} == {
        "<b>+66.0 ms</b>": "left",
        "<b>blamed</b><br>+50.0 ms": "right",
    }


def test_path_without_an_excess_points_at_nothing() -> None:
    """Noise of a mean must not send anyone after a segment."""
    observed = means(decision_store=14.5)
    assert worst_segment(observed, means(decision_store=14)) is None
    figure = decision_path(observed, means(decision_store=14), None)
    assert [note for note in figure["layout"]["annotations"] if note["text"]] == []


def test_path_without_a_reference_shows_what_was_observed() -> None:
    """No decision met its target: there is no grey bar, and none is invented."""
    figure = decision_path(means(decision_store=14), None, None)
    assert "reference" not in [trace.get("name") for trace in figure["data"]]
    assert "ref" not in figure["data"][-1]["text"][2]


def test_figures_are_plain_json() -> None:
    """What Dash sends is JSON; a NaN in it would break the page."""
    cells = [Cell(SEEN.from_ns, 210, 3)]
    figures = [
        heatmap(cells, SEEN, NS_PER_S, TARGET_NS, UTC),
        decision_path(means(decision_store=3), means(decision_store=2), None),
    ]
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
