-- How much of the revenue of some days is in no node, without signs: a decision's refunds are taken off what it sold, and
-- then a refund too many does not hide a sale too many. ${counted} is counted_outcomes.sql.
-- Returns: size Decimal, one row.
WITH
${counted}
SELECT sum(abs(own)) AS size
FROM (SELECT sum(ifNull(amount, 0)) AS own FROM counted WHERE decisions != 1 OR node = 0 GROUP BY of)
SETTINGS join_algorithm = 'grace_hash,hash', grace_hash_join_initial_buckets = 8
