-- Expressions that render an AnyValue as pcommon.Value.AsString does, for the views that receivers fill.
-- Returns: value_text(any) String; maps(sets) Array(Map(String, String)), of several sets of attributes at once.
-- Go's strconv as pcommon.Value.AsString calls it: 1e+21 and 1e-7, where ClickHouse writes 1e21.
number -> replaceOne(replaceOne(toString(number), 'e', 'e+'), 'e+-', 'e-') AS finite_text,
number -> multiIf(
    isFinite(number), finite_text(number),
    isNaN(number), 'json: unsupported value: NaN',
    number > 0, 'json: unsupported value: +Inf',
    'json: unsupported value: -Inf'
) AS double_text,
-- Go's encoding/json without HTML escapes; ClickHouse escapes the slash, which Go does not.
text -> replaceAll(toJSONString(text), '\\/', '/') AS slashed_text,
-- It also writes \u001F for Go's \u001f. \x01 stands for an escaped backslash meanwhile: no text
-- that is escaped has it.
text -> if(
    match(text, '[\x0B\x0E\x0F\x1A-\x1F]'),
    replaceAll(arrayFold(
        (lowered, code) -> replaceAll(lowered, concat('\\u00', code), concat('\\u00', lower(code))),
        ['0B', '0E', '0F', '1A', '1B', '1C', '1D', '1E', '1F'],
        replaceAll(slashed_text(text), '\\\\', '\x01')
    ), '\x01', '\\\\'),
    slashed_text(text)
) AS quoted_text,
item -> multiIf(
    item.value = 'string_value', quoted_text(item.string_value),
    item.value = 'int_value', toString(item.int_value),
    item.value = 'double_value', finite_text(item.double_value),
    item.value = 'bool_value', if(item.bool_value, 'true', 'false'),
    item.value = 'bytes_value' AND item.bytes_value != '', concat('"', base64Encode(item.bytes_value), '"'),
    'null'
) AS item_json,
-- An array with a number that JSON does not have is empty text in the exporter, and so here.
items -> if(
    arrayExists(item -> item.value = 'double_value' AND NOT isFinite(item.double_value), items),
    '',
    concat('[', arrayStringConcat(arrayMap(item -> item_json(item), items), ','), ']')
) AS array_json,
any -> multiIf(
    any.value = 'string_value', any.string_value,
    any.value = 'int_value', toString(any.int_value),
    any.value = 'double_value', double_text(any.double_value),
    any.value = 'bool_value', if(any.bool_value, 'true', 'false'),
    any.value = 'array_value', array_json(any.array_value.values),
    any.value = 'bytes_value', base64Encode(any.bytes_value),
    any.value = 'kvlist_value', base64Encode(any.kvlist_value),
    ''
) AS value_text,
-- Several sets of attributes at once: the expression above is planned once for all of them,
-- and planning is what a small insert costs.
sets -> arrayMap(
    pairs -> CAST((pairs.key, arrayMap(any -> value_text(any), pairs.value)), 'Map(String, String)'),
    sets
) AS maps,
