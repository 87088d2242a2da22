-- Why: a link's times are by its recorder's clock, and say nothing of what another recorder stamped
-- Sorted: as before
-- Read by: packet (export, links by sequence numbers). Rows of before have none
-- Blocking: no, a column with a default is metadata.
ALTER TABLE span_flows${local} ${on_cluster} ADD COLUMN IF NOT EXISTS host LowCardinality(String) COMMENT 'packet.host of the recorder whose packets these are, empty where one sees all'
