-- Keeps what observed.sql says.
-- Returns: nothing; fills observed_hours.
INSERT INTO observed_hours
-- A file of exported traces arrives at once, and has as many days as it has.
SETTINGS max_partitions_per_insert_block = 0
${observed}
