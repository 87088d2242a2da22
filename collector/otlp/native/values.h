// Attribute values as text, as collector/otlp/values.py and the view of the store render them:
// pcommon.Value.AsString of the OpenTelemetry collector.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>

#include "wire.h"

namespace millworth {

enum Kind : u64 { NOTHING, STRING, BOOL, INT, DOUBLE, ARRAY, PAIRS, BYTES };

struct Value {
    u64 kind = NOTHING, number = 0;
    Bytes bytes;
};

// An attribute; both are read before either is used, since fields may come in any order.
struct Pair {
    Bytes key, any;
};

// Values nest as deep as upb reads: a hundred messages, of which each level takes two.
constexpr int DEPTH_MAX = 50;

// Reads the one value there is; of two the last counts, or both as one, and upb says which.
inline bool read(Bytes any, Value &value) {
    static constexpr u64 wires[] = {8, 2, 0, 0, 1, 2, 2, 2};
    Fields field(any);
    while (field.next()) {
        if (field.number > BYTES || field.wire != wires[field.number]) continue;
        if (value.kind != NOTHING) return false;
        value = {field.number, field.value, field.bytes};
    }
    return field.good;
}

inline bool read(Bytes message, Pair &pair) {
    Fields field(message);
    bool has_value = false;
    while (field.next()) {
        if (field.is(1, 2)) pair.key = field.bytes;
        if (!field.is(2, 2)) continue;
        if (has_value) return false;
        pair.any = field.bytes, has_value = true;
    }
    return field.good;
}

inline void append_int(std::string &out, i64 number) {
    char text[24];
    out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

inline double as_double(u64 bits) {
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    return number;
}

// As Go writes a number in JSON: 0.000001, 1e-7, 100, 1e+21.
inline void append_double(std::string &out, double number) {
    char text[40];
    constexpr auto form = std::chars_format::scientific;
    const char *end = std::to_chars(text, text + sizeof text, std::fabs(number), form).ptr;
    const char *e = std::find(static_cast<const char *>(text), end, 'e');
    std::string digits(text, 1);
    if (e - text > 2) digits.append(static_cast<const char *>(text) + 2, e);
    int exponent = 0;
    std::from_chars(e + 2, end, exponent);
    if (e[1] == '-') exponent = -exponent;
    if (std::signbit(number)) out += '-';
    if (exponent < -6 || exponent > 20) {
        out += digits[0];
        if (digits.size() > 1) (out += '.').append(digits, 1);
        out += exponent < 0 ? "e" : "e+";
        append_int(out, exponent);
    } else if (exponent < 0) {
        out.append("0.").append(static_cast<std::size_t>(-exponent - 1), '0').append(digits);
    } else {
        const std::size_t whole = static_cast<std::size_t>(exponent) + 1;
        if (digits.size() <= whole) {
            out.append(digits).append(whole - digits.size(), '0');
        } else {
            out.append(digits, 0, whole).append(".").append(digits, whole);
        }
    }
}

inline void append_base64(std::string &out, Bytes bytes) {
    static constexpr char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (const u8 *p = bytes.p; p < bytes.e; p += 3) {
        const std::ptrdiff_t left = bytes.e - p;
        const unsigned three =
            p[0] << 16 | (left > 1 ? p[1] << 8 : 0) | (left > 2 ? p[2] : 0);
        out += digits[three >> 18];
        out += digits[three >> 12 & 63];
        out += left > 1 ? digits[three >> 6 & 63] : '=';
        out += left > 2 ? digits[three & 63] : '=';
    }
}

// As Go's encoding/json without escapes for HTML.
inline void append_quoted(std::string &out, Text text) {
    static constexpr char hex[] = "0123456789abcdef";
    static constexpr Text escaped = "\"\\\n\r\t\b\f", letters = "\"\\nrtbf";
    out += '"';
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char byte = text[at];
        if (const std::size_t known = escaped.find(byte); known != Text::npos) {
            (out += '\\') += letters[known];
        } else if (static_cast<u8>(byte) < 0x20) {
            out.append("\\u00");
            out += hex[static_cast<u8>(byte) >> 4];
            out += hex[byte & 15];
        } else if (text.substr(at, 3) == "\xe2\x80\xa8" || text.substr(at, 3) == "\xe2\x80\xa9") {
            out.append(text[at + 2] == '\xa8' ? "\\u2028" : "\\u2029");
            at += 2;
        } else {
            out += byte;
        }
    }
    out += '"';
}

enum class Json { GOOD, NO_NUMBER, UNREADABLE };  // an infinity or NaN is no number of JSON

inline Json append_json(std::string &out, Bytes any, int depth);

inline Json append_array(std::string &out, Bytes message, int depth) {
    Fields field(message);
    bool is_first = true;
    out += '[';
    while (field.next()) {
        if (!field.is(1, 2)) continue;
        if (!is_first) out += ',';
        is_first = false;
        if (const Json said = append_json(out, field.bytes, depth); said != Json::GOOD) return said;
    }
    out += ']';
    return field.good ? Json::GOOD : Json::UNREADABLE;
}

// Sorted by the bytes of the names; of a name that is there twice the last one counts.
inline Json append_pairs(std::string &out, Bytes message, int depth) {
    std::vector<Pair> pairs;
    Fields field(message);
    while (field.next()) {
        if (field.is(1, 2) && !read(field.bytes, pairs.emplace_back())) return Json::UNREADABLE;
    }
    if (!field.good) return Json::UNREADABLE;
    std::stable_sort(pairs.begin(), pairs.end(), [](const Pair &one, const Pair &other) {
        return one.key.text() < other.key.text();
    });
    bool is_first = true;
    out += '{';
    for (std::size_t at = 0; at < pairs.size(); ++at) {
        if (at + 1 < pairs.size() && pairs[at].key.text() == pairs[at + 1].key.text()) continue;
        if (!is_first) out += ',';
        is_first = false;
        append_quoted(out, pairs[at].key.text());
        out += ':';
        if (const Json said = append_json(out, pairs[at].any, depth); said != Json::GOOD)
            return said;
    }
    out += '}';
    return Json::GOOD;
}

inline Json append_json(std::string &out, Bytes any, int depth) {
    Value value;
    if (depth > DEPTH_MAX || !read(any, value)) return Json::UNREADABLE;
    switch (value.kind) {
        case STRING: append_quoted(out, value.bytes.text()); break;
        case BOOL: out.append(value.number ? "true" : "false"); break;
        case INT: append_int(out, static_cast<i64>(value.number)); break;
        case DOUBLE:
            if (!std::isfinite(as_double(value.number))) return Json::NO_NUMBER;
            append_double(out, as_double(value.number));
            break;
        case ARRAY: return append_array(out, value.bytes, depth + 1);
        case PAIRS: return append_pairs(out, value.bytes, depth + 1);
        case BYTES:
            if (value.bytes.size() > 0) {
                out += '"';
                append_base64(out, value.bytes);
                out += '"';
                break;
            }
            [[fallthrough]];  // Go marshals a nil slice as null
        default: out.append("null");
    }
    return Json::GOOD;
}

// Returns in `text` what is stored of a value, which may lie in `own`; false if it is unreadable.
inline bool value_text(Bytes any, std::string &own, Text &text) {
    Value value;
    if (!read(any, value)) return false;
    own.clear();
    Json said = Json::GOOD;
    switch (value.kind) {
        case STRING: text = value.bytes.text(); return true;
        case BOOL: own = value.number ? "true" : "false"; break;
        case INT: append_int(own, static_cast<i64>(value.number)); break;
        case DOUBLE: {
            const double number = as_double(value.number);
            if (std::isfinite(number)) {
                append_double(own, number);
            } else {
                own = "json: unsupported value: ";
                own += std::isnan(number) ? "NaN" : number > 0 ? "+Inf" : "-Inf";
            }
            break;
        }
        case ARRAY: said = append_array(own, value.bytes, 1); break;
        case PAIRS: said = append_pairs(own, value.bytes, 1); break;
        case BYTES: append_base64(own, value.bytes); break;
        default: break;
    }
    if (said == Json::NO_NUMBER) own.clear();  // the exporter drops what Go cannot marshal
    text = own;
    return said != Json::UNREADABLE;
}

}  // namespace millworth
