-- How many spans each service answered in steps of [from_ns, to_ns) by their end, and how many are bad; steps begin at
-- whole multiples of `step_ns`. Which count and which are bad is as in alerts/rules/sql/span_rings.sql.
-- Returns: service String, step_ns, spans, bad, newest_ns Int64; a row a service and step with spans, in that order.
WITH
    toUInt64(toUnixTimestamp64Nano(Timestamp)) + Duration AS ended_ns,
    if(SpanAttributes['http.response.status_code'] != '', SpanAttributes['http.response.status_code'],
        SpanAttributes['http.status_code']) AS http_status
SELECT
    toString(ServiceName) AS service,
    toInt64(intDiv(ended_ns, {step_ns:UInt64}) * {step_ns:UInt64}) AS step,
    toInt64(count()) AS spans,
    toInt64(countIf(({failed:UInt8} AND StatusCode = 'Error')
        OR ({target_ns:UInt64} > 0 AND Duration > {target_ns:UInt64})
        OR (notEmpty({bad_from:Array(UInt16)}) AND arrayExists(
            (low, high) -> toUInt16OrZero(http_status) BETWEEN low AND high,
            {bad_from:Array(UInt16)}, {bad_to:Array(UInt16)})))) AS bad,
    toInt64(max(ended_ns)) AS newest
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}) - 600000000000)
    AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
    AND ended_ns >= {from_ns:UInt64} AND ended_ns < {to_ns:UInt64}
    AND SpanKind IN ('Server', 'Consumer')
    AND {service:String} IN ('', ServiceName)
    AND ({span:String} = '' OR SpanName = {span:String} OR SpanAttributes['http.route'] = {span:String})
    AND ({method:String} = '' OR SpanAttributes['http.request.method'] = {method:String}
        OR SpanAttributes['http.method'] = {method:String})
    AND (empty({counted_from:Array(UInt16)}) OR arrayExists(
        (low, high) -> toUInt16OrZero(http_status) BETWEEN low AND high,
        {counted_from:Array(UInt16)}, {counted_to:Array(UInt16)}))
GROUP BY service, step
ORDER BY service, step
