/* Extension kanal.websocket/1, without a wire. */
#include "inside.h"

#define MAX_MESSAGE_DEFAULT (64u * 1024u)
#define UNSENT_BYTES_MAX (1024u * 1024u)

enum happening { WS_OPEN, WS_MESSAGE, WS_CLOSE };
static void run(struct fake_host *, struct task *);

static struct connection *find(const struct fake_host *host, kanal_op op)
{
    struct connection *connection = host->connections;
    while (connection != NULL && connection->op != op)
        connection = connection->next;
    return connection;
}

static void queue(struct fake_host *host, enum happening kind, kanal_op op, uint32_t number, kanal_str text)
{
    struct task *task = fake_extension_task(host, run, kind, op);
    task->revision = number;
    task->value = fake_arena_str(&task->copies, text);
    fake_ready(host, task, KANAL_OK);
}

static void begin_close(struct fake_host *host, struct connection *connection, uint32_t code,
                        kanal_str reason)
{
    if (connection->closing)
        return;
    connection->closing = 1;
    connection->close_code = code;
    queue(host, WS_CLOSE, connection->op, code, reason);
}

/* ---- What the plugin calls ---- */

static void ws_accept(const kanal_host *table, kanal_op request, uint32_t max_message)
{
    struct fake_host *host = fake_of(table);
    struct owed *owed = fake_owed(host, request);
    fake_check_lane(host, "websocket accept");
    if (owed == NULL || owed->kind != CALL_HTTP || owed->done) {
        fake_fail(host, "accept() of an op that is no open request");
        return;
    }
    if (host->websocket == NULL)
        fake_fail(host, "accept(), but the plugin has no table " KANAL_EXT_WEBSOCKET);
    owed->done = owed->upgraded = 1;
    owed->answer.answered = 1;
    owed->answer.response.struct_size = sizeof owed->answer.response;
    owed->answer.response.code = 101;
    struct connection *connection = fake_arena_zeroed(&host->kept, sizeof *connection);
    connection->op = request;
    connection->max_message = max_message ? max_message : MAX_MESSAGE_DEFAULT;
    connection->next = host->connections;
    host->connections = connection;
    queue(host, WS_OPEN, request, 0, kanal_str_of(NULL, 0));
}

static int32_t ws_send(const kanal_host *table, kanal_op op, uint32_t type, kanal_str message)
{
    struct fake_host *host = fake_of(table);
    struct connection *connection = find(host, op);
    fake_check_lane(host, "websocket send");
    if (connection == NULL || !connection->opened) {
        fake_fail(host, "send() to a connection that is not open");
        return 0;
    }
    if (type != KANAL_WS_TEXT && type != KANAL_WS_BINARY)
        fake_fail(host, "send(): type %u", type);
    if (type == KANAL_WS_TEXT && !kanal_str_utf8(message))
        fake_fail(host, "send(): a text that is no UTF-8");
    if (connection->closing)
        return 0;
    if (connection->unsent_bytes + message.len > UNSENT_BYTES_MAX) {
        begin_close(host, connection, 1013, kanal_str_of(NULL, 0));
        return 0;
    }
    struct sent_message *sent = fake_arena_zeroed(&host->kept, sizeof *sent), **end = &connection->first_sent;
    sent->text = fake_arena_str(&host->kept, message.ptr ? message : kanal_str_of("", 0));
    while (*end != NULL)
        end = &(*end)->next;
    *end = sent;
    connection->unsent_bytes += message.len;
    return 1;
}

