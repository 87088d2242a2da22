-- How often each cache was asked in [from_ns, end_ns) by spans that say whether it hit, and how often it did; caches are
-- named as in attribution/jobs/sql/observed.sql.
-- Returns: cache String, '' String, lookups, hits, newest_ns UInt64; a row a cache that was asked.
SELECT
    multiIf(SpanAttributes['cache.name'] != '', SpanAttributes['cache.name'],
        system != '' AND address != '', concat(system, ' ', address, if(port != '', ':', ''), port),
        system != '', system,
        concat(ServiceName, ' ', SpanName)) AS cache,
    '' AS nothing,
    count() AS lookups,
    countIf(SpanAttributes['cache.hit'] != 'false') AS hits,
    toUInt64(toUnixTimestamp64Nano(max(Timestamp))) AS newest_ns
FROM
(
    SELECT
        Timestamp, ServiceName, SpanName, SpanAttributes,
        if(SpanAttributes['db.system.name'] != '', SpanAttributes['db.system.name'],
            SpanAttributes['db.system']) AS system,
        if(SpanAttributes['server.address'] != '', SpanAttributes['server.address'],
            SpanAttributes['network.peer.address']) AS address,
        SpanAttributes['server.port'] AS port
    FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
        AND Timestamp < fromUnixTimestamp64Nano(toInt64({end_ns:UInt64}))
        AND (SpanAttributes['cache.hit'] IN ('true', 'false')
            OR (SpanAttributes['http.response.status_code'] = '304' AND SpanKind = 'Client'
                AND SpanAttributes['cache.hit'] = ''))
)
GROUP BY cache
