-- Why: where the bytes of the log of spans go in: the shape of collector/otlp.proto. The column `value` of a value is
-- named as its oneof: with input_format_protobuf_oneof_presence = 1 it says which kind is there, so that 0, '' and
-- false differ from nothing
-- Sorted: stores nothing
-- Read by: otlp_traces_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otlp_traces_in ${on_cluster} (
    received_ns UInt64,
    resource_spans Array(Tuple(
        resource Tuple(
            attributes Array(Tuple(
                key String,
                value Tuple(
                    string_value String,
                    bool_value Bool,
                    int_value Int64,
                    double_value Float64,
                    array_value Tuple(values Array(Tuple(
                        string_value String,
                        bool_value Bool,
                        int_value Int64,
                        double_value Float64,
                        bytes_value String,
                        value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                            'bytes_value' = 7)
                    ))),
                    kvlist_value String,
                    bytes_value String,
                    value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                        'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)
                )
            ))
        ),
        scope_spans Array(Tuple(
            scope Tuple(
                name String,
                version String,
                attributes Array(Tuple(
                    key String,
                    value Tuple(
                        string_value String,
                        bool_value Bool,
                        int_value Int64,
                        double_value Float64,
                        array_value Tuple(values Array(Tuple(
                            string_value String,
                            bool_value Bool,
                            int_value Int64,
                            double_value Float64,
                            bytes_value String,
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                'bytes_value' = 7)
                        ))),
                        kvlist_value String,
                        bytes_value String,
                        value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                            'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)
                    )
                ))
            ),
            spans Array(Tuple(
                trace_id String,
                span_id String,
                trace_state String,
                parent_span_id String,
                name String,
                kind Int32,
                start_time_unix_nano UInt64,
                end_time_unix_nano UInt64,
                attributes Array(Tuple(
                    key String,
                    value Tuple(
                        string_value String,
                        bool_value Bool,
                        int_value Int64,
                        double_value Float64,
                        array_value Tuple(values Array(Tuple(
                            string_value String,
                            bool_value Bool,
                            int_value Int64,
                            double_value Float64,
                            bytes_value String,
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                'bytes_value' = 7)
                        ))),
                        kvlist_value String,
                        bytes_value String,
                        value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                            'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)
                    )
                )),
                events Array(Tuple(
                    time_unix_nano UInt64,
                    name String,
                    attributes Array(Tuple(
                        key String,
                        value Tuple(
                            string_value String,
                            bool_value Bool,
                            int_value Int64,
                            double_value Float64,
                            array_value Tuple(values Array(Tuple(
                                string_value String,
                                bool_value Bool,
                                int_value Int64,
                                double_value Float64,
                                bytes_value String,
                                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                    'bytes_value' = 7)
                            ))),
                            kvlist_value String,
                            bytes_value String,
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)
                        )
                    ))
                )),
                links Array(Tuple(
                    trace_id String,
                    span_id String,
                    trace_state String,
                    attributes Array(Tuple(
                        key String,
                        value Tuple(
                            string_value String,
                            bool_value Bool,
                            int_value Int64,
                            double_value Float64,
                            array_value Tuple(values Array(Tuple(
                                string_value String,
                                bool_value Bool,
                                int_value Int64,
                                double_value Float64,
                                bytes_value String,
                                value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                    'bytes_value' = 7)
                            ))),
                            kvlist_value String,
                            bytes_value String,
                            value Enum8('none' = 0, 'string_value' = 1, 'bool_value' = 2, 'int_value' = 3, 'double_value' = 4,
                                'array_value' = 5, 'kvlist_value' = 6, 'bytes_value' = 7)
                        )
                    ))
                )),
                status Tuple(message String, code Int32)
            ))
        ))
    ))
) ENGINE = Null
