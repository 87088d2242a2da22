"""Frames in, network time per span out.

Reads: frames from the loopback ring, `otel_traces`, `capture_requests`.
Writes: `packets`, `flows`, `span_flows`.
Promises: what the wire shows, with its method and confidence; capture does not disturb the path.
"""
