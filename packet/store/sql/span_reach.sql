-- The time that spans cover which were received in (after_ns, until_ns], and how many are stored of
-- the late_ns before either end: whether any of them came in after it had been read.
-- Returns: one row: from_ns, to_ns UInt64 of the new spans, both 0 where there is none; of all, the
-- late_ns before after_ns included; and the counts before after_ns and before until_ns.
SELECT
    minIf(start_ns, received_ns > {after_ns:UInt64}) AS from_ns,
    maxIf(end_ns, received_ns > {after_ns:UInt64}) AS to_ns,
    min(start_ns) AS all_from_ns,
    max(end_ns) AS all_to_ns,
    countIf(received_ns > {late_from_ns:UInt64} AND received_ns <= {after_ns:UInt64}) AS before,
    countIf(received_ns > {next_late_from_ns:UInt64}) AS next_before
FROM
(
    SELECT
        received_ns,
        toUInt64(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
        start_ns + Duration AS end_ns
    FROM otel_traces
    WHERE received_ns > least({late_from_ns:UInt64}, {next_late_from_ns:UInt64})
        AND received_ns <= {until_ns:UInt64}
)
