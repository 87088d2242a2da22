-- Decisions with the end of the form that their producers sealed, of the values that decisions_mv takes: a value under
-- a name that is mapped counts as money, so it is what has to be sealed. By `mode` those that arrived in (after, until]:
-- 'new', but for what a pass up to `cursor_ns` has judged; 'refused', of which a key said nothing good; and 'copies',
-- all that there are of some traces.
-- Returns: received_ns UInt64, trace_id, span_id String, ended_ns UInt64, kid, producer, epoch String, seq Int64 (-1
--   where there is none), prev, tag, form, copy String (of copies what span_content.sql says); in order of arrival, then of the producer.
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
                    ${signed_values:SpanAttributes}
                ]
            )
        ),
        ','
    ) AS form,
    if({mode:String} = 'copies', ${content}, '') AS copy
FROM otel_traces
WHERE
(
    {mode:String} = 'copies'
    AND TraceId IN {trace_ids:Array(String)}
    AND SpanAttributes['provenance.tag'] != ''
)
OR
(
    {mode:String} = 'refused'
    AND received_ns > {after_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
    AND (TraceId, SpanId, received_ns) IN
    (
        SELECT trace_id, span_id, received_ns
        FROM provenance_events FINAL
        WHERE kid = {kid:String} AND verdict = 'tampered' AND startsWith(reason, 'key ')
    )
)
OR
(
    {mode:String} = 'new'
    AND received_ns > {after_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
    AND ${is_judged}
    AND (TraceId, SpanId, received_ns) NOT IN
    (
        SELECT trace_id, span_id, received_ns
        FROM provenance_events
        WHERE received_ns > {after_ns:UInt64}
            AND received_ns <= {cursor_ns:UInt64}
            AND revision <= {cursor_ns:UInt64}
    )
)
ORDER BY received_ns, producer, epoch, seq
