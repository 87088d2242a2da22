-- The tree of a statement from outside, which dashboard/read/adhoc/tree.py judges.
-- Returns: tree String, JSON; fails where it does not parse, or is of a kind that has no such tree.
SELECT parseQueryToJSON({sql:String}) AS tree
