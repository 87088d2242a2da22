-- Whether a span is the root of a trace and answers a request or processes a message. A consumer that receives waits for
-- messages, thirty seconds where none comes, and decides nothing.
-- Returns: an expression, UInt8.
ParentSpanId = ''
    AND SpanKind IN ('Server', 'Consumer')
    AND SpanAttributes['messaging.operation.type'] != 'receive'
    AND SpanAttributes['messaging.operation'] != 'receive'
