"""The bench of the instrument: what it counts is what was done."""

from __future__ import annotations

from collector.bench.instrument import hot_path, latency, serve_sink


def test_hot_path_is_the_whole_less_the_context() -> None:
    """It asserts itself that every decision which it timed was exported."""
    figures = hot_path(burst=20, bursts=3)

    assert figures["hot_path_us"] == figures["whole_us"] - figures["context_us"]
    assert figures["x_otel"] == figures["otel_span_us"] / figures["whole_us"]
    assert all(value > 0 for value in figures.values())


def test_latency_is_of_decisions_that_work_and_wait() -> None:
    """Four halves of a millisecond of work and four waits of three quarters: 5 ms and more."""
    sink = serve_sink()
    figures = latency(f"http://127.0.0.1:{sink.server_port}/v1/traces", decisions=3)
    sink.shutdown()
    sink.server_close()

    assert figures["bare_p50_ms"] >= 5
    assert set(figures) == {
        "bare_p50_ms", "bare_p99_ms", "p50_added_ms", "p99_added_ms",
        "otel_p50_added_ms", "otel_p99_added_ms",
    }  # fmt: skip
