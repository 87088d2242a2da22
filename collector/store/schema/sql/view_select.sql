-- The statement that a view runs over what is inserted.
-- Returns: as_select String; no row where there is no such view.
SELECT as_select
FROM system.tables
WHERE database = currentDatabase() AND name = {view:String}
