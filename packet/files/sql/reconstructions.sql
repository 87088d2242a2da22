-- What became of the requests to the recorder of one alert's episode, or of one request or trigger.
-- Returns: trigger_id String, cause String, host String, from_ns UInt64, requests UInt32, rebuilt UInt32,
-- packets UInt64, probability Float64, sampled_probability Float64, grounds Array(String); by time.
SELECT
    trigger_id, toString(cause), toString(host), from_ns, requests, rebuilt, packets,
    probability, sampled_probability, grounds
FROM reconstructions FINAL
WHERE trigger_id = {name:String} OR startsWith(trigger_id, concat({name:String}, '/'))
ORDER BY from_ns, trigger_id, host
