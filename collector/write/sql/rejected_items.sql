-- What was rejected, oldest first, and what became of it; items of one name are one.
-- Returns: id String (16 hex digits), received_ns UInt64, signal, reason_code, item_id, detail String,
--   rows UInt64, items UInt64, bytes UInt64, result String ("" where it was not replayed), replayed_ns UInt64,
--   replay_detail String; at most `limit` after (`after_ns`, `after_id`).
SELECT
    id,
    r.received_ns AS received_ns,
    toString(r.signal) AS signal,
    toString(r.reason_code) AS reason_code,
    r.item_id AS item_id,
    r.detail AS detail,
    r.rows AS rows,
    r.items AS items,
    r.bytes AS bytes,
    toString(p.result) AS result,
    p.replayed_ns AS replayed_ns,
    p.detail AS replay_detail
FROM
(
    SELECT
        lower(hex(sipHash64(received_ns, signal, reason_code, item_id))) AS id,
        received_ns,
        signal,
        reason_code,
        item_id,
        any(rejected.detail) AS detail,
        count() AS rows,
        sum(item_count) AS items,
        sum(length(rejected.bytes)) AS bytes
    FROM rejected
    WHERE received_ns >= {from_ns:UInt64}
        AND ({reason:String} = '' OR reason_code = {reason:String})
    GROUP BY received_ns, signal, reason_code, item_id
    HAVING (empty({ids:Array(String)}) OR has({ids:Array(String)}, id))
        AND (received_ns, id) > ({after_ns:UInt64}, {after_id:String})
    ORDER BY received_ns, id
    LIMIT {limit:UInt32}
) AS r
LEFT JOIN
(
    SELECT received_ns, signal, reason_code, item_id, result, replayed_ns, detail
    FROM rejected_replays FINAL
    WHERE received_ns >= {from_ns:UInt64}
) AS p USING (received_ns, signal, reason_code, item_id)
ORDER BY received_ns, id
