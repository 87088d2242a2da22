// Requests of spans as blocks for the store: rows of otel_traces in the order of that table, of
// its trace index, what attribution reads of each, and the spans that may be decisions. The same
// requests give the same bytes.
#pragma once

#include "groups.h"

namespace millworth {

// Which spans the views of decisions are asked about; those have the last word.
struct Rule {
    Text service, name, kind;  // any, where it is empty
};
struct Wanted {
    std::vector<Text> keys;  // an attribute of a span that is enough
    std::vector<Rule> rules;
    OwnNames own;
};

struct Span {
    Bytes body, trace_id;
    Text name;
    u64 start_ns = 0;
    Origin of;
};

inline std::int8_t kind_number(u64 number) {
    const u32 kind = static_cast<u32>(number);
    return kind < 6 ? static_cast<std::int8_t>(kind) : std::int8_t{0};
}
inline Text kind_text(u64 number) {
    static constexpr Text texts[] = {"Unspecified", "Internal", "Server",
                                     "Client",      "Producer", "Consumer"};
    return texts[kind_number(number)];
}

// Finds the spans of a request.
class SpanReader : public GroupReader {
  public:
    std::vector<Span> spans;

  private:
    bool add(Bytes body) override {
        Span &span = spans.emplace_back(Span{body, {}, {}, 0, *this});
        Fields field(body);
        while (field.next()) {
            if (field.is(1, 2)) span.trace_id = field.bytes;
            if (field.is(5, 2)) span.name = field.bytes.text();
            if (field.is(7, 1)) span.start_ns = field.value;
        }
        return field.good;
    }
};

// The columns of otel_traces.
class Rows {
  public:
    u64 count = 0;

    explicit Rows(Skeletons *of_spans = nullptr) : skeletons(of_spans) {}

    // Makes room for so many rows of so many bytes; memory that is not filled costs nothing.
    void reserve(std::size_t rows, std::size_t bytes);

    // Adds a row; where false is returned the span is unreadable, and no row of these is of use.
    bool add(const Span &span, const Wanted &wanted, bool &is_wanted);
    std::size_t bytes_max() const;
    void write(Buffer &out) const;
    std::size_t skeleton_bytes_max() const { return skeletons->bytes_max(services, names); }
    void write_skeletons(Buffer &out) const { skeletons->write(services, names, out); }

  private:
    Skeletons *skeletons;  // of the same spans, where they are wanted
    std::vector<i64> start_ns, event_ns;
    std::vector<u64> duration_ns, received_ns, event_ends, link_ends;
    Buffer trace_ids, span_ids, parent_ids, states, scope_names, scope_versions, messages,
        link_traces, link_spans, link_states;
    LowColumn names, kinds, services, codes, event_names;
    MapColumn resources, scopes, attributes, event_attributes, link_attributes;
    std::string own;

    bool pair(Bytes message, MapColumn &map, Pair &found) {
        Text text;
        if (!read(message, found) || !value_text(found.any, own, text)) return false;
        map.add(found.key.text(), text);
        if (skeletons != nullptr && &map == &attributes)
            skeletons->attribute(map.keys.rows.back(), found.key.text(), text);
        return true;
    }

    bool event(Bytes body) {
        u64 at_ns = 0;
        Text name;
        Pair found;
        event_attributes.begin();
        Fields field(body);
        while (field.next()) {
            if (field.is(1, 1)) at_ns = field.value;
            if (field.is(2, 2)) name = field.bytes.text();
            if (field.is(3, 2) && !pair(field.bytes, event_attributes, found = {})) return false;
        }
        event_ns.push_back(instant(at_ns));
        event_names.add(name);
        event_attributes.end();
        return field.good;
    }

