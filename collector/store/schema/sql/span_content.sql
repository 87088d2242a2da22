-- All that was sent of a span, tokens apart, which a rotation of their key changes: a part of other statements.
-- Returns: 64 hex digits, and the tokens; what is equal collector/provenance/live/copies.py says.
arrayMap(
    said -> concat(
        hex(SHA256(replaceRegexpAll(said, '(?:tok|key)_[a-z0-9]{1,12}(?:-[0-9]{1,6})?_[a-z2-7]{20}', 'token'))),
        ' ',
        arrayStringConcat(extractAll(said, '(?:tok|key)_[a-z0-9]{1,12}(?:-[0-9]{1,6})?_[a-z2-7]{20}'), ' ')
    ),
    [toString((
        Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
        ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, SpanAttributes, Duration, StatusCode,
        StatusMessage, Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, Links.SpanId,
        Links.TraceState, Links.Attributes
    ))]
)[1]
