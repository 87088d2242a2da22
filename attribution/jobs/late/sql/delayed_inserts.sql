-- What collectors stored long after it was received, since an instant.
-- Returns: stored_ns UInt64, signal String, first_ns, last_ns UInt64 (received_ns of the first and the last request); by stored_ns.
SELECT stored_ns, toString(signal) AS signal, first_ns, last_ns
FROM delayed_inserts
WHERE stored_ns > {after_ns:UInt64}
ORDER BY stored_ns
