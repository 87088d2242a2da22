-- Of the draws that decisions claim to be of, those that Millworth did not make: another arm than their unit is drawn into,
-- or another delay than that of the arm. ${is_drawn} is is_drawn.sql; what names an arm that there is not is none of them.
-- Returns: draws, undrawn UInt64; one row.
SELECT uniqExact(own) AS draws, uniqExactIf(own, NOT is_drawn) AS undrawn
FROM
(
    SELECT
        injected_delay_ns, arm, ingress_ns,
        if(unit = '', cityHash64(1, ingress_ns, decision_id), cityHash64(0, intDiv(ingress_ns, 60000000000), unit)) AS own,
${is_drawn}
    FROM decisions FINAL
    WHERE ingress_ns >= {from_ns:UInt64} AND ingress_ns < {to_ns:UInt64} AND experiment = {experiment:String}
)
WHERE at > 0 AND ingress_ns >= {begin_ns:Array(UInt64)}[at] AND ingress_ns < {end_ns:Array(UInt64)}[at]
