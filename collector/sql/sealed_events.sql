-- Decisions that arrived in (after, until], with the end of the form that their producers sealed.
-- Returns: received_ns UInt64, trace_id, span_id String, ended_ns UInt64, kid, producer, epoch String, seq Int64 (-1
--   where there is none), prev, tag, form String; in order of arrival, then of the producer. What a pass
--   up to `cursor_ns` has judged is left out.
WITH
    SpanAttributes['provenance.seq'] AS said_seq,
    if(match(said_seq, '^[0-9]{1,18}$'), toInt64OrZero(said_seq), toInt64(-1)) AS number,
    toUnixTimestamp64Nano(Timestamp) + toInt64(Duration) AS end_ns
SELECT
    received_ns,
    lower(TraceId) AS trace_id,
    lower(SpanId) AS span_id,
    toUInt64(end_ns) AS ended_ns,
    SpanAttributes['provenance.kid'] AS kid,
    SpanAttributes['provenance.producer'] AS producer,
    SpanAttributes['provenance.epoch'] AS epoch,
    number AS seq,
    SpanAttributes['provenance.prev'] AS prev,
    SpanAttributes['provenance.tag'] AS tag,
    concat(
        arrayStringConcat(
            arrayMap(
                text -> concat(',', toString(length(text)), ':', text),
                [
                    toString(number),
                    prev,
                    trace_id,
                    span_id,
                    toString(toUnixTimestamp64Nano(Timestamp)),
                    toString(end_ns),
                    toString(StatusCode),
                    SpanAttributes['decision.schema'],
                    SpanAttributes['decision.action'],
                    SpanAttributes['decision.channel'],
                    SpanAttributes['decision.region'],
                    SpanAttributes['decision.cohort'],
                    SpanAttributes['decision.offer_type'],
                    SpanAttributes['decision.campaign'],
                    SpanAttributes['decision.route'],
                    SpanAttributes['decision.vendor'],
                    SpanAttributes['decision.mode'],
                    SpanAttributes['decision.value_usd'],
                    SpanAttributes['decision.experiment'],
                    SpanAttributes['decision.arm'],
                    SpanAttributes['decision.injected_delay_ns'],
                    SpanAttributes['decision.ts.ingress'],
                    SpanAttributes['decision.ts.transform'],
                    SpanAttributes['decision.ts.decision'],
                    SpanAttributes['decision.ts.egress']
                ]
            )
        ),
        ','
    ) AS form
FROM otel_traces
WHERE received_ns > {after_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
    AND
    (
        SpanAttributes['decision.action'] != ''
        OR SpanAttributes['provenance.tag'] != ''
        OR (TraceId, SpanId) IN
        (
            SELECT trace_id, root_span_id
            FROM decisions
            WHERE received_ns > {after_ns:UInt64} AND received_ns <= {until_ns:UInt64}
        )
    )
    AND (TraceId, SpanId, received_ns) NOT IN
    (
        SELECT trace_id, span_id, received_ns
        FROM provenance_events
        WHERE received_ns > {after_ns:UInt64}
            AND received_ns <= {cursor_ns:UInt64}
            AND revision <= {cursor_ns:UInt64}
    )
ORDER BY received_ns, producer, epoch, seq
