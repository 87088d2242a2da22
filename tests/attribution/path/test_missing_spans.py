from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.path.missing_spans import (
    AnswerRate,
    Assembled,
    GapEvidence,
    MissingSpan,
    Reason,
    Sent,
    kept_share,
    missing_spans,
)


def A(  # noqa: N802  a span in a word, as S and R of the other tests
    span_id: str,
    parent: str = "root",
    kind: str = "Internal",
    latency_class: str = "compute",
    duration_ns: int = 100,
    bound_ns: int | None = 0,
) -> Assembled:
    """Return one assembled span."""
    return Assembled(span_id, parent, "shop", "POST", kind, duration_ns, bound_ns, latency_class)


def T(span_id: str, parent: str = "root", trace_state: str = "") -> Sent:  # noqa: N802  likewise
    """Return one span as sent."""
    return Sent(span_id, parent, trace_state)


ROOT = A("root", "", "Server")
SENT_ROOT = T("root", "caller")
KNOWN = GapEvidence(3, "root", False, False, {}, {})
CALL = A("call", kind="Client", latency_class="network")


def test_spans_that_are_no_longer_kept_are_one_gap() -> None:
    """Nothing was lost: the split outlives what it was made of."""
    [gap] = missing_spans([], [], KNOWN)
    assert (gap.span_id, gap.what, gap.reason) == ("root", "spans", Reason.LAPSED)
    assert "split from 3 spans" in gap.detail
    assert missing_spans([], [], replace(KNOWN, span_count=0)) == []


def test_whole_trace_has_no_gap() -> None:
    """The caller of the root is not ours to miss, and an answered call is whole."""
    spans = [ROOT, CALL, A("there", "call", "Server"), A("get", kind="Client",
             latency_class="store")]  # fmt: skip
    sent = [SENT_ROOT, T("call"), T("there", "call"), T("get")]
    assert missing_spans(spans, sent, KNOWN) == []


@pytest.mark.parametrize(
    ("known", "state", "reason"),
    [
        pytest.param(KNOWN, "", Reason.LOST, id="nothing explains it"),
        pytest.param(replace(KNOWN, is_young=True), "", Reason.LATE, id="it may still come"),
        pytest.param(KNOWN, "ot=th:c", Reason.SAMPLED, id="three of four are dropped"),
        pytest.param(
            replace(KNOWN, rejected={"gone": "bad_id_length"}), "ot=th:c", Reason.REJECTED,
            id="quarantined, whatever else",
        ),
    ],
)  # fmt: skip
def test_parent_that_nobody_sent_has_a_reason(
    known: GapEvidence, state: str, reason: Reason
) -> None:
    """Two spans name it; it is one gap."""
    spans = [ROOT, A("one"), A("two")]
    sent = [SENT_ROOT, T("one", "gone", state), T("two", "gone", state)]
    (gap,) = missing_spans(spans, sent, known)
    assert (gap.span_id, gap.what, gap.reason) == ("gone", "parent", reason)


@pytest.mark.parametrize(
    ("habits", "reason"),
    [
        ({}, Reason.NEVER_SENT),
        ({("shop", "POST"): AnswerRate(40, 0)}, Reason.NEVER_SENT),
        ({("shop", "POST"): AnswerRate(40, 39)}, Reason.LOST),
    ],
)
def test_call_without_an_answer_is_judged_by_its_kind(
    habits: dict[tuple[str, str], AnswerRate], reason: Reason
) -> None:
    """A peer without instrumentation sends nothing; one that mostly answers has lost a span."""
    (gap,) = missing_spans([ROOT, CALL], [SENT_ROOT, T("call")], replace(KNOWN, habits=habits))
    assert (gap.span_id, gap.what, gap.reason) == ("call", "answer", reason)


def test_root_and_clock_have_reasons_of_their_own() -> None:
    """Without its root a decision is untraced; a span shorter than its bound has no place."""
    short = A("short", duration_ns=29, bound_ns=30)
    known = replace(KNOWN, is_root_missing=True, is_young=True)
    assert missing_spans([short], [T("short")], known) == [
        MissingSpan("root", "root", Reason.LATE, "the decision is young; it may still come"),
        MissingSpan("short", "span", Reason.CLOCK, "29 ns long, its clock known to 30 ns"),
    ]


@pytest.mark.parametrize(
    ("state", "share"),
    [
        ("", None),
        ("ot=th:0", None),
        ("ot=th:8", 0.5),
        ("vendor=1,ot=rv:abc;th:c", 0.25),
        ("ot=th:fd70a3d70a3d71", 0.01),
        ("not=th:8", None),
        ("ot=th:xyz", None),
    ],
)
def test_share_of_traces_that_is_kept(state: str, share: float | None) -> None:
    """As OpenTelemetry writes it."""
    assert kept_share(state) == (share if share is None else pytest.approx(share))


@given(st.text())
def test_any_trace_state_can_be_read(state: str) -> None:
    """It comes from outside."""
    share = kept_share(state)
    assert share is None or 0 <= share < 1
