/* connection.c - one WebSocket of a visitor: who they are, and which frame goes where. See channel.h and PROTOCOL.md. */
#include <stdlib.h>
#include "channel.h"
#include "frame.h"

#define FRAMES_PER_MINUTE 600
#define FRAMES_BURST 60
#define HELLOS_MAX 4
#define HELLO_WITHIN_MS 10000
#define NEW_VISITORS_BURST 40

#define CLOSE_POLICY 1008
#define CLOSE_TRY_LATER 1013

/* ---- Existence ---- */

struct connection *connection_find(struct kanal_channel *channel, kanal_op op)
{
    struct table_node *node = table_find(&channel->connections, table_hash(&op, sizeof op));

    while (node && ((struct connection *)node)->op != op)
        node = table_find_next(node);
    return (struct connection *)node;
}

void connection_free(struct connection *connection)
{
    if (!connection)
        return;
    visitor_detach(connection);
    table_remove(&connection->channel->connections, &connection->node);
    kanal_buffer_release(&connection->token);
    kanal_buffer_release(&connection->page);
    kanal_buffer_release(&connection->attribution);
    free(connection);
}

static void refuse(struct kanal_channel *channel, kanal_op op, int code, const char *text)
{
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT("text/plain; charset=utf-8") },
                                    { KANAL_LIT("retry-after"), KANAL_LIT("10") } };
    kanal_http_response response = { .struct_size = sizeof response, .code = code };

    response.body = kanal_str_c(text);
    response.headers = headers;
    response.header_count = code == 503 ? 2 : 1;
    channel->host->respond(channel->host, op, &response);
}

void connection_request(struct kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    kanal_str upgrade = kanal_field_get(request->headers, request->header_count, "upgrade");
    kanal_str origin = kanal_field_get(request->headers, request->header_count, "origin");
    struct connection *connection;

    if (!kanal_str_equal_nocase(upgrade, KANAL_LIT("websocket"))) {
        refuse(channel, op, 426, "This address speaks WebSocket.\n");
        return;
    }
    if (!settings_origin_ok(&channel->settings, origin)) {
        refuse(channel, op, 403, "This site is not in the channel's setting `origins`.\n");
        return;
    }
    if (channel->stopping || channel->connections.count >= channel->settings.max_connections) {
        refuse(channel, op, 503, "Too many open chats.\n");
        return;
    }
    connection = calloc(1, sizeof *connection);
    if (!connection || table_add(&channel->connections, &connection->node, table_hash(&op, sizeof op)) != 0) {
        free(connection);
        refuse(channel, op, 503, "No memory.\n");
        return;
    }
    connection->op = op;
    connection->channel = channel;
    connection->since_ms = channel_now_ms(channel);
    connection->address_hash = table_hash(request->remote.ptr, request->remote.len);
    channel_sweep_arm(channel);
    channel->websocket->accept(channel->host, op, 0);
}

void connection_sweep(struct kanal_channel *channel)
{
    int64_t oldest_ms = channel_now_ms(channel) - HELLO_WITHIN_MS;
    struct table_node *state = NULL, *node;
    size_t cursor = 0;

    while ((node = table_walk(&channel->connections, &cursor, &state))) {
        struct connection *connection = (struct connection *)node;

        if (connection->state == CONNECTION_NEW && connection->since_ms <= oldest_ms)
            connection_close(connection, CLOSE_POLICY, "no hello");
    }
}

/* ---- Saying something ---- */

void connection_send(struct connection *connection, kanal_str frame)
{
    struct kanal_channel *channel = connection->channel;

    if (connection->state == CONNECTION_CLOSING || channel->stopping || !frame.ptr)
        return;
    if (!channel->websocket->send(channel->host, connection->op, KANAL_WS_TEXT, frame))
        connection->state = CONNECTION_CLOSING;
}

void connection_close(struct connection *connection, uint32_t code, const char *reason)
{
    struct kanal_channel *channel = connection->channel;

    if (connection->state == CONNECTION_CLOSING)
        return;
    connection->state = CONNECTION_CLOSING;
    channel->websocket->close(channel->host, connection->op, code, kanal_str_c(reason));
}

