-- Spans of network and store time on the critical path of some traces, with what the kernel knew of their
-- connection; those whose packets are known are left out.
-- Returns: ingress_ns UInt64, decision_id, span_id, stage, class String, self_ns UInt64, revision UInt32, sections
--   Array(Tuple(UInt64, UInt64)), start_ns, end_ns Int64 on the clock of the sections, min_rtt_ns UInt64, rto_ns,
--   retransmits, segments_out Nullable(UInt64), is_shared UInt8; unordered.
SELECT
    p.ingress_ns AS ingress_ns, p.decision_id AS decision_id, p.span_id AS span_id,
    p.stage AS stage, p.class AS class, p.self_ns AS self_ns,
    p.revision AS revision, p.sections AS sections,
    toInt64(p.start_ns) + p.shift_ns AS start_ns,
    toInt64(p.start_ns) + p.shift_ns + toInt64(p.duration_ns) AS end_ns,
    t.min_rtt_ns AS min_rtt_ns, t.rto_ns AS rto_ns, t.retransmits AS retransmits,
    t.segments_out AS segments_out, t.is_shared AS is_shared
FROM
(
    SELECT
        TraceId AS trace_id, SpanId AS span_id,
        max(toUInt64OrZero(SpanAttributes['network.tcp.min_rtt_ns'])) AS min_rtt_ns,
        max(toUInt64OrNull(SpanAttributes['network.tcp.rto_ns'])) AS rto_ns,
        max(toUInt64OrNull(SpanAttributes['network.tcp.retransmits'])) AS retransmits,
        max(toUInt64OrNull(SpanAttributes['network.tcp.segments_out'])) AS segments_out,
        max(SpanAttributes['network.tcp.shared'] = 'true') AS is_shared
    FROM otel_traces
    WHERE TraceId IN (SELECT arrayJoin({trace_ids:Array(String)}))
        AND Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64})
        AND Timestamp <= fromUnixTimestamp64Nano({to_ns:Int64})
        AND has(SpanAttributes.keys, 'network.tcp.min_rtt_ns')
        AND (TraceId, SpanId) NOT IN
        (
            SELECT trace_id, span_id FROM wire_times WHERE trace_id IN (SELECT arrayJoin({trace_ids:Array(String)}))
        )
    GROUP BY TraceId, SpanId
    HAVING min_rtt_ns > 0
) AS t
INNER JOIN
(
    SELECT
        ingress_ns, decision_id, trace_id, span_id, stage, class, start_ns, duration_ns, shift_ns,
        self_ns, sections, revision
    FROM path_spans
    WHERE on_path AND class IN ('network', 'store')
        AND trace_id IN (SELECT arrayJoin({trace_ids:Array(String)}))
        AND ingress_ns >= {from_ns:Int64} - {reach_ns:UInt64}
        AND ingress_ns <= {to_ns:Int64} + {reach_ns:UInt64}
) AS p ON p.trace_id = t.trace_id AND p.span_id = t.span_id