    bool link(Bytes body) {
        Bytes trace_id, span_id, state;
        Pair found;
        link_attributes.begin();
        Fields field(body);
        while (field.next()) {
            if (field.is(1, 2)) trace_id = field.bytes;
            if (field.is(2, 2)) span_id = field.bytes;
            if (field.is(3, 2)) state = field.bytes;
            if (field.is(4, 2) && !pair(field.bytes, link_attributes, found = {})) return false;
        }
        if (skeletons != nullptr) skeletons->link(trace_id, span_id);
        link_traces.id(trace_id);
        link_spans.id(span_id);
        link_states.text(state.text());
        link_attributes.end();
        return field.good;
    }
};

inline bool Rows::add(const Span &span, const Wanted &wanted, bool &is_wanted) {
    Bytes span_id, parent_id, state, status;
    u64 kind = 0, end_ns = 0, code = 0;
    bool has_status = false;
    Text message;
    Pair found;
    attributes.begin();
    if (skeletons != nullptr) skeletons->begin();
    Fields field(span.body);
    while (field.next()) {
        if (field.wire == 2) {
            switch (field.number) {
                case 2: span_id = field.bytes; break;
                case 3: state = field.bytes; break;
                case 4: parent_id = field.bytes; break;
                case 9:
                    if (!pair(field.bytes, attributes, found = {})) return false;
                    for (const Text key : wanted.keys) is_wanted |= key == found.key.text();
                    break;
                case 11:
                    if (!event(field.bytes)) return false;
                    break;
                case 13:
                    if (!link(field.bytes)) return false;
                    break;
                case 15:
                    if (has_status) return false;
                    status = field.bytes, has_status = true;
                    break;
                default: break;
            }
        } else if (field.is(6, 0)) {
            kind = field.value;
        } else if (field.is(8, 1)) {
            end_ns = field.value;
        }
    }
    Fields part(status);
    while (part.next()) {
        if (part.is(2, 2)) message = part.bytes.text();
        if (part.is(3, 0)) code = static_cast<u32>(part.value);
    }
    if (!field.good || !part.good) return false;
    const Text service = span.of.resource->service;
    for (const Rule &rule : wanted.rules)
        is_wanted |= (rule.service.empty() || rule.service == service) &&
                     (rule.name.empty() || rule.name == span.name) &&
                     (rule.kind.empty() || rule.kind == kind_text(kind));
    start_ns.push_back(instant(span.start_ns));
    trace_ids.hex(span.trace_id);
    span_ids.hex(span_id);
    parent_ids.id(parent_id);
    states.text(state.text());
    names.add(span.name);
    kinds.add(kind_text(kind));
    services.add(service);
    resources.add(span.of.resource->attributes);
    resources.end();
    scope_names.text(span.of.scope->name);
    scope_versions.text(span.of.scope->version);
    attributes.end();
    duration_ns.push_back(end_ns > span.start_ns ? end_ns - span.start_ns : 0);
    codes.add(code == 1 ? "Ok" : code == 2 ? "Error" : "Unset");
    messages.text(message);
    event_ends.push_back(event_ns.size());
    link_ends.push_back(link_attributes.ends.size());
    received_ns.push_back(span.of.received_ns);
    scopes.add(span.of.scope->attributes);
    scopes.end();
    if (skeletons != nullptr)
        skeletons->add(span.trace_id, span_id, parent_id, start_ns.back(), duration_ns.back(),
                       kind_number(kind), span.of.resource->machine, span.of.received_ns);
    if (resources.values.size() + scope_names.size() + scope_versions.size() +
            scopes.values.size() > BLOCK_BYTES_MAX)
        throw TooLarge();
    ++count;
    return true;
}

inline void Rows::reserve(std::size_t rows, std::size_t bytes) {
    start_ns.reserve(rows);
    for (std::vector<u64> *column : {&duration_ns, &received_ns, &event_ends, &link_ends,
                                     &resources.ends, &scopes.ends, &attributes.ends})
        column->reserve(rows);
    for (LowColumn *column : {&names, &kinds, &services, &codes}) column->rows.reserve(rows);
    trace_ids.reserve(33 * rows);
    for (Buffer *column : {&span_ids, &parent_ids}) column->reserve(17 * rows);
    for (Buffer *column : {&attributes.values, &resources.values}) column->reserve(bytes);
}

inline std::size_t Rows::bytes_max() const {
    std::size_t sum = 24 * HEAD_BYTES_MAX + 8 * (start_ns.size() + event_ns.size()) +
                      8 * (duration_ns.size() + received_ns.size()) +
                      8 * (3 * event_ends.size() + 4 * link_ends.size());
    for (const Buffer *column : {&trace_ids, &span_ids, &parent_ids, &states, &scope_names,
                                 &scope_versions, &messages, &link_traces, &link_spans,
                                 &link_states})
        sum += column->size();
    for (const LowColumn *column : {&names, &kinds, &services, &codes, &event_names})
        sum += column->bytes_max();
    for (const MapColumn *column : {&resources, &scopes, &attributes, &event_attributes,
                                    &link_attributes})
        sum += column->bytes_max();
    return sum;
}

inline void Rows::write(Buffer &out) const {
    out.length(24);  // columns
    out.length(count);
    write_numbers(out, "Timestamp", "DateTime64(9)", start_ns);
    write_texts(out, "TraceId", trace_ids);
    write_texts(out, "SpanId", span_ids);
    write_texts(out, "ParentSpanId", parent_ids);
    write_texts(out, "TraceState", states);
    write_low(out, "SpanName", names);
    write_low(out, "SpanKind", kinds);
    write_low(out, "ServiceName", services);
    write_map(out, "ResourceAttributes", resources);
    write_texts(out, "ScopeName", scope_names);
    write_texts(out, "ScopeVersion", scope_versions);
    write_map(out, "SpanAttributes", attributes);
    write_numbers(out, "Duration", "UInt64", duration_ns);
    write_low(out, "StatusCode", codes);
    write_texts(out, "StatusMessage", messages);
    write_numbers(out, "Events.Timestamp", "Array(DateTime64(9))", event_ends);
    out.put(event_ns.data(), 8 * event_ns.size());
    out.head("Events.Name", "Array(LowCardinality(String))");
    LowColumn::prefix(out);
    out.put(event_ends.data(), 8 * event_ends.size());
    event_names.write(out);
    out.head("Events.Attributes", "Array(Map(LowCardinality(String), String))");
    LowColumn::prefix(out);
    out.put(event_ends.data(), 8 * event_ends.size());
    event_attributes.write(out);
    write_numbers(out, "Links.TraceId", "Array(String)", link_ends);
    out.all(link_traces);
    write_numbers(out, "Links.SpanId", "Array(String)", link_ends);
    out.all(link_spans);
    write_numbers(out, "Links.TraceState", "Array(String)", link_ends);
    out.all(link_states);
    out.head("Links.Attributes", "Array(Map(LowCardinality(String), String))");
    LowColumn::prefix(out);
    out.put(link_ends.data(), 8 * link_ends.size());
    link_attributes.write(out);
    write_numbers(out, "received_ns", "UInt64", received_ns);
    write_map(out, "ScopeAttributes", scopes);
}

// The numbers of the texts of a dictionary by their bytes, as the store sorts them.
inline std::vector<u32> sorted(const Dict &dict) {
    std::vector<u32> order(dict.texts.size());
    for (u32 each = 0; each < order.size(); ++each) order[each] = each;
    std::sort(order.begin(), order.end(),
              [&dict](u32 one, u32 other) { return dict.texts[one] < dict.texts[other]; });
    return order;
}

// And the place of each number among them.
inline std::vector<u32> ranks(const Dict &dict) {
    const std::vector<u32> order = sorted(dict);
    std::vector<u32> rank(order.size());
    for (u32 each = 0; each < order.size(); ++each) rank[order[each]] = each;
    return rank;
}

// The order of otel_traces: second of arrival, service, name, time; then as they came.
inline std::vector<u32> order_of(const std::vector<Span> &spans) {
    struct Key {
        u64 second, group;
        i64 start_ns;
        u32 row;
        bool operator<(const Key &other) const {
            if (second != other.second) return second < other.second;
            if (group != other.group) return group < other.group;
            return start_ns != other.start_ns ? start_ns < other.start_ns : row < other.row;
        }
    };
    Dict services, names;
    std::vector<Key> keys;
    keys.reserve(spans.size());
    for (const Span &span : spans)
        keys.push_back({span.of.received_ns / 1000000000,
                        u64{services.id(span.of.resource->service)} << 32 | names.id(span.name),
                        instant(span.start_ns), static_cast<u32>(keys.size())});
    const std::vector<u32> service_ranks = ranks(services), name_ranks = ranks(names);
    for (Key &key : keys)
        key.group = u64{service_ranks[key.group >> 32]} << 32 | name_ranks[key.group & 0xffffffff];
    std::sort(keys.begin(), keys.end());
    std::vector<u32> order;
    order.reserve(keys.size());
    for (const Key &key : keys) order.push_back(key.row);
    return order;
}

// The columns of the trace index, in its order: a row of each hour in which spans of a trace began,
// so that one whose clock is off by a year says where, and not over what.
class Traces {
  public:
    void add(const std::vector<Span> &spans) {
        Dict ids;
        std::vector<u32> of(spans.size());
        for (std::size_t at = 0; at < spans.size(); ++at)
            of[at] = ids.id(spans[at].trace_id.text());
        const std::vector<u32> order = sorted(ids), places = ranks(ids);
        std::vector<std::pair<u32, i64>> begun(spans.size());
        for (std::size_t at = 0; at < spans.size(); ++at)
            begun[at] = {places[of[at]], instant(spans[at].start_ns)};
        std::sort(begun.begin(), begun.end());
        for (std::size_t at = 0; at < begun.size(); ++at) {
            const auto [rank, start_ns] = begun[at];
            const Text id = ids.texts[order[rank]];
            if (id.empty()) continue;
            const bool is_same = at > 0 && begun[at - 1].first == rank &&
                                 begun[at - 1].second / HOUR_NS == start_ns / HOUR_NS;
            if (!is_same) {
                const u8 *p = reinterpret_cast<const u8 *>(id.data());
                texts.hex({p, p + id.size()});
                starts.push_back(start_ns);
                ends.push_back(start_ns);
            }
            ends.back() = start_ns;
        }
    }
    std::size_t bytes_max() const {
        return 3 * HEAD_BYTES_MAX + texts.size() + 16 * starts.size();
    }
    void write(Buffer &out) const {
        out.length(3);  // columns
        out.length(starts.size());
        write_texts(out, "TraceId", texts);
        write_numbers(out, "Start", "DateTime64(9)", starts);
        write_numbers(out, "End", "DateTime64(9)", ends);
    }

