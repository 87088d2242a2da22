"""Spans in, time and money by cause out.

Reads: `otel_traces`, `decisions`, `outcomes`, `span_flows`.
Writes: `path_columns`, `attributions`, `attribution_minutes`, `revenue_cells`,
`outcome_matches`.
Promises: parts sum to the whole to the nanosecond; a dollar comes with its interval and basis.
"""
