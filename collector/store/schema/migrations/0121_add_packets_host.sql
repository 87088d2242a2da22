-- Why: two recorders see a packet at two times, and those are its one-way time
-- Sorted: as before
-- Read by: packet (clock_offsets, flows)
-- Blocking: no, a column with a default is metadata.
ALTER TABLE packets${local} ${on_cluster} ADD COLUMN IF NOT EXISTS host LowCardinality(String) COMMENT 'packet.host of the recorder, empty where one sees all'
