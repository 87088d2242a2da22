-- What was acknowledged but could not be used since one instant, by reason, with the last example.
-- Returns: reason_code, signal String, rows, items UInt64, last_ns UInt64, item_id, detail String; most first.
SELECT
    toString(reason_code) AS reason_code,
    toString(any(rejected.signal)) AS signal,
    count() AS rows,
    sum(item_count) AS items,
    max(received_ns) AS last_ns,
    argMax(rejected.item_id, received_ns) AS item_id,
    argMax(rejected.detail, received_ns) AS detail
FROM rejected
WHERE received_ns >= {from_ns:UInt64}
GROUP BY reason_code
ORDER BY rows DESC, reason_code
LIMIT 200
