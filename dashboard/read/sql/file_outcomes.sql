-- How many outcomes say that they came from files, each as often as it came.
-- Returns: one row: outcomes UInt64.
SELECT count() AS outcomes FROM outcomes WHERE source != 'otlp'
