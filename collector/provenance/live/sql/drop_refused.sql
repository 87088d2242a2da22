-- Removes what was said of events while their key did not hold, once it is said anew.
-- Returns: nothing.
DELETE FROM provenance_events${local} ${on_cluster}
WHERE kid = {kid:String}
    AND verdict = 'tampered'
    AND startsWith(reason, 'key ')
    AND received_ns > {after_ns:UInt64}
    AND received_ns <= {until_ns:UInt64}
    AND revision < {revision:UInt64}
