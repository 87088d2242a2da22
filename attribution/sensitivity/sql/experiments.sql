-- Every experiment as it stands.
-- Returns: the columns of experiments; by registered_ns, name.
SELECT
    name, owner, purpose, arms, targets, from_ns, to_ns, budget_usd, registered_ns, registered_by,
    stopped_ns, stopped_by, stop_reason, revision
FROM experiments FINAL
ORDER BY registered_ns, name
