-- Why: where the bytes of the log of log records go in: the shape of collector/otlp.proto, as otlp_traces_in
-- Sorted: stores nothing
-- Read by: otlp_logs_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otlp_logs_in ${on_cluster} (
    received_ns UInt64,
    resource_logs Array(Tuple(
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
        scope_logs Array(Tuple(
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
            log_records Array(Tuple(
                time_unix_nano UInt64,
                observed_time_unix_nano UInt64,
                severity_number Int32,
                severity_text String,
                event_name String,
                body Tuple(
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
                ),
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
                flags UInt32,
                trace_id String,
                span_id String
            )),
            schema_url String
        )),
        schema_url String
    ))
) ENGINE = Null
