-- The action of a root that nobody declared: its method and route, or the name of the span without ids.
-- Returns: an expression, String.
concat('auto ', if(
    SpanAttributes['http.route'] != '',
    trimLeft(concat(
        if(
            SpanAttributes['http.request.method'] != '',
            SpanAttributes['http.request.method'],
            SpanAttributes['http.method']
        ),
        ' ',
        SpanAttributes['http.route']
    )),
    replaceRegexpAll(cutQueryString(toString(SpanName)), '/[^/ ]*[0-9][^/ ]*', '/{id}')
))
