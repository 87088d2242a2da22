-- How many spans each service answered before an instant and how many are bad, by the shortest window that each is in.
-- Windows end at `end_ns` and start at `starts_ns`, the latest start first; each holds the rings before it. A span that
-- took more than ten minutes is not found, so that by its begin a narrow range of the table is read.
-- Returns: service String, ring UInt32 (from 0, the shortest window), spans, bad, newest_ns UInt64; a row a service and
-- ring with spans.
WITH
    toUInt64(toUnixTimestamp64Nano(Timestamp)) + Duration AS ended_ns,
    if(SpanAttributes['http.response.status_code'] != '', SpanAttributes['http.response.status_code'],
        SpanAttributes['http.status_code']) AS http_status
SELECT
    toString(ServiceName) AS service,
    arrayFirstIndex(start_ns -> ended_ns >= start_ns, {starts_ns:Array(UInt64)}) - 1 AS ring,
    count() AS spans,
    countIf(({failed:UInt8} AND StatusCode = 'Error')
        OR ({target_ns:UInt64} > 0 AND Duration > {target_ns:UInt64})
        OR (notEmpty({bad_from:Array(UInt16)}) AND arrayExists(
            (low, high) -> toUInt16OrZero(http_status) BETWEEN low AND high,
            {bad_from:Array(UInt16)}, {bad_to:Array(UInt16)}))) AS bad,
    max(ended_ns) AS newest_ns
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}) - 600000000000)
    AND Timestamp < fromUnixTimestamp64Nano(toInt64({end_ns:UInt64}))
    AND ended_ns >= {from_ns:UInt64} AND ended_ns < {end_ns:UInt64}
    AND SpanKind IN ('Server', 'Consumer')
    AND {service:String} IN ('', ServiceName)
    AND ({span:String} = '' OR SpanName = {span:String} OR SpanAttributes['http.route'] = {span:String})
    AND ({method:String} = '' OR SpanAttributes['http.request.method'] = {method:String}
        OR SpanAttributes['http.method'] = {method:String})
    AND (empty({counted_from:Array(UInt16)}) OR arrayExists(
        (low, high) -> toUInt16OrZero(http_status) BETWEEN low AND high,
        {counted_from:Array(UInt16)}, {counted_to:Array(UInt16)}))
GROUP BY service, ring
