-- Outcomes as their producers sealed them, in order of arrival: those that came in after an instant, or all that have one
-- of some subjects.
-- Returns: received_ns UInt64; then, all String, the signed fields, the ids that they are bound to, and the seal under
--   their own names, and copy: of those of subjects, what outcome_content.sql says. A page of about `limit` rows, whole
--   instants of arrival only.
SELECT
    received_ns,
    toString(toUnixTimestamp64Nano(Timestamp)) AS time_ns,
    ${attr:outcome.kind:LogAttributes} AS `outcome.kind`,
    ${attr:outcome.converted:LogAttributes} AS `outcome.converted`,
    ${attr:outcome.revenue:LogAttributes} AS `outcome.revenue`,
    ${attr:outcome.margin:LogAttributes} AS `outcome.margin`,
    ${attr:outcome.currency:LogAttributes} AS `outcome.currency`,
    ${attr:outcome.channel:LogAttributes} AS `outcome.channel`,
    LogAttributes['provenance.subject'] AS `provenance.subject`,
    ${attr:outcome.id:LogAttributes} AS `outcome.id`,
    ${attr:decision.id:LogAttributes} AS `decision.id`,
    ${attr:outcome.key:LogAttributes} AS `outcome.key`,
    LogAttributes['provenance.kid'] AS `provenance.kid`,
    LogAttributes['provenance.producer'] AS `provenance.producer`,
    LogAttributes['provenance.epoch'] AS `provenance.epoch`,
    LogAttributes['provenance.seq'] AS `provenance.seq`,
    LogAttributes['provenance.prev'] AS `provenance.prev`,
    LogAttributes['provenance.tag'] AS `provenance.tag`,
    if(notEmpty({subjects:Array(String)}), ${outcome_content}, '') AS copy
FROM otel_logs
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND LogAttributes['provenance.tag'] != ''
    AND
    (
        LogAttributes['provenance.subject'] IN {subjects:Array(String)}
        OR (empty({subjects:Array(String)}) AND received_ns > {after_ns:UInt64})
    )
ORDER BY received_ns
LIMIT {limit:UInt32} WITH TIES
