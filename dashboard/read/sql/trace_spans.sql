-- Every span of one trace with what it carried, or one of them; a sender's retry counts once, the first received.
-- Parameters: span_id '' takes every span.
-- Returns: one row a span, times in Unix ns; by start; no rows when the trace is unknown.
SELECT
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    toString(SpanName) AS name,
    toString(ServiceName) AS service_name,
    toString(SpanKind) AS kind,
    toUInt64(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
    Duration AS duration_ns,
    toString(StatusCode) AS status,
    StatusMessage AS status_message,
    TraceState AS trace_state,
    ScopeName AS scope_name,
    ScopeVersion AS scope_version,
    SpanAttributes AS attributes,
    ResourceAttributes AS resource_attributes,
    arrayMap(at -> toUInt64(toUnixTimestamp64Nano(at)), Events.Timestamp) AS event_ns,
    Events.Name AS event_names,
    Events.Attributes AS event_attributes,
    Links.TraceId AS link_trace_ids,
    Links.SpanId AS link_span_ids,
    Links.TraceState AS link_trace_states,
    Links.Attributes AS link_attributes
FROM otel_traces
WHERE TraceId = {trace_id:String} AND ({span_id:String} = '' OR SpanId = {span_id:String})
    AND Timestamp >= (SELECT min(Start) FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String})
    AND Timestamp <= (SELECT max(End) FROM otel_traces_trace_id_ts WHERE TraceId = {trace_id:String})
ORDER BY received_ns
LIMIT 1 BY SpanId
LIMIT {rows_max:UInt64}
