-- Where these chains stand, as the last pass that was remembered left them.
-- Returns: producer, epoch, state String, cursor_ns UInt64; a chain that is not known has no row.
SELECT producer, epoch, state, cursor_ns
FROM provenance_chains FINAL
WHERE (producer, epoch) IN
(
    SELECT arrayJoin(arrayZip({producers:Array(String)}, {epochs:Array(String)}))
)
