-- Calls of caches: spans that say whether they hit (cache.hit, or an answer 304), that name a cache, or that call Redis,
-- Valkey or Memcached.
-- Returns: cache String, its cache.name, else system and address; reads, writes, others UInt64, by what the call
--   does; lookups, those that say whether they hit; hits, first_ns, last_ns UInt64; by cache.
WITH calls AS
(
    SELECT
        Timestamp AS at,
        SpanAttributes['cache.hit'] AS hit,
        SpanAttributes['http.response.status_code'] = '304' AS is_unchanged,
        if(SpanAttributes['db.system.name'] != '', SpanAttributes['db.system.name'], SpanAttributes['db.system'])
            AS system,
        if(SpanAttributes['server.address'] != '', SpanAttributes['server.address'],
            SpanAttributes['network.peer.address']) AS address,
        SpanAttributes['server.port'] AS port,
        multiIf(SpanAttributes['cache.name'] != '', SpanAttributes['cache.name'],
            system != '' AND address != '', concat(system, ' ', address, if(port != '', ':', ''), port),
            system != '', system,
            concat(ServiceName, ' ', SpanName)) AS cache,
        upper(splitByChar(' ', multiIf(
            SpanAttributes['db.operation.name'] != '', SpanAttributes['db.operation.name'],
            SpanAttributes['db.operation'] != '', SpanAttributes['db.operation'],
            SpanAttributes['cache.operation'] != '', SpanAttributes['cache.operation'],
            toString(SpanName)))[1]) AS operation
    FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
        AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
        AND (hit != '' OR (is_unchanged AND SpanKind = 'Client') OR SpanAttributes['cache.name'] != ''
            OR system IN ('redis', 'valkey', 'memcached'))
)
SELECT
    cache,
    countIf(hit != '' OR is_unchanged OR operation IN {reads:Array(String)}) AS reads,
    countIf(hit = '' AND NOT is_unchanged AND operation IN {writes:Array(String)}) AS writes,
    count() - reads - writes AS others,
    countIf(hit IN ('true', 'false') OR is_unchanged) AS lookups,
    countIf(hit = 'true' OR is_unchanged) AS hits,
    toUInt64(toUnixTimestamp64Nano(min(at))) AS first_ns,
    toUInt64(toUnixTimestamp64Nano(max(at))) AS last_ns
FROM calls
GROUP BY cache
ORDER BY cache
