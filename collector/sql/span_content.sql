-- All that was sent of a span, tokens apart, which a rotation of their key changes: a part of other statements.
-- Returns: 64 hex digits, which are the same of copies of which every byte is the same.
hex(SHA256(
    replaceRegexpAll(
        toString((
            Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName,
            ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes, SpanAttributes, Duration, StatusCode,
            StatusMessage, Events.Timestamp, Events.Name, Events.Attributes, Links.TraceId, Links.SpanId,
            Links.TraceState, Links.Attributes
        )),
        '(tok|key)_[0-9A-Za-z_-]+',
        ''
    )
))
