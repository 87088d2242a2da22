// One pass over a request of spans: whether it may go to the log as it is. A yes means that nothing
// is to be done: every field known, canonical and in order, every text UTF-8, ids, times and stamps
// good, every attribute name judged before and without a rule. A wrong no costs time.
#pragma once

#include <algorithm>
#include <iterator>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "wire.h"

namespace millworth {

// What was judged of an attribute's name; 1 to 4 are the stages that it stamps.
enum Name : u8 { PLAIN, STAMP_LAST = 4, QUERY, STOP, UNJUDGED, NO_KEY };
enum Of : u8 { OF_TEXT, OF_QUERY, OF_BYTES };  // what a doubtful text is

struct Names {  // immutable once made
    Dict dict;
    std::vector<Name> judged;
};

struct Doubt {
    u64 start, end;
    Of of;
};

constexpr std::size_t UNKNOWN_MAX = 64, DOUBTFUL_MAX = 64, DEPTH_OF_STACK = 24;
constexpr std::size_t CARD_DIGITS_MIN = 13;

struct Found {
    u64 spans = 0, first_trace = 0, doubtful_count = 0;
    std::vector<Bytes> unknown;  // names that nobody has judged
    std::vector<Doubt> doubtful;  // texts in which a pattern may be; the first of them
};

namespace schema {

enum Message : u8 { REQUEST, RESOURCE_SPANS, SCOPE_SPANS, SPAN, PAIR, ANY, RESOURCE, SCOPE, EVENT,
                    LINK, STATUS, ARRAY, PAIRS };
enum Type : u8 { UNTAKEN, UINT32, ENUM, INT64, BOOL, FIXED64, FIXED32, TEXT, BYTES, VALUE_BYTES,
                 MESSAGE };
enum Role : u8 { NONE, TRACE_ID, SPAN_ID, PARENT_ID, START, END, KEY, VALUE };
struct Field {
    Type type = UNTAKEN;
    Message child = REQUEST;
    bool is_repeated = false;
    Role role = NONE;
};
constexpr std::size_t FIELDS = 17;
constexpr Field UNKNOWN, U32{UINT32}, F64{FIXED64}, F32{FIXED32}, STR{TEXT}, RAW{BYTES};
constexpr Field one(Message child) { return {MESSAGE, child}; }
constexpr Field many(Message child) { return {MESSAGE, child, true}; }
constexpr Field value(Type type, Message child = REQUEST) { return {type, child, false, VALUE}; }
constexpr Field as(Type type, Role role) { return {type, REQUEST, false, role}; }

constexpr Field TABLE[][FIELDS] = {
    {UNKNOWN, many(RESOURCE_SPANS)},
    {UNKNOWN, one(RESOURCE), many(SCOPE_SPANS), STR},
    {UNKNOWN, one(SCOPE), many(SPAN), STR},
    {UNKNOWN, as(BYTES, TRACE_ID), as(BYTES, SPAN_ID), STR, as(BYTES, PARENT_ID), STR, {ENUM},
     as(FIXED64, START), as(FIXED64, END), many(PAIR), U32, many(EVENT), U32, many(LINK), U32,
     one(STATUS), F32},
    {UNKNOWN, as(TEXT, KEY), one(ANY)},
    {UNKNOWN, value(TEXT), value(BOOL), value(INT64), value(FIXED64), value(MESSAGE, ARRAY),
     value(MESSAGE, PAIRS), value(VALUE_BYTES)},
    {UNKNOWN, many(PAIR), U32},
    {UNKNOWN, STR, STR, many(PAIR), U32},
    {UNKNOWN, F64, STR, many(PAIR), U32},
    {UNKNOWN, RAW, RAW, STR, many(PAIR), U32, F32},
    {UNKNOWN, UNKNOWN, STR, {ENUM}},
    {UNKNOWN, many(ANY)},
    {UNKNOWN, many(PAIR)},
};
constexpr u8 WIRE[] = {8, 0, 0, 0, 0, 1, 5, 2, 2, 2, 2};

}  // namespace schema

inline bool is_utf8(Bytes text) {
    for (const u8 *p = text.p; p < text.e;) {
        const u8 first = *p++;
        if (first < 0x80) continue;
        const int more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        if (first < 0xc2 || first > 0xf4 || text.e - p < more) return false;
        // No longer than it needs to be, no half of a surrogate pair, and nothing beyond Unicode.
        const u8 least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const u8 most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (*p < least || *p > most) return false;
        for (const u8 *last = p++ + more; p < last; ++p)
            if ((*p & 0xc0) != 0x80) return false;
    }
    return true;
}

// Whether a card number may be in a text; false only where none is. As `_CARD` of
// collector/privacy/card_numbers.py: a run of digits, spaces, hyphens, and dots behind four digits.
inline bool may_hold_card(Bytes text) {
    const auto is_word = [](u8 byte) {
        return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
               (byte >= 'a' && byte <= 'z');
    };
    std::size_t digits = 0, group = 0;
    u8 first = 0, before = 0;
    bool is_grouped = false;
    for (const u8 *p = text.p; p <= text.e; ++p) {
        const u8 byte = p < text.e ? *p : 0;
        if (byte >= '0' && byte <= '9') {
            if (digits++ == 0) first = byte;
            ++group;
        } else if (digits > 0 && (byte == ' ' || byte == '-' || (byte == '.' && group == 4))) {
            is_grouped = true, group = 0;
        } else {
            const bool is_alone =
                first >= '2' && first <= '6' && !is_word(before) && !is_word(byte);
            if (digits >= CARD_DIGITS_MIN && (is_grouped || is_alone)) return true;
            digits = group = 0, is_grouped = false, before = byte;
        }
    }
    return false;
}

// One bit for each of sixteen bytes; with SSE2, which every x86-64 has, 0.3 us a span less.
class Window {
  public:
#ifdef __SSE2__
    Window(const u8 *p, std::size_t size) {
        alignas(16) u8 tail[16] = {};
        if (size < 16) std::memcpy(tail, p, size);
        bytes = size < 16 ? _mm_load_si128(reinterpret_cast<const __m128i *>(tail))
                          : _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
    }
    u32 equal(char byte) const { return mask(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(byte))); }
    u32 digits() const {
        const __m128i off = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
        return mask(_mm_cmpeq_epi8(_mm_min_epu8(off, _mm_set1_epi8(9)), off));
    }
    u32 high() const { return mask(bytes); }

