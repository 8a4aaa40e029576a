// cpp - a plugin in C++: classes inside, C at the boundary. No exception crosses it: every entry catches what is thrown.
#include <cstring>
#include <new>
#include <string>

#include "kanal/plugin.h"

namespace
{

std::string text_of(kanal_str s)
{
    return s.len > 0 ? std::string(s.ptr, s.len) : std::string();
}

kanal_str view(const std::string &s)
{
    return kanal_str{ s.data(), s.size() };
}

bool is_plain(const std::string &text, size_t max)
{
    for (char c : text)
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              std::strchr("-_. !", c)) ||
            c == 0)
            return false;
    return !text.empty() && text.size() <= max;
}

} // namespace

struct kanal_channel {
    explicit kanal_channel(const kanal_host *its_host) : host(its_host)
    {
    }

    void respond(kanal_op op, int32_t code, const std::string &body) const
    {
        kanal_http_response response{};
        response.struct_size = sizeof response;
        response.code = code;
        response.body = view(body);
        host->respond(host, op, &response);
    }

    void receive(kanal_op op, const kanal_http_request &request)
    {
        std::string from, id, text = text_of(request.body);
        for (size_t i = 0; i < request.header_count; i++) {
            const std::string name = text_of(request.headers[i].name);
            if (name == "x-from")
                from = text_of(request.headers[i].value);
            else if (name == "x-id")
                id = text_of(request.headers[i].value);
        }
        if (text_of(request.path) == "/last")
            return respond(op, 200, last);
        if (!is_plain(from, 64) || from.find(' ') != std::string::npos || !is_plain(id, 64) ||
            !is_plain(text, 1024))
            return respond(op, 400, "expected x-from, x-id and a plain text");
        const std::string type = "message.received", address = "cpp:" + from;
        const std::string data = R"({"message":{"content":[{"type":"text","text":")" + text + R"("}]}})";
        kanal_event event{};
        event.struct_size = sizeof event;
        event.type = view(type);
        event.dedupe = event.external_id = view(id);
        event.address = view(address);
        event.data = view(data);
        const kanal_event *events[] = { &event };
        host->publish(host, op, events, 1, nullptr, nullptr);
        respond(op, 200, "ok");
    }

    void deliver(kanal_op op, const kanal_delivery &delivery)
    {
        const std::string data = text_of(delivery.data), mark = R"("text":")";
        const size_t at = data.find(mark),
                     end = at == std::string::npos ? at : data.find('"', at + mark.size());
        std::string code;
        if (text_of(delivery.type) != "message.send")
            code = "unsupported_verb";
        else if (text_of(delivery.address).compare(0, 4, "cpp:") != 0)
            code = "recipient_unknown";
        else if (end == std::string::npos || end == at + mark.size())
            code = "unsupported_content";
        else
            last = data.substr(at + mark.size(), end - at - mark.size());
        kanal_result result{};
        result.struct_size = sizeof result;
        result.outcome = code.empty() ? KANAL_SENT : KANAL_FAILED;
        result.code = view(code);
        result.external_id = code.empty() ? delivery.idempotency_key : kanal_str{};
        host->delivered(host, op, &result);
    }

    const kanal_host *host;
    std::string last;
};

extern "C" {

static kanal_channel *create(const kanal_host *host, const kanal_config *)
{
    return new (std::nothrow) kanal_channel(host);
}

static void start_or_stop(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str{});
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    try {
        channel->receive(op, *request);
    } catch (...) { // out of memory, before anything was answered
        kanal_http_response response{};
        response.struct_size = sizeof response;
        response.code = 503;
        channel->host->respond(channel->host, op, &response);
    }
}

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    try {
        channel->deliver(op, *delivery);
    } catch (...) {
        kanal_result result{};
        result.struct_size = sizeof result;
        result.outcome = KANAL_RETRY;
        result.code = kanal_str{ "internal", 8 };
        channel->host->delivered(channel->host, op, &result);
    }
}

static void destroy(kanal_channel *channel)
{
    delete channel;
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_route routes[] = {
        { "POST", "/", nullptr, nullptr, nullptr, nullptr, nullptr, 0, 4096 },
        { "GET", "/last", nullptr, nullptr, nullptr, nullptr, nullptr, 0, 0 },
    };
    static const kanal_plugin plugin = [] {
        kanal_plugin p{};
        p.struct_size = sizeof p;
        p.abi_minor = KANAL_ABI_MINOR;
        p.id = "cpp";
        p.name = "C++";
        p.version = "1.0.0";
        p.caps = KANAL_CAP_TEXT;
        p.routes = routes;
        p.route_count = sizeof routes / sizeof *routes;
        p.settings_schema = R"({"type":"object","additionalProperties":false})";
        p.create = create;
        p.start = start_or_stop;
        p.on_http = on_http;
        p.deliver = deliver;
        p.stop = start_or_stop;
        p.destroy = destroy;
        return p;
    }();
    return &plugin;
}
}
