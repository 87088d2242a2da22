-- Evaluations of feature flags, from events of spans, attributes of spans, and log records.
-- Returns: flag String; variants Array(String), at most ten; services Array(String); evaluations, first_ns,
--   last_ns UInt64; by flag. An evaluation that says no variant has the variant ''.
WITH
spans AS
(
    SELECT toString(ServiceName) AS service, Timestamp AS at, SpanAttributes AS own,
        Events.Name AS names, Events.Timestamp AS instants, Events.Attributes AS attributes
    FROM otel_traces
    WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
        AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
),
told AS
(
    SELECT service, instant AS at, attribute AS said
    FROM spans
    ARRAY JOIN names AS name, instants AS instant, attributes AS attribute
    WHERE name IN ('feature_flag.evaluation', 'feature_flag')
    UNION ALL
    SELECT service, at, own AS said FROM spans WHERE own['feature_flag.key'] != ''
    UNION ALL
    SELECT toString(ServiceName) AS service, Timestamp AS at, LogAttributes AS said
    FROM otel_logs
    WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
        AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
        AND (EventName IN ('feature_flag.evaluation', 'feature_flag')
            OR LogAttributes['event.name'] IN ('feature_flag.evaluation', 'feature_flag'))
)
SELECT
    said['feature_flag.key'] AS flag,
    arraySort(groupUniqArray(10)(multiIf(
        said['feature_flag.result.variant'] != '', said['feature_flag.result.variant'],
        said['feature_flag.variant'] != '', said['feature_flag.variant'],
        said['feature_flag.result.value']))) AS variants,
    arraySort(groupUniqArray(20)(service)) AS services,
    count() AS evaluations,
    toUInt64(toUnixTimestamp64Nano(min(at))) AS first_ns,
    toUInt64(toUnixTimestamp64Nano(max(at))) AS last_ns
FROM told
WHERE flag != ''
GROUP BY flag
ORDER BY flag
