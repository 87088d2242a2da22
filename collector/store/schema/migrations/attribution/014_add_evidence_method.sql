-- Why: says by what a span was split: packets, or what the kernel of the caller knew of its connection, which is weaker
-- Sorted: as before
-- Read by: dashboard. With FINAL
-- Blocking: no, the metadata alone
ALTER TABLE path_evidence${local} ${on_cluster}
    ADD COLUMN IF NOT EXISTS method LowCardinality(String) DEFAULT 'packets'
    COMMENT 'packets, or tcp_info: never more than the least that it can mean'
