-- The bytes of one rejected item, one row for each that differs.
-- Returns: bytes (String, hex digits, because they are no text)
SELECT DISTINCT hex(bytes) AS bytes
FROM rejected
WHERE received_ns = {received_ns:UInt64}
    AND signal = {signal:String}
    AND reason_code = {reason_code:String}
    AND item_id = {item_id:String}
ORDER BY bytes
