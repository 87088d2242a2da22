-- About how many decisions of a range are attributed, whatever a filter holds of them; those written again count twice.
-- Returns: decisions UInt64; one row.
SELECT count() AS decisions FROM attributions WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
