// Columns as ClickHouse's format Native has them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <stdexcept>

#include <sys/mman.h>
#include <unistd.h>

#include "values.h"

namespace millworth {

struct TooLarge : std::runtime_error {
    TooLarge() : std::runtime_error("the rows of these requests take more than a block may") {}
};

// A segment of 16 MiB takes about as much. Rows repeat what their resource and scope say, so that a
// small request may ask for any amount.
constexpr std::size_t BLOCK_BYTES_MAX = std::size_t{1} << 28;

// Of a column its name, its type and what precedes its rows; and of a text its length.
constexpr std::size_t HEAD_BYTES_MAX = 128, TEXT_BYTES_MAX = 10;

// Asks for pages of 2 MiB, where the machine has them, for what is about to be filled: to have it
// zeroed 4 KiB at a time took a fifth of a block's time.
inline void use_large_pages([[maybe_unused]] const void *memory, [[maybe_unused]] std::size_t size) {
#ifdef MADV_HUGEPAGE
    if (size < std::size_t{4} << 20) return;
    static const std::uintptr_t page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const std::uintptr_t at = reinterpret_cast<std::uintptr_t>(memory);
    const std::uintptr_t begin = (at + page - 1) / page * page, end = (at + size) / page * page;
    madvise(reinterpret_cast<void *>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

template <typename T>
void reserve(std::vector<T> &rows, std::size_t count) {
    rows.reserve(count);
    use_large_pages(rows.data(), sizeof(T) * count);
}

class Buffer {
  public:
    Buffer() = default;
    // In memory that somebody else frees; what does not fit throws TooLarge.
    Buffer(void *memory, std::size_t size)
        : content(static_cast<u8 *>(memory)), held(size), is_own(false) {}
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() {
        if (is_own) std::free(content);
    }
    void reserve(std::size_t size) {
        if (size > held) hold(size);
    }
    const u8 *data() const { return content; }
    std::size_t size() const { return used; }

    u8 *room(std::size_t size) {  // of bytes that the caller fills
        if (size > held - used) grow(size);
        u8 *at = content + used;
        used += size;
        return at;
    }
    void put(const void *from, std::size_t size) {
        if (size > 0) std::memcpy(room(size), from, size);
    }
    template <typename T>
    void number(T value) {
        std::memcpy(room(sizeof value), &value, sizeof value);
    }
    void length(u64 value) {
        u8 bytes[10], *p = bytes;
        for (; value > 0x7f; value >>= 7) *p++ = static_cast<u8>(value | 0x80);
        *p++ = static_cast<u8>(value);
        put(bytes, static_cast<std::size_t>(p - bytes));
    }
    void text(Text value) {
        length(value.size());
        put(value.data(), value.size());
    }
    void hex(Bytes value) {
        static constexpr char digits[] = "0123456789abcdef";
        length(2 * value.size());
        u8 *to = room(2 * value.size());
        for (const u8 *p = value.p; p < value.e; ++p) {
            *to++ = static_cast<u8>(digits[*p >> 4]);
            *to++ = static_cast<u8>(digits[*p & 15]);
        }
    }
    void id(Bytes value) {  // one of nothing but zeros is none
        const bool is_none = std::all_of(value.p, value.e, [](u8 byte) { return byte == 0; });
        hex(is_none ? Bytes{} : value);
    }
    void all(const Buffer &other) { put(other.content, other.used); }
    void head(Text name, Text type) {
        text(name);
        text(type);
    }

  private:
    u8 *content = nullptr;
    std::size_t used = 0, held = 0;
    bool is_own = true;

    void grow(std::size_t size) {
        if (!is_own || size > BLOCK_BYTES_MAX || used > BLOCK_BYTES_MAX - size) throw TooLarge();
        hold(std::max({held + held / 2, used + size, std::size_t{256}}));
    }
    void hold(std::size_t size) {
        void *more = std::realloc(content, size);
        if (more == nullptr) throw std::bad_alloc();
        content = static_cast<u8 *>(more), held = size;
        use_large_pages(content, size);
    }
};

// LowCardinality(String): numbers of texts, and the texts once.
struct LowColumn {
    Dict dict;
    std::vector<u32> rows;

    LowColumn() { dict.id({}); }  // the first is nothing, as the store itself writes it
    void add(Text text) {  // most often that of the row before, since rows are in order
        if (rows.empty() || dict.texts[rows.back()] != text) {
            rows.push_back(dict.id(text));
        } else {
            rows.push_back(rows.back());
        }
    }
    static void prefix(Buffer &out) { out.number<u64>(1); }
    std::size_t bytes_max() const {
        std::size_t sum = HEAD_BYTES_MAX + 4 * rows.size();
        for (const Text text : dict.texts) sum += TEXT_BYTES_MAX + text.size();
        return sum;
    }
    void write(Buffer &out) const {
        if (rows.empty()) return;
        const std::size_t count = dict.texts.size();
        const u64 width = count <= 0x100 ? 0 : count <= 0x10000 ? 1 : 2;
        out.number<u64>(0x600 | width);  // a dictionary of its own, which is new
        out.number<u64>(count);
        for (const Text text : dict.texts) out.text(text);
        out.number<u64>(rows.size());
        u8 *to = out.room(rows.size() << width);
        for (const u32 row : rows) {
            std::memcpy(to, &row, std::size_t{1} << width);
            to += std::size_t{1} << width;
        }
    }
};

// The attributes of a resource or a scope: rendered once, copied for each of its spans.
struct Attributes {
    explicit Attributes(std::size_t at) : number(at) {}
    std::size_t number;  // among those of its kind
    std::vector<Text> keys;
    Buffer values;

    void add(Text key, Text value) {
        keys.push_back(key);
        values.text(value);
    }
};

// Map(LowCardinality(String), String). A name is most often that at this place of the row before.
struct MapColumn {
    std::vector<u64> ends;
    LowColumn keys;
    Buffer values;

    void begin() { at = 0; }
    void add(Text key, Text value) {
        if (at >= guesses.size()) guesses.push_back({key, keys.dict.id(key)});
        Guess &guess = guesses[at++];
        if (guess.key != key) guess = {key, keys.dict.id(key)};
        keys.rows.push_back(guess.id);
        values.text(value);
    }
    void add(const Attributes &set) {
        if (set.number >= ids.size()) ids.resize(set.number + 1);
        std::vector<u32> &known = ids[set.number];
        if (known.empty())
            for (const Text key : set.keys) known.push_back(keys.dict.id(key));
        keys.rows.insert(keys.rows.end(), known.begin(), known.end());
        values.all(set.values);
    }
    void end() { ends.push_back(keys.rows.size()); }
    std::size_t bytes_max() const {
        return 8 * ends.size() + keys.bytes_max() + values.size();
    }
    void write(Buffer &out) const {
        out.put(ends.data(), 8 * ends.size());
        keys.write(out);
        out.all(values);
    }

  private:
    struct Guess {
        Text key;
        u32 id;
    };
    std::vector<Guess> guesses;
    std::size_t at = 0;
    std::vector<std::vector<u32>> ids;  // of the names of a set, by its number
};

template <typename T>
void write_numbers(Buffer &out, Text name, Text type, const std::vector<T> &rows) {
    out.head(name, type);
    out.put(rows.data(), sizeof(T) * rows.size());
}

inline void write_texts(Buffer &out, Text name, const Buffer &rows) {
    out.head(name, "String");
    out.all(rows);
}

inline void write_low(Buffer &out, Text name, const LowColumn &rows) {
    out.head(name, "LowCardinality(String)");
    LowColumn::prefix(out);
    rows.write(out);
}

inline void write_map(Buffer &out, Text name, const MapColumn &rows) {
    out.head(name, "Map(LowCardinality(String), String)");
    LowColumn::prefix(out);
    rows.write(out);
}

}  // namespace millworth
