-- What an outcome is called among sealed events: by what it says to be bound by, without that by its ids. A part of
-- other statements.
-- Returns: a String of a row of otel_logs.
concat(
    'outcome:',
    if(
        LogAttributes['provenance.subject'] != '',
        LogAttributes['provenance.subject'],
        lower(hex(sipHash128(
            ${attr:outcome.id:LogAttributes}, ${attr:decision.id:LogAttributes}, ${attr:outcome.key:LogAttributes}
        )))
    )
)
