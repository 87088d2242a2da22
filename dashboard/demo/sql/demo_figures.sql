-- What a run of the demo stored, attributed and proved.
-- Returns: one row: decisions, attributed, exact UInt64 (sixteen parts sum to the total, and the
-- total is root end minus ingress), spans_stored, spans_quarantined, provenance_ok, provenance_bad
-- (a sender's own retry is neither), packets_linked UInt64.
SELECT
    (SELECT count() FROM decisions FINAL) AS decisions,
    (SELECT count() FROM attributions FINAL) AS attributed,
    (
        SELECT count()
        FROM
        (
            SELECT *
            FROM attributions FINAL
        ) AS a
        INNER JOIN
        (
            SELECT ingress_ns, decision_id, end_ns
            FROM decisions FINAL
        ) AS d USING (ingress_ns, decision_id)
        WHERE total_ns = end_ns - ingress_ns
            AND total_ns = ingress_network_ns + ingress_compute_ns + ingress_store_ns
            + ingress_untraced_ns + transform_network_ns + transform_compute_ns
            + transform_store_ns + transform_untraced_ns + decision_network_ns
            + decision_compute_ns + decision_store_ns + decision_untraced_ns
            + egress_network_ns + egress_compute_ns + egress_store_ns + egress_untraced_ns
    ) AS exact,
    (SELECT uniqExact(TraceId, SpanId) FROM otel_traces) AS spans_stored,
    (SELECT sum(item_count) FROM rejected WHERE signal = 'traces') AS spans_quarantined,
    (
        SELECT sum(count)
        FROM provenance_events FINAL
        WHERE verdict IN ('ok', 'reordered')
    ) AS provenance_ok,
    (
        SELECT sum(count)
        FROM provenance_events FINAL
        WHERE verdict NOT IN ('ok', 'reordered', 'replayed')
    ) AS provenance_bad,
    (
        -- One exchange is linked to the span of its client and to that of its server.
        SELECT sum(packets)
        FROM
        (
            SELECT DISTINCT flow_hash, from_ns, to_ns, packets
            FROM span_flows FINAL
        )
    ) AS packets_linked