  private:
    __m128i bytes;
    static u32 mask(__m128i marks) { return static_cast<u32>(_mm_movemask_epi8(marks)); }
#else
    Window(const u8 *p, std::size_t size) { std::memcpy(bytes, p, size < 16 ? size : 16); }
    u32 equal(char byte) const {
        return mask([byte](u8 each) { return each == static_cast<u8>(byte); });
    }
    u32 digits() const {
        return mask([](u8 each) { return each >= '0' && each <= '9'; });
    }
    u32 high() const {
        return mask([](u8 each) { return each >= 0x80; });
    }

  private:
    u8 bytes[16] = {};
    template <typename Is>
    u32 mask(Is is) const {
        u32 bits = 0;
        for (u32 at = 0; at < 16; ++at) bits |= static_cast<u32>(is(bytes[at])) << at;
        return bits;
    }
#endif
};

// Whether a pattern of collector/privacy/patterns.py may be in a text; `high` if it is not ASCII.
inline bool is_doubtful(Bytes text, bool &high) {
    u32 sign = 0, hash = 0, equals = 0, beyond = 0;
    std::size_t digit_count = 0;
    for (const u8 *p = text.p; p < text.e; p += 13) {  // a pattern of four lies in one window whole
        const std::size_t left = static_cast<std::size_t>(text.e - p);
        const Window window(p, left);
        const u32 digits = window.digits(), r = window.equal('r'), e = window.equal('e');
        sign |= window.equal('?') | window.equal('@') | window.equal('%');
        hash |= window.equal('#');
        equals |= window.equal('=');
        beyond |= window.high();
        // Of Bearer, Authorization, a JWT and a telephone number.
        sign |= window.equal('a') & r >> 1 & e >> 2 & r >> 3;
        sign |= window.equal('h') & window.equal('o') >> 1 & r >> 2 & window.equal('i') >> 3;
        sign |= e & window.equal('y') >> 1 & window.equal('J') >> 2;
        sign |= window.equal('+') & (digits & ~window.equal('0')) >> 1;
        const u32 own = left > 16 ? digits & 0x1fff : digits;
        digit_count += static_cast<std::size_t>(__builtin_popcount(own));
        if (left <= 16) break;
    }
    high = beyond != 0;
    if (hash != 0 && equals != 0) sign = 1;  // in a fragment a secret has a name; code has a hash
    return sign != 0 || (digit_count >= CARD_DIGITS_MIN && may_hold_card(text));
}

