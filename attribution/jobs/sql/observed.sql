-- What spans and log records of a range of time, received in a range, say of runtimes, feature flags and caches.
-- A runtime is the resource's; a flag is evaluated in events of spans, attributes of spans, and log records; a call of a
-- cache is a span that says whether it hit (cache.hit, or an answer 304), that names a cache, or that calls Redis,
-- Valkey or Memcached. What a cache is called is said in the same words in cache_decisions.sql.
-- Returns: the columns of observed_hours, in their order; unordered.
WITH
    said -> multiIf(said['feature_flag.result.variant'] != '', said['feature_flag.result.variant'],
        said['feature_flag.variant'] != '', said['feature_flag.variant'], said['feature_flag.result.value']) AS variant_of,
spans AS
(
    SELECT received_ns, toUnixTimestamp64Nano(Timestamp) AS row_ns, toString(ServiceName) AS service,
        toString(SpanName) AS span_name, SpanKind = 'Client' AS is_client, ResourceAttributes AS resource,
        SpanAttributes AS own, Events.Name AS event_names, Events.Timestamp AS event_times,
        Events.Attributes AS event_attributes
    FROM otel_traces
    WHERE received_ns >= {received_from_ns:UInt64} AND received_ns < {received_to_ns:UInt64}
        AND Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64}) AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
),
seen AS
(
    SELECT
        'runtime' AS kind, received_ns, row_ns, row_ns AS at_ns, service,
        resource['process.runtime.name'] AS name, resource['process.runtime.version'] AS variant,
        resource['telemetry.sdk.language'] AS detail, '' AS answer
    FROM spans
    UNION ALL
    SELECT
        'flag' AS kind, received_ns, row_ns, toUnixTimestamp64Nano(event_time) AS at_ns, service,
        event_own['feature_flag.key'] AS name, '' AS variant, '' AS detail, variant_of(event_own) AS answer
    FROM spans
    ARRAY JOIN event_names AS event_name, event_times AS event_time, event_attributes AS event_own
    WHERE event_name IN ('feature_flag.evaluation', 'feature_flag') AND name != ''
    UNION ALL
    SELECT
        'flag' AS kind, received_ns, row_ns, row_ns AS at_ns, service,
        own['feature_flag.key'] AS name, '' AS variant, '' AS detail, variant_of(own) AS answer
    FROM spans
    WHERE own['feature_flag.key'] != ''
    UNION ALL
    SELECT
        'flag' AS kind, received_ns, toUnixTimestamp64Nano(Timestamp) AS row_ns, row_ns AS at_ns,
        toString(ServiceName) AS service,
        LogAttributes['feature_flag.key'] AS name, '' AS variant, '' AS detail, variant_of(LogAttributes) AS answer
    FROM otel_logs
    WHERE received_ns >= {received_from_ns:UInt64} AND received_ns < {received_to_ns:UInt64}
        AND Timestamp >= fromUnixTimestamp64Nano({from_ns:Int64}) AND Timestamp < fromUnixTimestamp64Nano({to_ns:Int64})
        AND (EventName IN ('feature_flag.evaluation', 'feature_flag')
            OR LogAttributes['event.name'] IN ('feature_flag.evaluation', 'feature_flag'))
        AND LogAttributes['feature_flag.key'] != ''
    UNION ALL
    SELECT
        'cache' AS kind, received_ns, row_ns, row_ns AS at_ns, '' AS service,
        multiIf(own['cache.name'] != '', own['cache.name'],
            system != '' AND address != '', concat(system, ' ', address, if(port != '', ':', ''), port),
            system != '', system,
            concat(caller, ' ', span_name)) AS name,
        upper(splitByChar(' ', multiIf(
            own['db.operation.name'] != '', own['db.operation.name'],
            own['db.operation'] != '', own['db.operation'],
            own['cache.operation'] != '', own['cache.operation'],
            span_name))[1]) AS variant,
        multiIf(is_unchanged OR hit = 'true', 'hit', hit = 'false', 'miss', hit != '', 'other', '') AS detail,
        '' AS answer
    FROM
    (
        SELECT
            received_ns, row_ns, service AS caller, span_name, is_client, own,
            own['cache.hit'] AS hit,
            own['http.response.status_code'] = '304' AS is_unchanged,
            if(own['db.system.name'] != '', own['db.system.name'], own['db.system']) AS system,
            if(own['server.address'] != '', own['server.address'], own['network.peer.address']) AS address,
            own['server.port'] AS port
        FROM spans
        WHERE hit != '' OR (is_unchanged AND is_client) OR own['cache.name'] != ''
            OR system IN ('redis', 'valkey', 'memcached')
    )
)
SELECT
    toUInt64(intDiv(row_ns, 3600000000000) * 3600000000000) AS hour_ns,
    intDiv(received_ns, 600000000000) * 600000000000 AS slot_ns,
    kind, service, name, variant, detail,
    if(kind = 'flag', groupUniqArray(10)(answer), []) AS variants,
    count() AS count,
    min(at_ns) AS first_ns,
    max(at_ns) AS last_ns,
    min(row_ns) AS rows_first_ns,
    max(row_ns) AS rows_last_ns
FROM seen
GROUP BY hour_ns, slot_ns, kind, service, name, variant, detail
