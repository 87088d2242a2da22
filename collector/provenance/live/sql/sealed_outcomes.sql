-- Outcomes with the end of the form that their producers sealed; those without a seal are none of this, unless outcomes
-- have to be proven. By `mode` as in sealed_events.sql; 'copies' are all that have one of some subjects, and 'revisions'
-- all records, sealed or not, of some outcomes, and of what is bound by the subjects of these.
-- Returns: the columns of sealed_events.sql, where span_id is outcome: and the subject; then subject, outcome_id,
--   decision_id, outcome_key String, revenue, margin Nullable(Decimal), currency String. In order of arrival, then of the producer.
WITH
    LogAttributes['provenance.seq'] AS said_seq,
    if(match(said_seq, '^[0-9]{1,18}$'), toInt64OrZero(said_seq), toInt64(-1)) AS number,
    toUnixTimestamp64Nano(Timestamp) AS time_ns,
    ${outcome_name} AS named
SELECT
    received_ns,
    '' AS trace_id,
    named AS span_id,
    toUInt64(time_ns) AS ended_ns,
    LogAttributes['provenance.kid'] AS kid,
    LogAttributes['provenance.producer'] AS producer,
    LogAttributes['provenance.epoch'] AS epoch,
    number AS seq,
    LogAttributes['provenance.prev'] AS prev,
    LogAttributes['provenance.tag'] AS tag,
    concat(
        arrayStringConcat(
            arrayMap(
                text -> concat(',', toString(length(text)), ':', text),
                [
                    toString(number),
                    prev,
                    'decision.outcome',
                    toString(time_ns),
                    ${attr:outcome.kind:LogAttributes},
                    ${attr:outcome.converted:LogAttributes},
                    ${attr:outcome.revenue:LogAttributes},
                    ${attr:outcome.margin:LogAttributes},
                    ${attr:outcome.currency:LogAttributes},
                    ${attr:outcome.channel:LogAttributes},
                    LogAttributes['provenance.subject']
                ]
            )
        ),
        ','
    ) AS form,
    if({mode:String} IN ('copies', 'revisions'), ${outcome_content}, '') AS copy,
    LogAttributes['provenance.subject'] AS subject,
    ${attr:outcome.id:LogAttributes} AS outcome_id,
    ${attr:decision.id:LogAttributes} AS decision_id,
    ${attr:outcome.key:LogAttributes} AS outcome_key,
    ${amount:outcome.revenue:LogAttributes} AS revenue,
    ${amount:outcome.margin:LogAttributes} AS margin,
    ${attr:outcome.currency:LogAttributes} AS currency
FROM otel_logs
WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
    AND ({mode:String} = 'revisions' OR ${is_judged_outcome})
    AND
    (
        ({mode:String} = 'copies' AND named IN {spans:Array(String)})
        OR
        (
            {mode:String} = 'revisions'
            AND
            (
                outcome_id IN {outcome_ids:Array(String)}
                OR named IN
                (
                    SELECT ${outcome_name}
                    FROM otel_logs
                    WHERE (EventName = 'decision.outcome' OR LogAttributes['event.name'] = 'decision.outcome')
                        AND ${attr:outcome.id:LogAttributes} IN {outcome_ids:Array(String)}
                )
            )
        )
        OR
        (
            {mode:String} = 'refused'
            AND received_ns > {after_ns:UInt64}
            AND received_ns <= {until_ns:UInt64}
            AND (named, received_ns) IN
            (
                SELECT span_id, received_ns
                FROM provenance_events FINAL
                WHERE kid = {kid:String} AND verdict = 'tampered' AND startsWith(reason, 'key ')
            )
        )
        OR
        (
            {mode:String} = 'new'
            AND received_ns > {after_ns:UInt64}
            AND received_ns <= {until_ns:UInt64}
            AND (named, received_ns) NOT IN
            (
                SELECT span_id, received_ns
                FROM provenance_events
                WHERE received_ns > {after_ns:UInt64}
                    AND received_ns <= {cursor_ns:UInt64}
                    AND revision <= {cursor_ns:UInt64}
            )
        )
    )
ORDER BY received_ns, producer, epoch, seq
