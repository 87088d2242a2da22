-- Keeps what observed.sql says.
-- Returns: nothing; fills observed_hours.
INSERT INTO observed_hours
${observed}
