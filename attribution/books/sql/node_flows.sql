-- How many decisions are of each revenue node, and of which flows are those of none. Probes of the product are left out.
-- Returns: node UInt32, the first rule that they match, 0 for none; action, channel, region, route, campaign, offer_type
--   String, of flows in no node, else empty; decisions UInt64; by decisions, the most first.
SELECT
    node,
    if(node = 0, f.action, '') AS action, if(node = 0, f.channel, '') AS channel,
    if(node = 0, f.region, '') AS region, if(node = 0, f.route, '') AS route,
    if(node = 0, f.campaign, '') AS campaign, if(node = 0, f.offer_type, '') AS offer_type,
    count() AS decisions
FROM
(
    SELECT
        toString(action) AS action, toString(channel) AS channel, toString(region) AS region, toString(route) AS route,
        toString(campaign) AS campaign, toString(offer_type) AS offer_type,
        toUInt32(arrayFirstIndex((a, c, r, p, g, o) -> (a = '' OR a = action) AND (c = '' OR c = channel) AND (r = '' OR r = region)
                AND (p = '' OR p = route) AND (g = '' OR g = campaign) AND (o = '' OR o = offer_type),
            {node_action:Array(String)}, {node_channel:Array(String)}, {node_region:Array(String)},
            {node_route:Array(String)}, {node_campaign:Array(String)}, {node_offer_type:Array(String)})) AS node
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND action != {left_out:String}
) AS f
GROUP BY node, action, channel, region, route, campaign, offer_type
ORDER BY decisions DESC, node, action, channel, region, route, campaign, offer_type
