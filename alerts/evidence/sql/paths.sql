-- The critical paths of decisions, by when they began and their ids: of so many that they have spans_max spans at most.
-- Returns: decision_id String, bounds_ns Array(UInt64) (where stages begin, and the last ends), root_ns, base_ns UInt64, and by span
--   parents Array(UInt32) (from 0), services, names Array(String), traits Array(UInt8), sections Array(Array(Tuple(Int64,
--   Int64))), span_ids Array(UInt64); none of a decision whose spans are not kept. Names are cut where nobody reads on.
SELECT decision_id, bounds_ns, root_ns, base_ns, parents, services, names, traits, sections, span_ids
FROM
(
    SELECT
        decision_id,
        [ingress_ns, transform_ns, decision_ns, egress_ns, end_ns] AS bounds_ns,
        base_ns + offset_ns[1] AS root_ns,
        base_ns,
        parent AS parents,
        arrayMap(each -> substringUTF8(toString(each), 1, 100), service_name) AS services,
        arrayMap(each -> substringUTF8(toString(each), 1, 200), span_name) AS names,
        traits,
        sections,
        span_id AS span_ids,
        sum(length(span_id)) OVER (ORDER BY cityHash64(decision_id), decision_id) AS spans
    FROM path_columns FINAL
    WHERE ingress_ns IN {ingress_ns:Array(UInt64)} AND decision_id IN {decision_ids:Array(String)}
)
WHERE spans <= {spans_max:UInt32}
