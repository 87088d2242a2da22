-- Which decisions asked a cache, named as in debt_caches.sql, and whether they hit; one in `every` of them, the same ones every time. A trace that
-- made several decisions is left out: whose its lookups are is not said.
-- Returns: cache, action, region String; total_ns Int64; hits, misses Int64; unordered.
SELECT
    l.cache AS cache, toString(d.action) AS action, toString(d.region) AS region,
    toInt64(d.total_ns) AS total_ns, toInt64(l.hits) AS hits, toInt64(l.misses) AS misses
FROM
(
    SELECT trace_id, any(a.action) AS action, any(a.region) AS region, any(a.total_ns) AS total_ns
    FROM
    (
        SELECT trace_id, action, region, total_ns FROM attributions FINAL
        WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
            AND total_ns >= {low_ns:UInt64} AND total_ns < {high_ns:UInt64}
            AND cityHash64(trace_id) % {every:UInt64} = 0
    ) AS a
    GROUP BY trace_id
    HAVING count() = 1
) AS d
INNER JOIN
(
    SELECT trace_id, cache, countIf(is_hit) AS hits, countIf(is_miss) AS misses
    FROM
    (
        SELECT
            TraceId AS trace_id,
            SpanAttributes['cache.hit'] = 'true' OR SpanAttributes['http.response.status_code'] = '304' AS is_hit,
            SpanAttributes['cache.hit'] = 'false' AS is_miss,
            if(SpanAttributes['db.system.name'] != '', SpanAttributes['db.system.name'],
                SpanAttributes['db.system']) AS system,
            if(SpanAttributes['server.address'] != '', SpanAttributes['server.address'],
                SpanAttributes['network.peer.address']) AS address,
            SpanAttributes['server.port'] AS port,
            multiIf(SpanAttributes['cache.name'] != '', SpanAttributes['cache.name'],
                system != '' AND address != '', concat(system, ' ', address, if(port != '', ':', ''), port),
                system != '', system,
                concat(ServiceName, ' ', SpanName)) AS cache
        FROM otel_traces
        WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
            AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64} + 3600000000000))
            AND cityHash64(TraceId) % {every:UInt64} = 0
            AND (SpanAttributes['cache.hit'] IN ('true', 'false')
                OR (SpanAttributes['http.response.status_code'] = '304' AND SpanKind = 'Client'))
    )
    GROUP BY trace_id, cache
) AS l ON d.trace_id = l.trace_id
