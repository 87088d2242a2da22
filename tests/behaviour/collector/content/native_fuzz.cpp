// Mutates requests and has all functions of the module read them, under ASan and UBSan.
// Usage: fuzz EXECUTIONS SEED CORPUS... ; a request a file. Prints what it did; a finding aborts.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>

#include "block.h"
#include "check.h"
#include "logs.h"

namespace {

using namespace millworth;

u64 state;

u64 draw(u64 below) {  // xorshift64*
    state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
    return below == 0 ? 0 : (state * 0x2545f4914f6cdd1d >> 11) % below;
}

using Body = std::vector<u8>;

constexpr u8 ODD[] = {0x00, 0x01, 0x07, 0x08, 0x0a, 0x10, 0x12,
                      0x2a, 0x32, 0x7f, 0x80, 0xc0, 0xed, 0xff};

// Puts a body into a message, that into another, and so on.
void nest(Body &body) {
    for (u64 left = draw(70); left > 0 && body.size() < 4'000; --left) {
        Body outer{static_cast<u8>(draw(2) != 0 ? 0x0a : 0x2a)};
        std::size_t length = body.size();
        for (; length > 0x7f; length >>= 7) outer.push_back(static_cast<u8>(length | 0x80));
        outer.push_back(static_cast<u8>(length));
        outer.insert(outer.end(), body.begin(), body.end());
        body.swap(outer);
    }
}

Body part_of(const Body &body, std::size_t at, std::size_t size) {
    const auto begin = body.begin() + static_cast<std::ptrdiff_t>(at);
    return {begin, begin + static_cast<std::ptrdiff_t>(std::min(size, body.size() - at))};
}

void mutate(Body &body, const std::vector<Body> &corpus) {
    const std::size_t at = draw(body.size() + 1);
    const auto begin = body.begin() + static_cast<std::ptrdiff_t>(at);
    const Body part = part_of(body, at, 1 + draw(16));
    const Body &other = corpus[draw(corpus.size())];
    const Body foreign = part_of(other, draw(other.size()), draw(64));
    switch (part.empty() ? 4 + draw(4) : draw(8)) {
        case 0: *begin = static_cast<u8>(*begin ^ 1 << draw(8)); break;
        case 1: *begin = draw(2) != 0 ? static_cast<u8>(draw(256)) : ODD[draw(sizeof ODD)]; break;
        case 2: body.erase(begin, begin + static_cast<std::ptrdiff_t>(part.size())); break;
        case 3: body.insert(begin, part.begin(), part.end()); break;
        case 4: body.insert(begin, 1 + draw(11), ODD[draw(sizeof ODD)]); break;
        case 5: body.insert(begin, foreign.begin(), foreign.end()); break;
        case 6: body.resize(at); break;
        default: nest(body);
    }
}

// Writes into memory of exactly the size that it may take, so that one byte beyond it is found.
template <typename Write>
void fill(std::size_t bytes_max, Write write) {
    const std::unique_ptr<u8[]> memory(new u8[bytes_max]);
    Buffer out(memory.get(), bytes_max);
    try {
        write(out);
    } catch (const TooLarge &) {
        std::fprintf(stderr, "more than the %zu bytes that it may take\n", bytes_max);
        std::abort();
    }
}
template <typename Rows>
void fill(const Rows &rows) {
    fill(rows.bytes_max(), [&rows](Buffer &out) { rows.write(out); });
}

}  // namespace

int main(int count, char **arguments) {
    if (count < 4) return 2;
    const u64 executions = std::strtoull(arguments[1], nullptr, 10);
    state = std::strtoull(arguments[2], nullptr, 10) * 2 + 1;
    std::vector<Body> corpus;
    for (int each = 3; each < count; ++each) {
        std::ifstream file(arguments[each], std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    Names names;
    const Text known[] = {"decision.ts.ingress", "decision.ts.transform", "url.query", "user.id"};
    const Name judged[] = {static_cast<Name>(1), static_cast<Name>(2), QUERY, STOP};
    for (std::size_t each = 0; each < std::size(known); ++each) {
        names.dict.id(known[each]);
        names.judged.push_back(judged[each]);
    }
    const Wanted wanted{{"decision.action"}, {{"shop", "", "Server"}},
                        {"latency.class", "decision.stage", "latency.blocking", "decision.id"}};
    u64 plain = 0, blocks = 0, logs = 0, large = 0;
    for (u64 done = 0; done < executions; ++done) {
        Body body = corpus[draw(corpus.size())];
        for (u64 left = 1 + draw(4); left > 0; --left) mutate(body, corpus);
        // Of exactly its size, so that one byte beyond it is found.
        const std::unique_ptr<u8[]> exact(new u8[body.size() + (body.empty() ? 1 : 0)]);
        std::copy(body.begin(), body.end(), exact.get());
        const Bytes content{exact.get(), exact.get() + body.size()};
        Found found;
        plain += Check(content, names, 0, INT64_MAX, found).run();
        try {
            Blocks made(wanted);
            made.read(content, {{0, body.size(), done}});
            if (made.unreadable.empty()) {
                ++blocks;
                fill(made.spans);
                fill(made.decisions);
                fill(made.traces);
                fill(made.spans.skeleton_bytes_max(),
                     [&](Buffer &out) { made.spans.write_skeletons(out); });
            }
            LogBlock block;
            block.read(content, {{0, body.size(), done}});
            if (block.unreadable.empty()) {
                ++logs;
                fill(block.rows);
            }
        } catch (const TooLarge &) {
            ++large;
        }
    }
    std::printf("%llu executions, %llu plain, %llu in blocks, %llu in blocks of logs, "
                "%llu too large\n",
                static_cast<unsigned long long>(executions), static_cast<unsigned long long>(plain),
                static_cast<unsigned long long>(blocks), static_cast<unsigned long long>(logs),
                static_cast<unsigned long long>(large));
    return 0;
}
