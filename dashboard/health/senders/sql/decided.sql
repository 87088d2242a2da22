-- What was decided: the actions of the last day, and when the newest decision arrived, but for those of a path of ours.
-- Parameters: day_ns, hour_ns, when these began; calibration String, their action.
-- Returns: one row: actions Array(String), newest_ns UInt64 (0 where none arrived in the hour).
SELECT
    (SELECT groupUniqArray(toString(action)) FROM revenue_cells WHERE second_ns >= {day_ns:UInt64}) AS actions,
    (
        SELECT max(received_ns) FROM decisions
        WHERE received_ns >= {hour_ns:UInt64} AND action != {calibration:String}
    ) AS newest_ns
