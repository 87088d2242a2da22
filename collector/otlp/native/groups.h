// Requests of any signal: resources, their scopes, and what is of these.
#pragma once

#include <deque>
#include <limits>

#include "skeletons.h"

namespace millworth {

// A request within the content, and when it came.
struct Place {
    u64 start, end, received_ns;
};

struct Resource {
    explicit Resource(std::size_t number) : attributes(number) {}
    Attributes attributes;
    Machine machine;
    std::string service;
    Text schema_url;
    bool has_service = false;
};
struct Scope {
    explicit Scope(std::size_t number) : attributes(number) {}
    Text name, version, schema_url;
    Attributes attributes;
};
// What one item of a request belongs to.
struct Origin {
    const Resource *resource = nullptr;
    const Scope *scope = nullptr;
    u64 received_ns = 0, request = 0;
};

inline i64 instant(u64 ns) {  // as much as the column holds
    return static_cast<i64>(std::min<u64>(ns, std::numeric_limits<i64>::max()));
}

// Finds what there is in requests, before anything is written. What is there twice where one is
// meant is not read: Protobuf makes one of both.
class GroupReader : protected Origin {
  public:
    virtual ~GroupReader() = default;

    // Adds to `unreadable` the numbers of requests that upb has to write anew.
    void requests(Bytes content, const std::vector<Place> &places, std::vector<u64> &unreadable) {
        for (request = 0; request < places.size(); ++request) {
            const Place &place = places[request];
            received_ns = place.received_ns;
            const bool is_inside = place.start <= place.end && place.end <= content.size();
            if (!is_inside || !groups({content.p + place.start, content.p + place.end}))
                unreadable.push_back(request);
        }
    }

  private:
    std::deque<Resource> resources;
    std::deque<Scope> scopes;
    std::string own;

    virtual bool add(Bytes body) = 0;  // one item; false where it is unreadable

    bool groups(Bytes body) {
        Fields field(body);
        while (field.next()) {
            if (field.is(1, 2) && !group(field.bytes)) return false;
        }
        return field.good;
    }

    // Finds the one message of this number, which may come behind what it is of.
    static bool find(Bytes body, Bytes &found, Text &schema_url) {
        Fields field(body);
        bool is_found = false;
        while (field.next()) {
            if (field.is(3, 2)) schema_url = field.bytes.text();
            if (!field.is(1, 2)) continue;
            if (is_found) return false;
            found = field.bytes, is_found = true;
        }
        return field.good;
    }

    bool attribute(Bytes message, Attributes &set, Resource *of) {
        Pair pair;
        Text text;
        if (!read(message, pair) || !value_text(pair.any, own, text)) return false;
        if (of != nullptr && !of->has_service && pair.key.text() == "service.name")
            of->service = text, of->has_service = true;  // of two a map gives the first
        if (of != nullptr) of->machine.add(pair.key.text(), text);
        set.add(pair.key.text(), text);
        return true;
    }

    bool group(Bytes body) {
        Bytes message;
        Resource &found = resources.emplace_back(resources.size());
        if (!find(body, message, found.schema_url)) return false;
        Fields pair(message);
        while (pair.next()) {
            if (pair.is(1, 2) && !attribute(pair.bytes, found.attributes, &found)) return false;
        }
        if (!pair.good) return false;
        resource = &found;
        Fields field(body);
        while (field.next()) {
            if (field.is(2, 2) && !batch(field.bytes)) return false;
        }
        return field.good;
    }

    bool batch(Bytes body) {
        Bytes message;
        Scope &found = scopes.emplace_back(scopes.size());
        if (!find(body, message, found.schema_url)) return false;
        Fields field(message);
        while (field.next()) {
            if (field.is(1, 2)) found.name = field.bytes.text();
            if (field.is(2, 2)) found.version = field.bytes.text();
            if (field.is(3, 2) && !attribute(field.bytes, found.attributes, nullptr)) return false;
        }
        if (!field.good) return false;
        scope = &found;
        Fields each(body);
        while (each.next()) {
            if (each.is(2, 2) && !add(each.bytes)) return false;
        }
        return each.good;
    }
};

}  // namespace millworth
