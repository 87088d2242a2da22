"""Frames in, network time per span out.

Reads: frames from the recorder, `otel_traces`, `decisions`, `capture_requests`.
Writes: `packets`, `flows`, `span_flows`, `clock_offsets`; `wire_seconds`, `microbursts`,
`capture_triggers`, `packet_budget`, `reconstructions`.
Promises: what the wire shows, with its method and confidence; capture does not disturb the path.
"""
