-- What each decision of some is worth and lost: its part of the cell of its class and second, by the share
-- of its value that it lost; of a class that states values, its own. Part of statements, which put in the
-- decisions, with class (a hash of action and region) and target_ns, and the columns that are carried beside them.
-- Parameters: from_ns, to_ns, action, region; seconds_ns, instants_ns, empty for all; every, of one in so
-- many decisions, by their id; stated, and those of the slopes.
-- Returns: ingress_ns, decision_id, total_ns, is_error, target_ns, what is carried; is_valued, is_stated UInt8 (it is worth what it states), value, loss, loss_low,
-- loss_high Float64, in USD; share Float64 of its value that it lost, of an unknown value too.
    SELECT
        d.ingress_ns AS ingress_ns, d.decision_id AS decision_id, d.total_ns AS total_ns, d.is_error AS is_error,
        d.target_ns AS target_ns, ${carried},
        c.decisions > c.unvalued AND (c.basis != 'expected' OR isNotNull(f.value_usd)) AS is_valued,
        toFloat64(greatest(toInt64(d.total_ns) - toInt64(d.target_ns), 0)) AS late_ns,
        -- The first is in force since ever: where it is the only one nothing is looked up.
        if(length({slope_since_ns:Array(UInt64)}) = 1, 1,
            arrayCount(since -> since <= d.second_ns, {slope_since_ns:Array(UInt64)})) AS slope,
        if(d.is_error = 1, 1, 1 - exp(-{slope_median:Array(Float64)}[slope] * late_ns)) AS share,
        if(d.is_error = 1, 1, 1 - exp(-{slope_low:Array(Float64)}[slope] * late_ns)) AS share_low,
        if(d.is_error = 1, 1, 1 - exp(-{slope_high:Array(Float64)}[slope] * late_ns)) AS share_high,
        toFloat64(ifNull(f.value_usd, 0)) AS stated,
        c.basis = 'expected' AS is_stated,
        multiIf(NOT is_valued, 0, is_stated, stated, c.value / greatest(c.decisions, 1)) AS value,
        multiIf(NOT is_valued, 0, is_stated, share * greatest(stated, 0),
            c.lost_share > 0, c.loss * share / c.lost_share, 0) AS loss,
        multiIf(NOT is_valued, 0, is_stated, share_low * greatest(stated, 0),
            c.lost_share_low > 0, c.loss_low * share_low / c.lost_share_low, 0) AS loss_low,
        multiIf(NOT is_valued, 0, is_stated, share_high * greatest(stated, 0),
            c.lost_share_high > 0, c.loss_high * share_high / c.lost_share_high, 0) AS loss_high
    FROM
    (
        SELECT *, intDiv(ingress_ns, 1000000000) * 1000000000 AS second_ns FROM
        (
${filtered}
        )
    ) AS d
    LEFT JOIN
    (
        SELECT
            second_ns, cityHash64(action) * 3 + cityHash64(region) AS class, decisions, unvalued,
            toString(basis) AS basis, toFloat64(value_usd) AS value, toFloat64(loss_usd) AS loss,
            toFloat64(loss_low_usd) AS loss_low, toFloat64(loss_high_usd) AS loss_high,
            lost_share, lost_share_low, lost_share_high
        FROM revenue_cells FINAL
        WHERE second_ns >= intDiv({from_ns:UInt64}, 1000000000) * 1000000000 AND second_ns < {to_ns:UInt64}
            AND (empty({seconds_ns:Array(UInt64)}) OR second_ns IN {seconds_ns:Array(UInt64)})
            AND ({action:String} = '' OR action = {action:String})
            AND ({region:String} = '' OR region = {region:String})
    ) AS c ON d.second_ns = c.second_ns AND d.class = c.class
    LEFT JOIN
    (
        SELECT ingress_ns, decision_id, value_usd FROM decisions FINAL
        WHERE {stated:UInt8} = 1 AND ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64}
            AND ({every:UInt64} = 1 OR cityHash64(decision_id) % {every:UInt64} = 0)
            AND (empty({instants_ns:Array(UInt64)}) OR ingress_ns IN {instants_ns:Array(UInt64)})
    ) AS f
        -- Where nothing is stated no id is read and no million of keys is looked up.
        ON if({stated:UInt8} = 1, d.ingress_ns, 0) = f.ingress_ns
        AND if({stated:UInt8} = 1, d.decision_id, '') = f.decision_id
