-- What a bench of an outage compares with the requests that it was answered OK for. A trace there is
-- one span, and the first half of its id names its request.
-- Returns: request String (hex), spans UInt64 (distinct), content UInt64 (sum over them of the CRC-32
-- of what they say), copies UInt64 (rows that one arrival has left over one a span); by request.
SELECT
    substring(TraceId, 1, 16) AS request,
    count() AS spans,
    sum(crc) AS content,
    sum(copies) AS copies
FROM
(
    SELECT TraceId, any(crc) AS crc, sum(rows - 1) AS copies
    FROM
    (
        SELECT
            TraceId,
            any(CRC32(concat(
                SpanName, '|',
                toString(Duration), '|',
                SpanAttributes['url.path'], '|',
                SpanAttributes['session.ref'], '|',
                SpanAttributes['item.count'], '|',
                Events.Attributes[1]['offer.id']
            ))) AS crc,
            count() AS rows
        FROM otel_traces
        WHERE TraceId >= {first:String} AND TraceId < {after:String}
        GROUP BY TraceId, received_ns
    )
    GROUP BY TraceId
)
GROUP BY request
ORDER BY request
