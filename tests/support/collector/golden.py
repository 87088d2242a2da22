"""What several tests of golden share."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.conftest import NOW_NS
from tests.support.builders import (
    key_values,
)
from tests.support.collector.rendering import TEXTS

MAYBE_ID = st.sampled_from([b"", b"\0" * 8, b"\x02" * 8])


ANY_ID = st.binary(max_size=17) | st.just(bytes(16))


INSTANTS = st.integers(0, 2**64 - 1)


@st.composite
def whole_spans(draw: st.DrawFn, attributes: st.SearchStrategy[dict[str, Any]]) -> Span:
    """Return a span that is stored, with anything in every field; its ids come later."""
    start_ns = NOW_NS - draw(st.integers(0, 10**15))
    events = draw(st.lists(st.tuples(INSTANTS, TEXTS, attributes), max_size=2))
    links = draw(st.lists(st.tuples(ANY_ID, ANY_ID, TEXTS, attributes), max_size=2))
    return Span(
        trace_state=draw(TEXTS),
        parent_span_id=draw(MAYBE_ID),
        name=draw(TEXTS),
        kind=draw(st.sampled_from(range(6))),  # type: ignore[arg-type]  # a member, by number
        start_time_unix_nano=start_ns,
        end_time_unix_nano=start_ns + draw(st.integers(0, 10**13)),
        attributes=key_values(draw(attributes)),
        events=[
            Span.Event(time_unix_nano=at, name=name, attributes=key_values(pairs))
            for at, name, pairs in events
        ],
        links=[
            Span.Link(trace_id=trace, span_id=one, trace_state=state, attributes=key_values(pairs))
            for trace, one, state, pairs in links
        ],
        status=Status(code=draw(st.sampled_from(range(3))), message=draw(TEXTS)),  # type: ignore[arg-type]  # by number
        flags=draw(st.integers(0, 2**32 - 1)),
    )
