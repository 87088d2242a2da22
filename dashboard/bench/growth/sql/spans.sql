-- Spans of one day: those of the pool, so many copies of each, moved and renamed; received a second later.
-- Returns: nothing; fills otel_traces and what its views fill.
INSERT INTO otel_traces_in
    (Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, ResourceAttributes,
    ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage, `Events.Timestamp`, `Events.Name`,
    `Events.Attributes`, `Links.TraceId`, `Links.SpanId`, `Links.TraceState`, `Links.Attributes`, received_ns,
    ScopeAttributes)
WITH
    (id, copy) -> lower(concat(leftPad(hex(cityHash64(id, copy, {day_ns:UInt64})), 16, '0'),
        leftPad(hex(sipHash64(id, copy, {day_ns:UInt64})), 16, '0'))) AS renamed,
    toInt64({day_ns:UInt64} + (copy * {pool:UInt64} + p.place) * {step_ns:UInt64}) - toInt64(p.ingress_ns) AS shift_ns,
    fromUnixTimestamp64Nano(toUnixTimestamp64Nano(s.Timestamp) + shift_ns) AS moved
SELECT
    moved, renamed(s.TraceId, copy), s.SpanId, s.ParentSpanId, s.TraceState, s.SpanName, s.SpanKind, s.ServiceName,
    s.ResourceAttributes, s.ScopeName, s.ScopeVersion,
    mapApply((k, v) -> (k, multiIf(startsWith(k, 'decision.ts.'), toString(toInt64OrZero(v) + shift_ns),
        k IN ('session.ref', 'outcome.key'), substring(renamed(concat(k, s.TraceId, s.SpanId), copy), 1, 16), v)), s.SpanAttributes),
    s.Duration, s.StatusCode, s.StatusMessage,
    arrayMap(t -> fromUnixTimestamp64Nano(toUnixTimestamp64Nano(t) + shift_ns), s.Events.Timestamp), s.Events.Name,
    s.Events.Attributes, s.Links.TraceId, s.Links.SpanId, s.Links.TraceState, s.Links.Attributes,
    toUInt64(toUnixTimestamp64Nano(moved)) + 1000000000, s.ScopeAttributes
FROM growth_pool.otel_traces AS s
INNER JOIN growth_pool.places AS p ON s.TraceId = p.trace_id
ARRAY JOIN range({from_copy:UInt64}, {to_copy:UInt64}) AS copy
