-- Functions that this store has, of some names: a name in a statement may mean one.
-- Returns: name String.
SELECT name FROM system.functions WHERE lower(name) IN {names:Array(String)} ORDER BY name
