// Requests of log records as a block for the store: rows of otel_logs. They are in the order in which
// they came, so that of two outcomes with one id and one time the later one stays. The same requests
// give the same bytes.
#pragma once

#include "groups.h"

namespace millworth {

struct Record {
    Bytes body;
    i64 at_ns = 0;  // when it happened, else when it was observed, else when it came
    Origin of;
};

// Finds the log records of a request.
class LogReader : public GroupReader {
  public:
    std::vector<Record> records;

  private:
    bool add(Bytes body) override {
        u64 time_ns = 0, observed_ns = 0;
        Fields field(body);
        while (field.next()) {
            if (field.is(1, 1)) time_ns = field.value;
            if (field.is(11, 1)) observed_ns = field.value;
        }
        const u64 at_ns = time_ns != 0 ? time_ns : observed_ns != 0 ? observed_ns : received_ns;
        records.push_back({body, instant(at_ns), *this});
        return field.good;
    }
};

// The columns of otel_logs.
class LogRows {
  public:
    u64 count = 0;

    // Adds a row; where false is returned the record is unreadable, and no row of these is of use.
    bool add(const Record &record) {
        Bytes trace_id, span_id, body;
        Text severity, event;
        u64 flags = 0, number = 0;
        bool has_body = false;
        attributes.begin();
        Fields field(record.body);
        while (field.next()) {
            if (field.wire == 2) {
                switch (field.number) {
                    case 3: severity = field.bytes.text(); break;
                    case 5:
                        if (has_body) return false;
                        body = field.bytes, has_body = true;
                        break;
                    case 6:
                        if (!pair(field.bytes)) return false;
                        break;
                    case 9: trace_id = field.bytes; break;
                    case 10: span_id = field.bytes; break;
                    case 12: event = field.bytes.text(); break;
                    default: break;
                }
            } else if (field.is(2, 0)) {
                number = static_cast<u32>(field.value);
            } else if (field.is(8, 5)) {
                flags = field.value;
            }
        }
        Text text;
        if (!field.good || !value_text(body, own, text)) return false;
        const Resource &resource = *record.of.resource;
        const Scope &scope = *record.of.scope;
        at_ns.push_back(record.at_ns);
        trace_ids.id(trace_id.size() == 16 ? trace_id : Bytes{});
        span_ids.id(span_id.size() == 8 ? span_id : Bytes{});
        trace_flags.push_back(static_cast<u8>(flags));
        severities.add(severity);
        severity_numbers.push_back(number <= 0xff ? static_cast<u8>(number) : 0);
        services.add(resource.service);
        bodies.text(text);
        resource_urls.add(resource.schema_url);
        resources.add(resource.attributes);
        resources.end();
        scope_urls.add(scope.schema_url);
        scope_names.text(scope.name);
        scope_versions.add(scope.version);
        scopes.add(scope.attributes);
        scopes.end();
        attributes.end();
        events.text(event);
        received_ns.push_back(record.of.received_ns);
        if (resources.values.size() + scope_names.size() + scopes.values.size() > BLOCK_BYTES_MAX)
            throw TooLarge();
        ++count;
        return true;
    }

    std::size_t bytes_max() const {
        std::size_t sum = 17 * HEAD_BYTES_MAX + 8 * (at_ns.size() + received_ns.size()) +
                          trace_flags.size() + severity_numbers.size();
        for (const Buffer *column : {&trace_ids, &span_ids, &bodies, &scope_names, &events})
            sum += column->size();
        for (const LowColumn *column :
             {&severities, &services, &resource_urls, &scope_urls, &scope_versions})
            sum += column->bytes_max();
        for (const MapColumn *column : {&resources, &scopes, &attributes})
            sum += column->bytes_max();
        return sum;
    }

    void write(Buffer &out) const {
        out.length(17);  // columns
        out.length(count);
        write_numbers(out, "Timestamp", "DateTime64(9)", at_ns);
        write_texts(out, "TraceId", trace_ids);
        write_texts(out, "SpanId", span_ids);
        write_numbers(out, "TraceFlags", "UInt8", trace_flags);
        write_low(out, "SeverityText", severities);
        write_numbers(out, "SeverityNumber", "UInt8", severity_numbers);
        write_low(out, "ServiceName", services);
        write_texts(out, "Body", bodies);
        write_low(out, "ResourceSchemaUrl", resource_urls);
        write_map(out, "ResourceAttributes", resources);
        write_low(out, "ScopeSchemaUrl", scope_urls);
        write_texts(out, "ScopeName", scope_names);
        write_low(out, "ScopeVersion", scope_versions);
        write_map(out, "ScopeAttributes", scopes);
        write_map(out, "LogAttributes", attributes);
        write_texts(out, "EventName", events);
        write_numbers(out, "received_ns", "UInt64", received_ns);
    }

  private:
    std::vector<i64> at_ns;
    std::vector<u64> received_ns;
    std::vector<u8> trace_flags, severity_numbers;
    Buffer trace_ids, span_ids, bodies, scope_names, events;
    LowColumn severities, services, resource_urls, scope_urls, scope_versions;
    MapColumn resources, scopes, attributes;
    std::string own;

    bool pair(Bytes message) {
        Pair found;
        Text text;
        if (!read(message, found) || !value_text(found.any, own, text)) return false;
        attributes.add(found.key.text(), text);
        return true;
    }
};

// The rows of some requests. What throws std::bad_alloc or TooLarge is of no more use.
class LogBlock {
  public:
    LogRows rows;
    std::vector<u64> unreadable;  // requests that upb has to write anew; there are no rows then

    void read(Bytes content, const std::vector<Place> &places) {
        reader.requests(content, places, unreadable);
        if (!unreadable.empty()) return;
        for (const Record &record : reader.records)
            if (!rows.add(record)) unreadable.push_back(record.of.request);
    }

  private:
    LogReader reader;  // the rows have texts of it
};

}  // namespace millworth
