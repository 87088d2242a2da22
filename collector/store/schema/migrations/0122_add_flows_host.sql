-- Why: a connection that two recorders kept is two rows, each with the figures of its own end
-- Sorted: as before
-- Read by: packet
-- Blocking: no, a column with a default is metadata.
ALTER TABLE flows${local} ${on_cluster} ADD COLUMN IF NOT EXISTS host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all'
