-- When the last data of each service arrived, of every signal. A span that ended `old_ns` or more before it came may be
-- of a file, and is no sign of a sender.
-- Returns: service String, newest_ns UInt64; only services of which something came after `after_ns`.
SELECT service, max(newest_ns) AS newest_ns
FROM
(
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_traces
    WHERE received_ns > {after_ns:UInt64}
        AND toInt64(received_ns) - toUnixTimestamp64Nano(Timestamp) - toInt64(Duration) < {old_ns:Int64}
    GROUP BY service
    UNION ALL
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_logs WHERE received_ns > {after_ns:UInt64} GROUP BY service
    UNION ALL
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_metrics_gauge WHERE received_ns > {after_ns:UInt64} GROUP BY service
    UNION ALL
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_metrics_sum WHERE received_ns > {after_ns:UInt64} GROUP BY service
    UNION ALL
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_metrics_histogram WHERE received_ns > {after_ns:UInt64} GROUP BY service
    UNION ALL
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_metrics_exp_histogram WHERE received_ns > {after_ns:UInt64} GROUP BY service
    UNION ALL
    SELECT toString(ServiceName) AS service, max(received_ns) AS newest_ns
    FROM otel_metrics_summary WHERE received_ns > {after_ns:UInt64} GROUP BY service
)
GROUP BY service
