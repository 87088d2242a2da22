-- A statement from outside in the engine's own spelling: no comment, no escape in a name, one statement.
-- Returns: statement String; fails where it does not parse.
SELECT formatQuery({sql:String}) AS statement
