-- All that was sent of a log record, tokens apart, which a rotation of their key changes: a part of other statements.
-- Returns: 64 hex digits, and the tokens; what is equal collector/provenance/live/copies.py says.
arrayMap(
    said -> concat(
        hex(SHA256(replaceRegexpAll(said, '(?:tok|key)_[a-z0-9]{1,12}(?:-[0-9]{1,6})?_[a-z2-7]{20}', 'token'))),
        ' ',
        arrayStringConcat(extractAll(said, '(?:tok|key)_[a-z0-9]{1,12}(?:-[0-9]{1,6})?_[a-z2-7]{20}'), ' ')
    ),
    [toString((
        Timestamp, TraceId, SpanId, SeverityText, SeverityNumber, ServiceName, Body, ResourceAttributes,
        ScopeName, ScopeVersion, ScopeAttributes, LogAttributes, EventName
    ))]
)[1]
