-- The action of a root that nobody declared: its method and route; where its name is the method alone, as Node's SDK has
-- it, its method and path without ids; else the name of the span without ids. A path that was not found is none:
-- whoever asks for all sorts of things makes no actions.
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
    replaceRegexpAll(
        cutQueryString(if(
            match(toString(SpanName), '^(HTTP )?[A-Z]+$')
                AND NOT has(['404', '405'], if(
                    SpanAttributes['http.response.status_code'] != '',
                    SpanAttributes['http.response.status_code'],
                    SpanAttributes['http.status_code']
                )),
            trimRight(concat(SpanName, ' ', if(
                SpanAttributes['url.path'] != '', SpanAttributes['url.path'], SpanAttributes['http.target']
            ))),
            toString(SpanName)
        )),
        '/[^/ ]*[0-9][^/ ]*',
        '/{id}'
    )
))
