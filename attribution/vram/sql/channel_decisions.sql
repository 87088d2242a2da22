-- On which days the channels decided. The product's own probes are left out.
-- Returns: channel String, days_ns Array(UInt64), ascending; by channel.
SELECT
    toString(channel) AS channel,
    arraySort(groupUniqArray(intDiv(ingress_ns, 86400000000000) * 86400000000000)) AS days_ns
FROM attributions FINAL
WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND action != {left_out:String}
GROUP BY channel
ORDER BY channel
