"""Telemetry in, rows stored: the floor that every other room stands on.

Reads: OTLP over gRPC and HTTP, outcome files.
Writes: `otel_traces`, `otel_logs`, `otel_metrics_*`, `decisions`, `outcomes`, `rejected`, and
`audit` for all rooms.
Promises: what was acknowledged is never lost and never counted twice.
"""
