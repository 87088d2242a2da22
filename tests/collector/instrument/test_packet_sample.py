from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector.core.times import NS_PER_S
from collector.instrument import asgi_request_hook, httpx_response_hook, mark_packet_sample
from collector.instrument.packet_sample import PacketSample
from packet.decode.columns import address_words
from packet.decode.sampler import epochs, flow_hashes, keep

_ADDRESS = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda address: address.compressed)
)
_PORT = st.integers(0, 65535)


@given(_ADDRESS, _PORT, _ADDRESS, _PORT, st.integers(0, 2**62), st.floats(0, 1), st.integers(1, 99))
def test_service_and_recorder_come_to_one_decision(
    one: str, one_port: int, other: str, other_port: int, at_ns: int, ratio: float, epoch_s: int
) -> None:
    """The mark on the span is the truth about the packets, from either end."""
    src, dst = (np.array([address_words(address)], np.uint32) for address in (one, other))
    src_port, dst_port = (np.array([port], np.uint16) for port in (one_port, other_port))
    hashes = flow_hashes(src, dst, src_port, dst_port, np.array([6], np.uint8))
    (recorder,) = keep(hashes, epochs(np.array([at_ns], np.uint64), epoch_s), ratio).tolist()
    sample = PacketSample(ratio, epoch_s)
    assert sample.keeps((one, one_port), (other, other_port), at_ns) is recorder
    assert sample.keeps((other, other_port), (one, one_port), at_ns) is recorder


def test_mapped_address_is_the_ipv4_that_the_wire_shows() -> None:
    """A socket for both families names IPv4 as IPv6 does."""
    sample = PacketSample(0.5)
    draws = [
        [
            sample.keeps((f"{prefix}10.0.0.1", port), ("10.0.0.2", 80), 7 * NS_PER_S)
            for port in range(64)
        ]
        for prefix in ("", "::ffff:")
    ]
    assert draws[0] == draws[1]
    assert {True, False} == set(draws[0])


def test_name_is_no_address() -> None:
    """What no packet shows cannot be decided: unknown is not false."""
    assert PacketSample(1.0).keeps(("localhost", 1), ("10.0.0.2", 80), 0) is None


@pytest.fixture
def marking() -> Iterator[None]:
    """Mark all spans, and none when the test is over."""
    mark_packet_sample(1.0)
    yield
    mark_packet_sample(None)


class _Response:
    """What httpx passes, as far as it is read."""

    def __init__(self, ends: dict[str, Any]) -> None:
        class Stream:
            get_extra_info = staticmethod(ends.get)

        self.extensions = {"network_stream": Stream()}


def _attributes(hook: Any, *arguments: Any) -> dict[str, Any]:  # noqa: ANN401  any hook, and what it takes
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("test").start_as_current_span("call") as span:
        hook(span, *arguments)
    (finished,) = exporter.get_finished_spans()
    return dict(finished.attributes or {})


_ENDS = {"client_addr": ("10.0.0.1", 40_000), "server_addr": ("10.0.0.2", 80)}
_SCOPE = {"method": "GET", "path": "/", "client": ("10.0.0.1", 40_000), "server": ("10.0.0.2", 80)}


@pytest.mark.usefixtures("marking")
def test_spans_of_both_sides_are_marked() -> None:
    """Whoever looks for a trace with packets finds one."""
    assert _attributes(httpx_response_hook, None, _Response(_ENDS))["packet.sampled"] is True
    assert _attributes(asgi_request_hook, _SCOPE)["packet.sampled"] is True
    unix = {**_SCOPE, "server": ("/run/app.sock", None)}
    assert "packet.sampled" not in _attributes(asgi_request_hook, unix)


def test_nothing_is_marked_unless_asked_for() -> None:
    """A service that does not know the recorders' ratio says nothing."""
    assert "packet.sampled" not in _attributes(httpx_response_hook, None, _Response(_ENDS))
