/* WebSocket: /ws?mode=… An echo that also does what it is told. */
#include "probe.h"

void socket_request(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct kanal_buffer mode = { 0 };
    kanal_form_get(request->query, "mode", &mode);
    if (kanal_str_is(kanal_buffer_view(&mode), "refuse"))
        respond_json(channel, op, 403, KANAL_LIT("{}"));
    else
        channel->sockets->accept(channel->host, op,
                                 kanal_str_is(kanal_buffer_view(&mode), "small") ? 1000 : 0);
    if (kanal_str_is(kanal_buffer_view(&mode), "twice")) {
        channel->sockets->accept(channel->host, op, 0);
        respond_json(channel, op, 200, KANAL_LIT("{}"));
    }
    /* Borrowed until this returns. */
    note(channel, kanal_str_is(request->method, "GET") ? "asked" : "asked by something else",
         (int64_t)request->header_count);
    kanal_buffer_release(&mode);
}

static void on_open(kanal_channel *channel, kanal_op connection)
{
    channel->opened++;
    channel->last_socket = connection;
    channel->sockets->send(channel->host, connection, KANAL_WS_TEXT, KANAL_LIT("hello"));
}

static void on_message(kanal_channel *channel, kanal_op connection, uint32_t type, kanal_str message)
{
    const kanal_websocket_host *s = channel->sockets;
    int64_t number = 0;
    if (kanal_str_starts(message, "close ") && kanal_str_int(kanal_str_from(message, 6), &number) == 0) {
        s->close(channel->host, connection, (uint32_t)number, KANAL_LIT("as you wish"));
        s->close(channel->host, connection, 1011, KANAL_LIT("again"));
    } else if (kanal_str_starts(message, "flood ") &&
               kanal_str_int(kanal_str_from(message, 6), &number) == 0) {
        struct kanal_buffer big = { 0 };
        while (big.len < 65536)
            kanal_buffer_text(&big, "0123456789abcdef");
        int64_t sent = 0;
        while (sent < number && s->send(channel->host, connection, KANAL_WS_TEXT, kanal_buffer_view(&big)))
            sent++;
        note(channel, "flood sent", sent);
        kanal_buffer_release(&big);
    } else {
        s->send(channel->host, connection, type, message);
    }
}

static void on_close(kanal_channel *channel, kanal_op connection, uint32_t code, kanal_str reason)
{
    char text[64];
    channel->closed++;
    /* Into the log: at stop() nobody can ask any more. */
    int n = snprintf(text, sizeof text, "socket closed %u after %lld opened %lld closed", code,
                     (long long)channel->opened, (long long)channel->closed);
    channel->host->log(channel->host, connection, KANAL_LOG_INFO, kanal_str_of(text, (size_t)n));
    note(channel, "closed", code);
    (void)reason;
    if (channel->sockets->send(channel->host, connection, KANAL_WS_TEXT, KANAL_LIT("too late")))
        note(channel, "sent after the close", 1);
}

const kanal_websocket_plugin probe_sockets = {
    .struct_size = sizeof probe_sockets, .on_open = on_open, .on_message = on_message, .on_close = on_close
};
