// What attribution reads of a span, and nothing else: rows of otel_span_skeletons in the order of
// that table. The view of the same name says each value in SQL.
#pragma once

#include <array>

#include "columns.h"

namespace millworth {

// A customer's own names of the attributes that have one.
struct OwnNames {
    Text latency_class, stage, blocking, id;
};

inline std::int8_t code_of(Text text, std::initializer_list<Text> known) {
    std::int8_t code = 0;
    for (const Text each : known) {
        if (text == each) return code;
        ++code;
    }
    return -1;
}

inline u64 id_number(Bytes id) {  // big-endian, of the last eight bytes
    u64 number = 0;
    for (const u8 *p = id.e - id.p > 8 ? id.e - 8 : id.p; p < id.e; ++p) number = number << 8 | *p;
    return number;
}

// Of a resource: the machine, and how wrong its clock may be.
struct Machine {
    static constexpr std::array<Text, 4> NAMES = {"host.id", "host.ip", "host.name",
                                                  "service.instance.id"};
    std::array<std::string, 4> names;
    std::array<bool, 4> is_known = {};
    i64 clock_error_ns = -1;
    bool has_clock = false;

    void add(Text key, Text value) {  // of two of one name a map gives the first
        for (std::size_t at = 0; at < NAMES.size(); ++at)
            if (key == NAMES[at] && !is_known[at]) names[at] = value, is_known[at] = true;
        if (key != "clock.error_ns" || has_clock) return;
        has_clock = true;
        const bool is_number = !value.empty() && value.size() <= 18 &&
                               std::all_of(value.begin(), value.end(),
                                           [](char c) { return c >= '0' && c <= '9'; });
        if (is_number) std::from_chars(value.data(), value.data() + value.size(), clock_error_ns);
    }
    Text host() const {
        for (const std::string &name : names)
            if (!name.empty()) return name;
        return {};
    }
};

class Skeletons {
  public:
    explicit Skeletons(const OwnNames &own)
        : names{"latency.class", own.latency_class, "decision.stage", own.stage,
                "latency.blocking", own.blocking, "decision.id", own.id, "db.system.name",
                "db.system", "rpc.service", "messaging.operation.type", "messaging.operation"} {}

    void reserve(std::size_t count) { millworth::reserve(rows, count); }
    void begin() { is_said = 0; }

    // An attribute of the span at hand; `id` is the number of its name in the block.
    void attribute(u32 id, Text key, Text value) {
        while (id >= meanings.size()) meanings.push_back(UNSEEN);
        u32 &meaning = meanings[id];
        if (meaning == UNSEEN) {
            meaning = 0;
            for (u32 at = 0; at < names.size(); ++at) meaning |= u32{key == names[at]} << at;
        }
        if (meaning == 0) return;
        for (u32 at = 0; at < names.size(); ++at)
            if (meaning & ~is_said & u32{1} << at) said[at] = value, is_said |= u32{1} << at;
    }

    void link(Bytes trace_id, Bytes span_id) {
        link_traces.push_back(trace_id);
        link_spans.push_back(id_number(span_id));
    }

    void add(Bytes trace_id, Bytes span_id, Bytes parent_id, i64 start_ns, u64 duration_ns,
             std::int8_t kind, const Machine &machine, u64 received_ns) {
        Row row;
        row.trace_id = trace_id, row.received_ns = received_ns;
        row.span_id = id_number(span_id), row.parent_id = id_number(parent_id);
        row.start_ns = start_ns;
        row.end_ns = static_cast<i64>(static_cast<u64>(start_ns) + duration_ns);
        row.clock_error_ns = machine.clock_error_ns;
        row.kind = kind;
        row.latency_class = code_of(either(0), {"network", "compute", "store"});
        row.stage = code_of(either(2), {"ingress", "transform", "decision", "egress"});
        row.blocking = code_of(either(4), {"false", "true"});
        row.is_store = !text(8).empty() || !text(9).empty() || text(10) == "S3" ||
                       text(10) == "DynamoDB";
        row.is_receive = text(11) == "receive" || text(12) == "receive";
        row.id_begin = decision_ids.size();
        decision_ids.text(either(6));
        row.links_end = link_traces.size();
        row.is_tied = !either(6).empty() ||
                      row.links_end > (rows.empty() ? 0 : rows.back().links_end);
        hosts.add(machine.host());
        rows.push_back(row);
    }

    // `services` and `span_names` are columns of the same rows, in the same order.
    std::size_t bytes_max(const LowColumn &services, const LowColumn &span_names) const;
    void write(const LowColumn &services, const LowColumn &span_names, Buffer &out) const;

  private:
    static constexpr u32 UNSEEN = 0xffffffff;
    static constexpr std::size_t COUNT = 13;
    struct Row {
        Bytes trace_id;
        u64 received_ns, span_id, parent_id;
        i64 start_ns, end_ns, clock_error_ns;
        std::int8_t kind, latency_class, stage, blocking;
        bool is_store, is_receive, is_tied;
        std::size_t id_begin, links_end;
    };
    std::array<Text, COUNT> names;
    std::vector<u32> meanings;  // by number of a name: a bit for each of `names` that it is
    std::array<std::string, COUNT> said;  // of the span at hand, the first under each name
    u32 is_said = 0;
    std::vector<Row> rows;
    std::vector<Bytes> link_traces;
    std::vector<u64> link_spans;
    Buffer decision_ids;
    LowColumn hosts;