// The number that a text is, 0 where it is none, -1 where it is too long to say.
inline i64 decimal(Bytes text) {
    u64 number = 0;
    for (const u8 *p = text.p; p < text.e; ++p) {
        if (*p < '0' || *p > '9') return 0;
        if (p - text.p >= 19) return -1;
        number = number * 10 + (*p - '0');
    }
    return number > INT64_MAX ? -1 : static_cast<i64>(number);
}

class Check {
  public:
    Check(Bytes request, const Names &known, i64 earliest, i64 latest, Found &into)
        : body(request), names(known), earliest_ns(earliest), latest_ns(latest), found(into) {}

    // Returns whether the request is plain, but for names that are in `unknown` then.
    bool run() {
        Frame *frame = stack;
        *frame = {body.e, schema::REQUEST, 0, PLAIN, false};
        const u8 *p = body.p;
        while (true) {
            while (p == frame->end) {
                if (frame == stack) return found.spans > 0;
                if (frame->message == schema::PAIR && frame->key == NO_KEY) return false;
                if (frame->message == schema::SPAN && !end_span()) return false;
                --frame;
            }
            u64 tag = 0;
            if (!varint(p, frame->end, tag, true)) return false;
            const u64 number = tag >> 3;
            if (number == 0 || number >= schema::FIELDS) return false;
            const schema::Field &field = schema::TABLE[frame->message][number];
            if (schema::WIRE[field.type] != (tag & 7)) return false;
            if (number < frame->last || (number == frame->last && !field.is_repeated)) return false;
            // Of a value one kind alone is there in canonical form.
            frame->last = frame->message == schema::ANY ? schema::FIELDS : number;
            if ((tag & 7) != 2) {
                if (!number_of(p, *frame, field)) return false;
                continue;
            }
            u64 size = 0;
            if (!varint(p, frame->end, size, true) ||
                size > static_cast<u64>(frame->end - p))
                return false;
            const Bytes bytes{p, p + size};
            if (field.type != schema::MESSAGE) {
                if (!bytes_of(bytes, *frame, field)) return false;
                p = bytes.e;
                continue;
            }
            if (frame + 1 == stack + DEPTH_OF_STACK) return false;
            frame[1] = {bytes.e, field.child, 0, frame->key, frame->is_of_span};
            if (field.child == schema::PAIR) {
                frame[1].key = NO_KEY, frame[1].is_of_span = frame->message == schema::SPAN;
            } else if (frame->message == schema::ANY) {  // what is inside a value is no stamp
                frame[1].key = frame->key == QUERY ? QUERY : PLAIN, frame[1].is_of_span = false;
            }
            ++frame;
        }
    }

  private:
    struct Frame {
        const u8 *end;
        schema::Message message;
        u64 last;  // field that was read last
        Name key;
        bool is_of_span;
    };
    struct Guess {
        Text key;
        Name judged;
    };
    Bytes body;
    const Names &names;
    i64 earliest_ns, latest_ns;
    Found &found;
    Frame stack[DEPTH_OF_STACK];
    Guess guesses[32] = {};  // the name at each place of the span before: most often this one's
    std::size_t place = 0;
    bool has_trace = false, has_span = false;
    i64 start_ns = 0, end_ns = 0, stamps[STAMP_LAST] = {};

    bool end_span() {
        bool is_good = has_trace && has_span && earliest_ns <= start_ns && start_ns <= end_ns &&
                       end_ns <= latest_ns;
        i64 before_ns = 0;
        for (i64 &stamp : stamps) {
            if (stamp > 0) {
                is_good &= before_ns <= stamp && earliest_ns <= stamp && stamp <= latest_ns;
                before_ns = stamp;
            }
            stamp = 0;
        }
        has_trace = has_span = false, start_ns = end_ns = 0, place = 0;
        ++found.spans;
        return is_good;
    }

