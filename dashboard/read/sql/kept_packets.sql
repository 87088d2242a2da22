-- How likely nothing is missing of what alerts asked the packet recorders for; the worst of an alert's requests.
-- Returns: one row an alert of those given that asked; probability Float64; grounds Array(String).
SELECT
    arrayStringConcat(arrayPopBack(splitByChar('/', asked.trigger_id)), '/') AS episode_id,
    min(asked.probability) AS probability,
    argMin(asked.requests, asked.probability) AS requests,
    argMin(asked.rebuilt, asked.probability) AS rebuilt,
    argMin(asked.grounds, asked.probability) AS grounds
FROM reconstructions AS asked FINAL
WHERE asked.cause = 'alert' AND asked.from_ns >= {lookback_ns:UInt64}
GROUP BY episode_id
HAVING episode_id IN {episode_ids:Array(String)}
