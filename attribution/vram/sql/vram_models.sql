-- Versions of the VRAM model, all or one.
-- Returns: version UInt32, computed_ns UInt64, content_hash, document String; by version.
SELECT version, computed_ns, content_hash, document
FROM vram_models
WHERE {version:UInt32} = 0 OR version = {version:UInt32}
ORDER BY version
