-- Chains with a hole that is not written as missing yet: they are judged again though nothing arrives.
-- Returns: producer, epoch, state String.
SELECT producer, epoch, state
FROM provenance_chains FINAL
WHERE producer != '' AND position(state, '"is_told":false') > 0
