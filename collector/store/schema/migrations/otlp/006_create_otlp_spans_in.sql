-- Why: where the bytes of spans go in whose attribute values are all scalars: the shape of collector/otlp_spans.proto.
-- A value is the bytes of its AnyValue, so an attribute is one column, where otlp_traces_in has twelve (parse 1.2 against
-- 2.1 us a span)
-- Sorted: stores nothing
-- Read by: otlp_spans_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otlp_spans_in ${on_cluster} (
    received_ns UInt64,
    resource_spans Array(Tuple(
        resource Tuple(attributes Map(LowCardinality(String), String)),
        scope_spans Array(Tuple(
            scope Tuple(name String, version String, attributes Map(LowCardinality(String), String)),
            spans Array(Tuple(
                trace_id String,
                span_id String,
                trace_state String,
                parent_span_id String,
                name String,
                kind Int32,
                start_time_unix_nano UInt64,
                end_time_unix_nano UInt64,
                attributes Map(LowCardinality(String), String),
                events Array(Tuple(
                    time_unix_nano UInt64,
                    name String,
                    attributes Map(LowCardinality(String), String)
                )),
                links Array(Tuple(
                    trace_id String,
                    span_id String,
                    trace_state String,
                    attributes Map(LowCardinality(String), String)
                )),
                status Tuple(message String, code Int32)
            ))
        ))
    ))
) ENGINE = Null
