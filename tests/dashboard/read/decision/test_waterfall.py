"""One decision as columns."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.path.missing_spans import MissingSpan, Reason
from dashboard.read.decision.detail import Decision, read_decision
from dashboard.read.decision.waterfall import (
    NAME_CHARS,
    stage_marks,
    stage_stamps,
    waterfall,
    waterfall_version,
)
from dashboard.read.reader import Reader
from dashboard.read.rows import PathSpan, SentSpan
from tests.support.dashboard.seed import TODAY_NS
from tests.support.examples import examples


@pytest.fixture(scope="module")
def detail(reader: Reader) -> Decision:
    """Return one stored decision with spans and exchanges, read back."""
    facts = reader.decision("d-12")
    assert facts is not None
    return read_decision(reader, facts, reader.sent_spans(facts.trace_id), TODAY_NS)


def a_span(detail: Decision, **changes: object) -> PathSpan:
    """Return a span of the decision, changed."""
    return replace(detail.spans[0], **changes)  # type: ignore[arg-type]  # one keyword to break


def test_sections_add_up_to_the_decision(detail: Decision) -> None:
    """The critical path covers the decision exactly: no gap, nothing twice."""
    found = waterfall(detail, [], []).sections
    pieces = sorted(zip(found.from_ns, found.to_ns, strict=True))
    assert pieces[0][0] == 0
    assert [end for _, end in pieces[:-1]] == [start for start, _ in pieces[1:]]
    assert pieces[-1][1] == 111_000_000


def test_stages_begin_at_their_stamps_and_take_their_part_of_the_split(detail: Decision) -> None:
    """A mark a millisecond off would blame the wrong stage."""
    assert [name for name, _ in stage_stamps(detail.facts)] == [
        "ingress", "transform", "decision", "egress",
    ]  # fmt: skip
    marks = stage_marks(detail.facts, detail.attribution, detail.spans)
    assert [(mark.at_ns, mark.took_ns) for mark in marks] == [
        (0, 2_000_000), (2_000_000, 12_000_000), (14_000_000, 82_000_000),
        (96_000_000, 15_000_000),
    ]  # fmt: skip


def test_stage_without_a_stamp_begins_with_its_first_span(detail: Decision) -> None:
    """Most senders stamp nothing; a stage of theirs comes from an attribute of its spans."""
    facts = replace(detail.facts, transform_ns=0, egress_ns=0)
    marks = stage_marks(facts, detail.attribution, detail.spans)
    assert [mark.name for mark in marks] == ["ingress", "transform", "decision", "egress"]
    assert marks[1].at_ns == 2_000_000
    unsplit = stage_marks(facts, None, detail.spans)
    assert [mark.name for mark in unsplit] == ["ingress", "decision"]


def test_parent_that_nobody_sent_has_a_row_with_its_reason(detail: Decision) -> None:
    """It spans what its children do, and is marked as what nobody saw."""
    first, second = detail.spans[1].span_id, detail.spans[2].span_id
    gap = MissingSpan("f" * 16, "parent", Reason.LATE, "it may still come")
    sent = [SentSpan(each, "f" * 16, "", "Unset") for each in (first, second)]
    found = waterfall(replace(detail, missing=[gap]), sent, [])
    row = found.spans.span_id.index("f" * 16)
    assert found.spans.is_missing[row] == 1
    assert found.gaps[found.spans.gap[row]].reason == "late"
    assert found.names[found.spans.name[row]] == "missing span"
    assert found.spans.span_id[row + 1 : row + 3] == [first, second]
    assert found.spans.depth[row : row + 3] == [1, 2, 2]
    assert found.spans.start_ns[row] == min(found.spans.start_ns[row + 1 : row + 3])
    assert sum(found.spans.is_missing) == 1


def test_missing_answer_is_told_on_the_row_of_the_call(detail: Decision) -> None:
    """A call to a service of others never has a span of the other side: no row for each."""
    call = detail.spans[-1].span_id
    gap = MissingSpan(call, "answer", Reason.NEVER_SENT, "no call of it was ever answered")
    found = waterfall(replace(detail, missing=[gap]), [], [])
    assert found.spans.gap[found.spans.span_id.index(call)] == 0
    assert sum(found.spans.is_missing) == 0


def test_of_very_many_spans_it_is_said_what_is_left_out(detail: Decision) -> None:
    """A hundred thousand rows are megabytes that nobody scrolls through."""
    spans = [a_span(detail, span_id=f"{at:016x}", self_ns=at, sections=[]) for at in range(100)]
    found = waterfall(replace(detail, spans=spans), [], [], rows_max=40)
    assert len(found.spans.span_id) == 40
    assert found.span_count == 100
    assert "the 40 of 100 spans that took longest" in found.left_out
    assert "60 are left out here" in found.left_out
    assert waterfall(detail, [], []).left_out == ""


def test_no_span_is_no_error(detail: Decision) -> None:
    """Just after a decision ends its spans are not assembled yet."""
    found = waterfall(replace(detail, spans=[], attribution=None), [], [])
    assert found.spans.span_id == []
    assert (found.from_ns, found.to_ns) == (0, 111_000_000)


def test_failed_span_is_marked(detail: Decision) -> None:
    """It is what a responder looks for first."""
    failed = SentSpan(detail.spans[0].span_id, "", "", "Error")
    assert waterfall(detail, [failed], []).spans.is_error == [1, 0, 0, 0, 0]


def test_version_changes_when_more_is_known(detail: Decision) -> None:
    """An open page draws anew then, and only then."""
    assert waterfall_version(detail) == "1.5.3.0"
    assert waterfall_version(replace(detail, flows=[])) != waterfall_version(detail)


NAMES = st.one_of(st.sampled_from(["<script>", "\u202egnol", ""]), st.text(max_size=400))


@settings(max_examples=examples(100), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-1, 15), st.integers(-50, 50), st.integers(0, 90), NAMES), max_size=15
    )
)
def test_whatever_a_sender_says_the_columns_fit_each_other(
    detail: Decision, drawn: list[tuple[int, int, int, str]]
) -> None:
    """Rings, orphans, equal times, no duration, children before their parents, any name."""
    facts = detail.facts
    spans = [
        a_span(
            detail, span_id=f"{at:016x}", parent_span_id=f"{parent:016x}" if parent >= 0 else "",
            start_ns=facts.ingress_ns + start, duration_ns=took, shift_ns=-start // 2,
            span_name=name, sections=[(facts.ingress_ns, facts.ingress_ns + took)],
        )
        for at, (parent, start, took, name) in enumerate(drawn)
    ]  # fmt: skip
    found = waterfall(replace(detail, spans=spans), [], [])
    columns = asdict(found.spans)
    assert {len(column) for column in columns.values()} == {len(drawn)}
    assert sorted(columns["span_id"]) == sorted(span.span_id for span in spans)
    assert sum(columns["sections"]) == len(found.sections.from_ns)
    assert all(len(name) <= NAME_CHARS for name in found.names)
    assert all(0 <= place < len(found.names) for place in columns["name"])
    for start, took in zip(columns["start_ns"], columns["duration_ns"], strict=True):
        assert found.from_ns <= start <= start + took <= found.to_ns