  private:
    static constexpr i64 HOUR_NS = 3600000000000;
    Buffer texts;
    std::vector<i64> starts, ends;
};

// The rows of some requests. What throws std::bad_alloc or TooLarge is of no more use.
class Blocks {
  public:
    std::vector<u64> unreadable;  // requests that upb has to write anew; there are no rows then
    Rows spans, decisions;
    Traces traces;

    explicit Blocks(const Wanted &of) : spans(&skeletons), wanted(of), skeletons(of.own) {}

    void read(Bytes content, const std::vector<Place> &places) {
        reserve(reader.spans, content.size() / 128);  // few spans are smaller
        reader.requests(content, places, unreadable);
        if (!unreadable.empty()) return;
        const std::vector<u32> order = order_of(reader.spans);
        spans.reserve(order.size(), content.size());
        skeletons.reserve(order.size());
        for (std::size_t at = 0; at < order.size(); ++at) {
            if (at + 4 < order.size()) __builtin_prefetch(reader.spans[order[at + 4]].body.p);
            const Span &span = reader.spans[order[at]];
            bool is_wanted = false;
            if (!spans.add(span, wanted, is_wanted) ||
                (is_wanted && !decisions.add(span, wanted, is_wanted)))
                unreadable.push_back(span.of.request);
        }
        traces.add(reader.spans);
    }

  private:
    const Wanted &wanted;
    SpanReader reader;  // the rows have texts of it
    Skeletons skeletons;
};

}  // namespace millworth