    Text text(std::size_t at) const { return is_said >> at & 1 ? Text(said[at]) : Text(); }
    Text either(std::size_t at) const { return text(at).empty() ? text(at + 1) : text(at); }
    std::vector<u32> order() const;
};

// Whether it is tied, second of arrival, then trace, as the table is sorted.
inline std::vector<u32> Skeletons::order() const {
    struct Key {
        u64 second, head;  // the first bit of the first is whether it is tied
        u32 row;
    };
    std::vector<Key> keys;
    keys.reserve(rows.size());
    for (u32 row = 0; row < rows.size(); ++row) {
        u64 head = 0;
        const Bytes id = rows[row].trace_id;
        for (std::size_t at = 0; at < 8; ++at)
            head = head << 8 | (at < id.size() ? id.p[at] : u64{0});
        const u64 tied = u64{rows[row].is_tied} << 63;
        keys.push_back({tied | rows[row].received_ns / 1000000000, head, row});
    }
    std::sort(keys.begin(), keys.end(), [this](const Key &one, const Key &other) {
        if (one.second != other.second) return one.second < other.second;
        if (one.head != other.head) return one.head < other.head;
        const Text ours = rows[one.row].trace_id.text(), theirs = rows[other.row].trace_id.text();
        return ours != theirs ? ours < theirs : one.row < other.row;
    });
    std::vector<u32> order;
    order.reserve(keys.size());
    for (const Key &key : keys) order.push_back(key.row);
    return order;
}

inline std::size_t Skeletons::bytes_max(const LowColumn &services,
                                        const LowColumn &span_names) const {
    // What is written of a row in numbers, its ends of links among them, is less than the row.
    std::size_t sum = 20 * HEAD_BYTES_MAX + sizeof(Row) * rows.size() + decision_ids.size() +
                      8 * link_spans.size() + services.bytes_max() + span_names.bytes_max() +
                      hosts.bytes_max();
    for (const Row &row : rows) sum += TEXT_BYTES_MAX + 2 * row.trace_id.size();
    for (const Bytes id : link_traces) sum += TEXT_BYTES_MAX + 2 * id.size();
    return sum;
}

inline void Skeletons::write(const LowColumn &services, const LowColumn &span_names,
                             Buffer &out) const {
    const std::vector<u32> at = order();
    std::vector<Row> sorted_rows;  // jumped to once, and not once for each column
    millworth::reserve(sorted_rows, at.size());
    for (const u32 row : at) sorted_rows.push_back(rows[row]);
    const auto numbers = [&](Text name, Text type, auto value) {
        using T = decltype(value(sorted_rows[0]));
        std::vector<T> values;
        values.reserve(at.size());
        for (const Row &row : sorted_rows) values.push_back(value(row));
        write_numbers(out, name, type, values);
    };
    const auto low = [&](Text name, const LowColumn &column) {
        LowColumn sorted;
        sorted.dict.texts = column.dict.texts;
        sorted.rows.reserve(at.size());
        for (const u32 row : at) sorted.rows.push_back(column.rows[row]);
        write_low(out, name, sorted);
    };
    out.length(20);  // columns
    out.length(rows.size());
    numbers("is_tied", "UInt8", [](const Row &row) { return u8{row.is_tied}; });
    numbers("received_ns", "UInt64", [](const Row &row) { return row.received_ns; });
    out.head("trace_id", "String");
    for (const Row &row : sorted_rows) out.hex(row.trace_id);
    numbers("span_id", "UInt64", [](const Row &row) { return row.span_id; });
    numbers("parent_id", "UInt64", [](const Row &row) { return row.parent_id; });
    numbers("start_ns", "Int64", [](const Row &row) { return row.start_ns; });
    numbers("end_ns", "Int64", [](const Row &row) { return row.end_ns; });
    low("service_name", services);
    low("span_name", span_names);
    low("host", hosts);
    numbers("clock_error_ns", "Int64", [](const Row &row) { return row.clock_error_ns; });
    numbers("kind", "Int8", [](const Row &row) { return row.kind; });
    numbers("latency_class", "Int8", [](const Row &row) { return row.latency_class; });
    numbers("stage", "Int8", [](const Row &row) { return row.stage; });
    numbers("blocking", "Int8", [](const Row &row) { return row.blocking; });
    numbers("is_store", "UInt8", [](const Row &row) { return u8{row.is_store}; });
    numbers("is_receive", "UInt8", [](const Row &row) { return u8{row.is_receive}; });
    out.head("decision_id", "String");
    for (const u32 row : at) {
        const u8 *p = decision_ids.data() + rows[row].id_begin;
        const u8 *end = row + 1 < rows.size() ? decision_ids.data() + rows[row + 1].id_begin
                                              : decision_ids.data() + decision_ids.size();
        out.put(p, static_cast<std::size_t>(end - p));
    }
    std::vector<u64> ends, spans;
    std::vector<Bytes> traces;
    for (const u32 row : at) {
        for (std::size_t link = row > 0 ? rows[row - 1].links_end : 0; link < rows[row].links_end;
             ++link)
            traces.push_back(link_traces[link]), spans.push_back(link_spans[link]);
        ends.push_back(traces.size());
    }
    write_numbers(out, "link_traces", "Array(String)", ends);
    for (const Bytes id : traces) out.id(id);
    write_numbers(out, "link_spans", "Array(UInt64)", ends);
    out.put(spans.data(), 8 * spans.size());
}

}  // namespace millworth