void connection_error(struct connection *connection, const char *code, kanal_str id, int retry,
                      uint32_t after_ms, const char *message)
{
    struct kanal_buffer frame = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &frame);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "error");
    kanal_json_member_text(&json, "code", code);
    kanal_json_member_str(&json, "id", id);
    kanal_json_member_bool(&json, "retry", retry);
    if (after_ms > 0)
        kanal_json_member_int(&json, "after_ms", after_ms);
    kanal_json_member_text(&json, "message", message);
    kanal_json_object_end(&json);
    connection_send(connection, kanal_buffer_view(&frame));
    kanal_buffer_release(&frame);
}

/* ---- Hello ---- */

/* The connection is a visitor's from now on: its welcome is under way. */
static void connection_identified(struct connection *connection, const char *id)
{
    struct visitor *visitor = visitor_get(connection->channel, id);

    if (!visitor || visitor_attach(visitor, connection) != KANAL_OK) {
        connection_close(connection, CLOSE_TRY_LATER, "too many connections");
        return;
    }
    connection->state = CONNECTION_WELCOMING;
    incoming_welcome(connection, 1);
}

struct identification { /* a host call about a connection that may be gone when it answers */
    struct kanal_channel *channel;
    kanal_op op;
    char visitor[SESSION_VISITOR_LEN + 1];
};

static struct identification *identification_new(struct connection *connection, const char *visitor)
{
    struct identification *identification = calloc(1, sizeof *identification);

    if (!identification)
        return NULL;
    identification->channel = connection->channel;
    identification->op = connection->op;
    memcpy(identification->visitor, visitor, SESSION_VISITOR_LEN);
    connection->state = CONNECTION_IDENTIFYING;
    channel_call_begin(connection->channel);
    return identification;
}

static void bad_token(struct connection *connection)
{
    kanal_buffer_clear(&connection->token);
    connection->state = CONNECTION_NEW;
    connection_error(connection, "bad_token", kanal_str_c(NULL), 0, 0,
                     "the token is not one of this channel's");
}

static void on_verified(void *user, kanal_status status)
{
    struct identification *identification = user;
    struct kanal_channel *channel = identification->channel;
    struct connection *connection = connection_find(channel, identification->op);

    if (connection && connection->state == CONNECTION_IDENTIFYING) {
        if (status == KANAL_OK)
            connection_identified(connection, identification->visitor);
        else if (status == KANAL_E_REJECTED)
            bad_token(connection);
        else
            connection_close(connection, CLOSE_TRY_LATER, "cannot verify");
    }
    free(identification);
    channel_call_end(channel);
}

static void hello_known(struct connection *connection, kanal_str token)
{
    struct kanal_channel *channel = connection->channel;
    struct session_claim claim;
    struct identification *identification;

    if (session_parse(token, &claim) != KANAL_OK) {
        bad_token(connection);
        return;
    }
    identification = identification_new(connection, claim.visitor);
    if (!identification) {
        connection_close(connection, CLOSE_TRY_LATER, "no memory");
        return;
    }
    kanal_buffer_clear(&connection->token);
    kanal_buffer_str(&connection->token, token);
    channel->host->verify(channel->host, KANAL_LIT(SESSION_SECRET), KANAL_LIT("hmac-sha256"),
                          claim.signed_text, kanal_str_of(claim.mac, SESSION_MAC_BYTES), on_verified,
                          identification);
}

static void on_signed(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct identification *identification = user;
    struct kanal_channel *channel = identification->channel;
    struct connection *connection = connection_find(channel, identification->op);

    (void)revision;
    if (connection && connection->state == CONNECTION_IDENTIFYING) {
        if (status == KANAL_OK) {
            session_complete(&connection->token, mac);
            connection_identified(connection, identification->visitor);
        } else {
            connection_close(connection, CLOSE_TRY_LATER, "cannot sign");
        }
    }
    free(identification);
    channel_call_end(channel);
}

static void hello_new(struct connection *connection)
{
    struct kanal_channel *channel = connection->channel;
    uint32_t per_minute = channel->settings.new_visitors_per_minute, wait_ms = 0;
    struct bucket *bucket = &channel->addresses[connection->address_hash % ADDRESS_BUCKETS];
    struct identification *identification;
    char visitor[SESSION_VISITOR_LEN + 1];

    if (per_minute > 0 &&
        !bucket_take(bucket, channel_now_ms(channel), per_minute, NEW_VISITORS_BURST, &wait_ms)) {
        connection_error(connection, "rate_limited", kanal_str_c(NULL), 1, wait_ms,
                         "too many new visitors of this address");
        connection_close(connection, CLOSE_TRY_LATER, "too many new visitors");
        return;
    }
    session_visitor_new(channel->host, visitor);
    identification = identification_new(connection, visitor);
    if (!identification) {
        connection_close(connection, CLOSE_TRY_LATER, "no memory");
        return;
    }
    kanal_buffer_clear(&connection->token);
    session_begin(&connection->token, visitor);
    channel->host->sign(channel->host, KANAL_LIT(SESSION_SECRET), KANAL_LIT("hmac-sha256"),
                        kanal_buffer_view(&connection->token), on_signed, identification);
}

