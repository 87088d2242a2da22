// Protobuf out of bytes that anybody may have sent: every read is checked against their end, and
// nothing is allocated by a number that was only read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire and the blocks are little-endian, and copied as they are"
#endif

namespace millworth {

using u8 = std::uint8_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;
using Text = std::string_view;

struct Bytes {
    const u8 *p = nullptr, *e = nullptr;
    std::size_t size() const { return static_cast<std::size_t>(e - p); }
    Text text() const { return {reinterpret_cast<const char *>(p), size()}; }
};

inline u64 load(const u8 *p, std::size_t size) {  // little-endian, as the wire and the machines
    u64 value = 0;
    if (size > 0) std::memcpy(&value, p, size);
    return value;
}

// Reads a number and moves on; false where it is cut off, or over 64 bits. In canonical form it is
// no longer than it needs to be.
inline bool varint(const u8 *&p, const u8 *e, u64 &value, bool canonical = false) {
    if (p < e && *p < 0x80) return value = *p++, true;
    value = 0;
    for (unsigned shift = 0; shift < 64 && p < e; shift += 7) {
        const u8 byte = *p++;
        value |= static_cast<u64>(byte & 0x7f) << shift;
        if (byte < 0x80) return (shift < 63 || byte < 2) && !(canonical && shift > 0 && byte == 0);
    }
    return false;
}

// The fields of one message in the order of their bytes. Groups are not read: OTLP has none.
struct Fields {
    const u8 *p, *e;
    u64 number = 0, wire = 0, value = 0;
    Bytes bytes;
    bool good = true;  // false after `next` has met what cannot be read

    explicit Fields(Bytes message) : p(message.p), e(message.e) {}
    bool is(u64 field, u64 kind) const { return number == field && wire == kind; }
    bool next() {
        if (p == e) return false;
        u64 tag = 0;
        if (!varint(p, e, tag) || tag < 8 || tag > 0xffffffff) return good = false;
        number = tag >> 3, wire = tag & 7;
        if (wire == 0) return good = varint(p, e, value);
        if (wire == 1) return good = fixed(8);
        if (wire == 5) return good = fixed(4);
        good = wire == 2 && varint(p, e, value) && value <= static_cast<u64>(e - p);
        if (!good) return false;
        bytes = {p, p + value};
        p += value;
        return true;
    }

  private:
    bool fixed(std::size_t size) {
        if (static_cast<std::size_t>(e - p) < size) return false;
        value = load(p, size);
        p += size;
        return true;
    }
};

// Texts by number, in the order in which they came first. The seed is of this process, so that
// nobody can send texts that all fall into one place; no number depends on it.
struct Dict {
    static inline u64 seed = 0x9e3779b97f4a7c15;  // mixed with one of the process
    static constexpr u32 NONE = 0xffffffff;
    std::vector<Text> texts;

    u32 find(Text text) const {
        if (slots.empty()) return NONE;
        const u32 at = slots[place(text, hash(text))];
        return at == 0 ? NONE : at - 1;
    }
    u32 id(Text text) {  // whoever owns its bytes has to keep them
        if ((texts.size() + 1) * 2 > slots.size()) grow();
        const u64 mixed = hash(text);
        u32 &slot = slots[place(text, mixed)];
        if (slot == 0) {
            texts.push_back(text);
            hashes.push_back(mixed);
            slot = static_cast<u32>(texts.size());
        }
        return slot - 1;
    }

  private:
    std::vector<u32> slots;  // a number and one; 0 where there is none
    std::vector<u64> hashes;

    static u64 mix(u64 a, u64 b) {
        __extension__ const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
        return static_cast<u64>(product) ^ static_cast<u64>(product >> 64);
    }
    static u64 hash(Text text) {
        const u8 *p = reinterpret_cast<const u8 *>(text.data());
        std::size_t left = text.size();
        u64 mixed = seed ^ (left * 0xa0761d6478bd642f);
        for (; left >= 8; p += 8, left -= 8) mixed = mix(mixed ^ load(p, 8), 0xe7037ed1a0b428db);
        return mix(mixed ^ load(p, left), 0x8ebc6af09c88c6e3 ^ seed);
    }
    std::size_t place(Text text, u64 mixed) const {
        std::size_t at = mixed & (slots.size() - 1);
        while (slots[at] != 0 &&
               (hashes[slots[at] - 1] != mixed || texts[slots[at] - 1] != text))
            at = (at + 1) & (slots.size() - 1);
        return at;
    }
    void grow() {
        slots.assign(slots.empty() ? 16 : slots.size() * 2, 0);
        for (u32 each = 0; each < texts.size(); ++each) {
            std::size_t at = hashes[each] & (slots.size() - 1);
            while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
            slots[at] = each + 1;
        }
    }
};

}  // namespace millworth
