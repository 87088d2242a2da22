-- Why: where the bytes of the log of metrics go in: the shape of collector/otlp_metrics.proto, as otlp_traces_in. The
-- column `data` of a metric is named as its oneof and says of which kind it is, so the points of one kind only are there
-- Sorted: stores nothing
-- Read by: otlp_metrics_mv
-- Blocking: no, a new table.
CREATE TABLE IF NOT EXISTS otlp_metrics_in ${on_cluster} (
    received_ns UInt64,
    resource_metrics Array(Tuple(
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
        scope_metrics Array(Tuple(
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
                )),
                dropped_attributes_count UInt32
            ),
            metrics Array(Tuple(
                name String,
                description String,
                unit String,
                gauge Tuple(
                    data_points Array(Tuple(
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
                        start_time_unix_nano UInt64,
                        time_unix_nano UInt64,
                        exemplars Array(Tuple(
                            filtered_attributes Array(Tuple(
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
                            time_unix_nano UInt64,
                            span_id String,
                            trace_id String,
                            as_double Float64,
                            as_int Int64,
                            value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6)
                        )),
                        flags UInt32,
                        as_double Float64,
                        as_int Int64,
                        value Enum8('none' = 0, 'as_double' = 4, 'as_int' = 6)
                    ))
                ),
                sum Tuple(
                    data_points Array(Tuple(
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
                        start_time_unix_nano UInt64,
                        time_unix_nano UInt64,
                        exemplars Array(Tuple(
                            filtered_attributes Array(Tuple(
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
                            time_unix_nano UInt64,
                            span_id String,
                            trace_id String,
                            as_double Float64,
                            as_int Int64,
                            value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6)
                        )),
                        flags UInt32,
                        as_double Float64,
                        as_int Int64,
                        value Enum8('none' = 0, 'as_double' = 4, 'as_int' = 6)
                    )),
                    aggregation_temporality Int32,
                    is_monotonic Bool
                ),
                histogram Tuple(
                    data_points Array(Tuple(
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
                        start_time_unix_nano UInt64,
                        time_unix_nano UInt64,
                        count UInt64,
                        sum Float64,
                        bucket_counts Array(UInt64),
                        explicit_bounds Array(Float64),
                        exemplars Array(Tuple(
                            filtered_attributes Array(Tuple(
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
                            time_unix_nano UInt64,
                            span_id String,
                            trace_id String,
                            as_double Float64,
                            as_int Int64,
                            value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6)
                        )),
                        flags UInt32,
                        min Float64,
                        max Float64
                    )),
                    aggregation_temporality Int32
                ),
                exponential_histogram Tuple(
                    data_points Array(Tuple(
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
                        start_time_unix_nano UInt64,
                        time_unix_nano UInt64,
                        count UInt64,
                        sum Float64,
                        scale Int32,
                        zero_count UInt64,
                        positive Tuple(offset Int32, bucket_counts Array(UInt64)),
                        negative Tuple(offset Int32, bucket_counts Array(UInt64)),
                        exemplars Array(Tuple(
                            filtered_attributes Array(Tuple(
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
                            time_unix_nano UInt64,
                            span_id String,
                            trace_id String,
                            as_double Float64,
                            as_int Int64,
                            value Enum8('none' = 0, 'as_double' = 3, 'as_int' = 6)
                        )),
                        flags UInt32,
                        min Float64,
                        max Float64
                    )),
                    aggregation_temporality Int32
                ),
                summary Tuple(
                    data_points Array(Tuple(
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
                        start_time_unix_nano UInt64,
                        time_unix_nano UInt64,
                        count UInt64,
                        sum Float64,
                        quantile_values Array(Tuple(quantile Float64, value Float64)),
                        flags UInt32
                    ))
                ),
                data Enum8('none' = 0, 'gauge' = 5, 'sum' = 7, 'histogram' = 9, 'exponential_histogram' = 10, 'summary' = 11)
            )),
            schema_url String
        )),
        schema_url String
    ))
) ENGINE = Null