static void hello(struct connection *connection, const struct frame *frame)
{
    if (connection->state != CONNECTION_NEW) {
        connection_error(connection, "invalid", kanal_str_c(NULL), 0, 0, "hello was said already; see sync");
        return;
    }
    if (frame->version != FRAME_VERSION) {
        connection_error(connection, "version", kanal_str_c(NULL), 0, 0, "this gateway speaks version 1");
        connection_close(connection, CLOSE_POLICY, "version");
        return;
    }
    if (++connection->hellos > HELLOS_MAX) {
        connection_close(connection, CLOSE_POLICY, "too many bad tokens");
        return;
    }
    kanal_buffer_clear(&connection->page);
    kanal_buffer_clear(&connection->attribution);
    frame_page(frame->root, &connection->page);
    frame_attribution(frame->root, &connection->attribution);
    frame_reference(frame->root, connection->reference);
    memcpy(connection->locale, frame->locale.len > 0 ? frame->locale.ptr : "", frame->locale.len);
    connection->locale[frame->locale.len] = '\0';
    if (frame->token.ptr)
        hello_known(connection, frame->token);
    else
        hello_new(connection);
}

/* ---- Hearing something ---- */

static void joined_frame(struct connection *connection, const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_SYNC:
        incoming_welcome(connection, 0);
        break;
    case FRAME_MESSAGE:
        incoming_message(connection, frame);
        break;
    case FRAME_DELIVERED:
    case FRAME_READ:
        incoming_receipt(connection, frame);
        break;
    case FRAME_LINK:
        incoming_link(connection, frame);
        break;
    case FRAME_TYPING:
        incoming_typing(connection);
        break;
    case FRAME_HELLO:
    case FRAME_PING:
        break;
    }
}

static void frame_receive(struct connection *connection, kanal_str message)
{
    yyjson_doc *doc = kanal_json_parse(message);
    const char *error = "not a JSON object";
    struct frame frame = { 0 };

    if (!doc || !yyjson_is_obj(yyjson_doc_get_root(doc)) ||
        frame_read(yyjson_doc_get_root(doc), &frame, &error) != KANAL_OK)
        connection_error(connection, "invalid", frame.id, 0, 0, error);
    else if (frame.type == FRAME_PING)
        connection_send(connection, KANAL_LIT("{\"type\":\"pong\"}"));
    else if (frame.type == FRAME_HELLO)
        hello(connection, &frame);
    else if (connection->state != CONNECTION_JOINED)
        connection_error(connection, "hello_first", frame.id, 1, 0, "say hello and wait for the welcome");
    else
        joined_frame(connection, &frame);
    yyjson_doc_free(doc);
}

static void on_open(kanal_channel *channel, kanal_op op)
{
    struct connection *connection = connection_find(channel, op);

    if (connection)
        connection->since_ms = channel_now_ms(channel);
}

static void on_message(kanal_channel *channel, kanal_op op, uint32_t type, kanal_str message)
{
    struct connection *connection = connection_find(channel, op);
    uint32_t wait_ms;

    if (!connection || connection->state == CONNECTION_CLOSING || channel->stopping)
        return;
    if (!bucket_take(&connection->frames, channel_now_ms(channel), FRAMES_PER_MINUTE, FRAMES_BURST, &wait_ms))
        connection_close(connection, CLOSE_POLICY, "too many frames");
    else if (type != KANAL_WS_TEXT)
        connection_error(connection, "invalid", kanal_str_c(NULL), 0, 0, "frames are text");
    else
        frame_receive(connection, message);
}

static void on_close(kanal_channel *channel, kanal_op op, uint32_t code, kanal_str reason)
{
    (void)code;
    (void)reason;
    connection_free(connection_find(channel, op));
    channel_connection_gone(channel);
}

const kanal_websocket_plugin *connection_table(void)
{
    static const kanal_websocket_plugin table = { sizeof table, on_open, on_message, on_close };

    return &table;
}