static void ws_close(const kanal_host *table, kanal_op op, uint32_t code, kanal_str reason)
{
    struct fake_host *host = fake_of(table);
    struct connection *connection = find(host, op);
    if (connection == NULL) {
        fake_fail(host, "close() of what is no connection");
        return;
    }
    if (!(code == 1000 || (code >= 1001 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
          (code >= 3000 && code <= 4999)))
        fake_fail(host, "close(): code %u may not be sent (RFC 6455, 7.4)", code);
    if (reason.len > 123 || !kanal_str_utf8(reason))
        fake_fail(host, "close(): the reason is too long or no UTF-8");
    begin_close(host, connection, code, reason);
}

static const kanal_websocket_host table_of_host = {
    .struct_size = sizeof table_of_host, .accept = ws_accept, .send = ws_send, .close = ws_close
};

/* ---- What the plugin is told ---- */

static void run(struct fake_host *host, struct task *task)
{
    struct connection *connection = find(host, task->op);
    const struct kanal_websocket_plugin *plugin = host->websocket;
    struct fake_arena arguments;
    if (plugin == NULL || connection->closed)
        return;
    host->where = task->kind_of_run == WS_OPEN      ? "websocket on_open()"
                  : task->kind_of_run == WS_MESSAGE ? "websocket on_message()"
                                                    : "websocket on_close()";
    arguments = fake_arguments(host);
    kanal_str text = fake_arena_str(&arguments, task->value);
    if (task->kind_of_run == WS_OPEN) {
        connection->opened = 1;
        plugin->on_open(host->channel, task->op);
    } else if (task->kind_of_run == WS_MESSAGE) {
        if (!connection->closing)
            plugin->on_message(host->channel, task->op, (uint32_t)task->revision, text);
    } else {
        connection->closed = 1;
        plugin->on_close(host->channel, task->op, (uint32_t)task->revision, text);
    }
    fake_arena_release(&arguments);
}

static void attach(struct fake_host *host)
{
    if (host->plugin->extension != NULL)
        host->websocket = host->plugin->extension(host->channel, KANAL_EXT_WEBSOCKET);
}

static void stop(struct fake_host *host)
{
    for (struct connection *connection = host->connections; connection != NULL; connection = connection->next)
        begin_close(host, connection, 1001, kanal_str_of(NULL, 0));
}

static void check_end(struct fake_host *host)
{
    for (struct connection *connection = host->connections; connection != NULL; connection = connection->next)
        if (!connection->closed)
            fake_fault(host, FAKE_FAULT_ANSWER, "stop() was finished before on_close() of a connection");
}

const struct fake_extension fake_extension_websocket = {
    .id = KANAL_EXT_WEBSOCKET, .table = &table_of_host, .attach = attach, .stop = stop, .check_end = check_end
};

/* ---- What the test does ---- */

kanal_op fake_ws_open(struct fake_host *host, const char *target, const kanal_field *headers,
                      size_t header_count, kanal_op *ret_request)
{
    struct fake_arena scratch = { 0 };
    kanal_field *all = fake_arena_zeroed(&scratch, (header_count + 3) * sizeof *all);
    for (size_t i = 0; i < header_count; i++)
        all[i] = headers[i];
    all[header_count] = (kanal_field){ KANAL_LIT("upgrade"), KANAL_LIT("websocket") };
    all[header_count + 1] = (kanal_field){ KANAL_LIT("connection"), KANAL_LIT("Upgrade") };
    all[header_count + 2] = (kanal_field){ KANAL_LIT("sec-websocket-version"), KANAL_LIT("13") };
    kanal_op op = fake_http(host, "GET", target, all, header_count + 3, kanal_str_of(NULL, 0));
    fake_arena_release(&scratch);
    if (ret_request != NULL)
        *ret_request = op;
    struct connection *connection = find(host, op);
    return connection ? op : 0;
}

void fake_ws_receive(struct fake_host *host, kanal_op op, const char *text)
{
    struct connection *connection = find(host, op);
    if (connection == NULL || connection->closing) {
        fake_fault(host, FAKE_FAULT_TEST, "the test sends to a connection that is not open");
        return;
    }
    if (strlen(text) > connection->max_message)
        begin_close(host, connection, 1009, kanal_str_of(NULL, 0));
    else if (!kanal_str_utf8(kanal_str_c(text)))
        begin_close(host, connection, 1007, kanal_str_of(NULL, 0));
    else
        queue(host, WS_MESSAGE, op, KANAL_WS_TEXT, kanal_str_c(text));
    fake_run(host);
}

void fake_ws_close(struct fake_host *host, kanal_op op, uint32_t code)
{
    struct connection *connection = find(host, op);
    if (connection != NULL)
        begin_close(host, connection, code, kanal_str_of(NULL, 0));
    fake_run(host);
}

const char *fake_ws_take(struct fake_host *host, kanal_op op)
{
    struct connection *connection = find(host, op);
    if (connection == NULL || connection->first_sent == NULL)
        return NULL;
    struct sent_message *sent = connection->first_sent;
    connection->first_sent = sent->next;
    connection->unsent_bytes -= sent->text.len;
    return sent->text.ptr;
}

int fake_ws_closed(const struct fake_host *host, kanal_op op, uint32_t *ret_code)
{
    struct connection *connection = find(host, op);
    if (connection == NULL || !connection->closing)
        return 0;
    if (ret_code != NULL)
        *ret_code = connection->close_code;
    return 1;
}
