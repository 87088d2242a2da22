"""What several tests of spans share."""

from __future__ import annotations

from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from collector.core.times import NS_PER_DAY
from tests.conftest import NOW_NS
from tests.support.builders import span

IDS = st.sampled_from(["", "00" * 8, "ab", "01" * 8, "01" * 16, "00" * 16])


TIMES = st.sampled_from([0, NOW_NS - 31 * NS_PER_DAY, NOW_NS - 1, NOW_NS, NOW_NS + 2 * NS_PER_DAY])


STAMPS = st.dictionaries(
    st.sampled_from(["decision.ts.ingress", "decision.ts.egress", "shop.out", "other"]),
    st.sampled_from([0, 1, NOW_NS, str(NOW_NS - 1), "soon", 1.5]),
)


@st.composite
def odd_spans(draw: st.DrawFn) -> Span:
    """Return a span that is good more often than not, and wrong in any way that is refused."""
    is_good = draw(st.booleans())
    return span(
        trace_id="01" * 16 if is_good else draw(IDS),
        span_id="02" * 8 if is_good else draw(IDS),
        parent_span_id=draw(st.sampled_from(["", "03" * 8])) if is_good else draw(IDS),
        start_ns=NOW_NS - 1 if is_good else draw(TIMES),
        end_ns=NOW_NS if is_good else draw(TIMES),
        attributes=draw(STAMPS),
    )
