-- When events arrived of which a key said nothing good, as it was then.
-- Returns: first_ns, last_ns UInt64; 0 where there are none.
SELECT min(received_ns) AS first_ns, max(received_ns) AS last_ns
FROM provenance_events FINAL
WHERE kid = {kid:String} AND verdict = 'tampered' AND startsWith(reason, 'key ')