    static bool is_stamp(const Frame &frame) {
        return frame.is_of_span && frame.key >= 1 && frame.key <= STAMP_LAST;
    }

    bool number_of(const u8 *&p, const Frame &frame, const schema::Field &field) {
        u64 value = 0;
        if (field.type == schema::FIXED64 || field.type == schema::FIXED32) {
            const std::size_t size = field.type == schema::FIXED64 ? 8 : 4;
            if (static_cast<std::size_t>(frame.end - p) < size) return false;
            value = load(p, size);
            p += size;
        } else {
            if (!varint(p, frame.end, value, true)) return false;
            const u64 most = field.type == schema::BOOL    ? 1
                             : field.type == schema::ENUM  ? 0x7fffffff
                             : field.type == schema::INT64 ? UINT64_MAX
                                                           : 0xffffffff;
            if (value > most) return false;
        }
        if (field.role == schema::VALUE) {
            if (field.type == schema::INT64 && is_stamp(frame))
                stamps[frame.key - 1] = static_cast<i64>(value);
            return true;
        }
        if (field.role == schema::START) start_ns = static_cast<i64>(value);
        if (field.role == schema::END) end_ns = static_cast<i64>(value);
        return value != 0;  // what is nothing is not sent in canonical form
    }

    bool bytes_of(Bytes bytes, Frame &frame, const schema::Field &field) {
        switch (field.role) {
            case schema::KEY: return bytes.size() > 0 && key(bytes, frame);
            case schema::TRACE_ID:
                if (found.first_trace == 0)
                    found.first_trace = static_cast<u64>(bytes.p - body.p);
                return has_trace = bytes.size() == 16 && !is_zero(bytes);
            case schema::SPAN_ID: return has_span = bytes.size() == 8 && !is_zero(bytes);
            case schema::PARENT_ID: return bytes.size() == 8;
            case schema::VALUE: break;
            default: if (bytes.size() == 0) return false;
        }
        if (field.type == schema::BYTES) return true;
        const bool is_text = field.type == schema::TEXT;
        const bool is_query = field.role == schema::VALUE && frame.key == QUERY;
        bool is_high = false;
        const bool is_doubt = is_doubtful(bytes, is_high);
        if (is_high && is_text && !is_utf8(bytes)) return false;
        if ((is_doubt || is_query) && found.doubtful_count++ < DOUBTFUL_MAX)
            found.doubtful.push_back({static_cast<u64>(bytes.p - body.p),
                                      static_cast<u64>(bytes.e - body.p),
                                      !is_text ? OF_BYTES : is_query ? OF_QUERY : OF_TEXT});
        if (is_text && field.role == schema::VALUE && is_stamp(frame))
            return (stamps[frame.key - 1] = decimal(bytes)) >= 0;
        return true;
    }

    static bool is_zero(Bytes bytes) {
        u8 all = 0;
        for (const u8 *p = bytes.p; p < bytes.e; ++p) all |= *p;
        return all == 0;
    }

    bool key(Bytes bytes, Frame &frame) {
        const Text text = bytes.text();
        Guess own, &guess = place < std::size(guesses) ? guesses[place++] : own;
        if (guess.key.empty() || guess.key != text) {
            const u32 id = names.dict.find(text);
            const Name judged = id == Dict::NONE ? UNJUDGED : names.judged[id];
            if (judged == UNJUDGED && !note(bytes)) return false;
            guess = {text, judged == UNJUDGED ? PLAIN : judged};
        }
        frame.key = guess.judged;
        // An event may call something a stamp too, and that is none of its span's. Of one that is
        // there twice the first counts, which is gone by then.
        if (is_stamp(frame) && stamps[frame.key - 1] != 0) return false;
        return frame.key != STOP;
    }

    bool note(Bytes name) {  // once; false where there is no room for it
        for (const Bytes &known : found.unknown)
            if (known.text() == name.text()) return true;
        if (found.unknown.size() >= UNKNOWN_MAX) return false;
        found.unknown.push_back(name);
        return true;
    }
};

}  // namespace millworth
