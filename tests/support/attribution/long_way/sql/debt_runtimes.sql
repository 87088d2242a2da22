-- Which runtimes services ran on.
-- Returns: service, runtime, version, language String; spans, first_ns, last_ns UInt64; by service, last seen last.
SELECT
    toString(ServiceName) AS service,
    ResourceAttributes['process.runtime.name'] AS runtime,
    ResourceAttributes['process.runtime.version'] AS version,
    ResourceAttributes['telemetry.sdk.language'] AS language,
    count() AS spans,
    toUInt64(toUnixTimestamp64Nano(min(Timestamp))) AS first_ns,
    toUInt64(toUnixTimestamp64Nano(max(Timestamp))) AS last_ns
FROM otel_traces
WHERE Timestamp >= fromUnixTimestamp64Nano(toInt64({from_ns:UInt64}))
    AND Timestamp < fromUnixTimestamp64Nano(toInt64({to_ns:UInt64}))
GROUP BY service, runtime, version, language
ORDER BY service, last_ns, runtime, version
