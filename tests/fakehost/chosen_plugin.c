#include "chosen_plugin.h"

struct chosen_hooks hooks;

char events[512];

void note(const char *text)
{
    size_t used = strlen(events);
    snprintf(events + used, sizeof events - used, "%s ", text);
}

kanal_channel *probe_create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    channel->host = host;
    snprintf(channel->settings, sizeof channel->settings, "%.*s", (int)config->settings.len,
             config->settings.ptr);
    return channel;
}

static void probe_start(kanal_channel *channel, kanal_op op)
{
    if (hooks.start != NULL)
        hooks.start(channel, op);
    else
        channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

void respond(kanal_channel *channel, kanal_op op, int code)
{
    const kanal_http_response response = { .struct_size = sizeof response,
                                           .code = code,
                                           .body = KANAL_LIT("hi") };
    channel->host->respond(channel->host, op, &response);
}

static void probe_on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    if (hooks.on_http != NULL)
        hooks.on_http(channel, op, request);
    else
        respond(channel, op, 200);
}

static void probe_deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    hooks.deliver(channel, op, delivery);
}

static void probe_stop(kanal_channel *channel, kanal_op op)
{
    if (hooks.stop != NULL)
        hooks.stop(channel, op);
    else
        channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void probe_destroy(kanal_channel *channel)
{
    free(channel);
}

static void ws_on_open(kanal_channel *channel, kanal_op connection)
{
    const kanal_websocket_host *ws = channel->host->extension(channel->host, KANAL_EXT_WEBSOCKET);
    note("open");
    ws->send(channel->host, connection, KANAL_WS_TEXT, KANAL_LIT("hello"));
}

static void ws_on_message(kanal_channel *channel, kanal_op connection, uint32_t type, kanal_str message)
{
    const kanal_websocket_host *ws = channel->host->extension(channel->host, KANAL_EXT_WEBSOCKET);
    cr_assert_eq(type, KANAL_WS_TEXT);
    if (kanal_str_is(message, "bye"))
        ws->close(channel->host, connection, 4001, KANAL_LIT("asked"));
    else
        ws->send(channel->host, connection, KANAL_WS_TEXT, message);
}

static void ws_on_close(kanal_channel *channel, kanal_op connection, uint32_t code, kanal_str reason)
{
    char text[32];
    (void)channel, (void)connection, (void)reason;
    snprintf(text, sizeof text, "close:%u", code);
    note(text);
}

static const void *probe_extension(kanal_channel *channel, const char *id)
{
    static const kanal_websocket_plugin table = { sizeof table, ws_on_open, ws_on_message, ws_on_close };
    (void)channel;
    return strcmp(id, KANAL_EXT_WEBSOCKET) == 0 ? &table : NULL;
}

static const char *const egress[] = { "api.example.com", "${setting:api_url}", NULL };
static const kanal_route routes[] = {
    { .method = "POST", .path = "/", .max_body = 16 },
    { .method = "GET", .path = "/files/*" },
    { .method = "POST",
      .path = "/equal",
      .algorithm = "equal",
      .name = "x-token",
      .secret = "token",
      .where = KANAL_IN_HEADER },
    { .method = "POST",
      .path = "/mac",
      .algorithm = "hmac-sha256",
      .name = "x-signature",
      .prefix = "sha256=",
      .encoding = "hex",
      .secret = "token",
      .where = KANAL_IN_HEADER },
};
static const kanal_secret secrets[] = { { "token", "what the provider sends", KANAL_SECRET_REQUIRED } };
const kanal_plugin probe = {
    .struct_size = sizeof probe,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "probe",
    .name = "Probe",
    .version = "1.0.0",
    .egress = egress,
    .routes = routes,
    .route_count = sizeof routes / sizeof routes[0],
    .secrets = secrets,
    .secret_count = 1,
    .settings_schema = "{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"integer\",\"default\":7},"
                       "\"deep\":{\"type\":\"object\",\"properties\":{\"x\":{\"default\":true}}},"
                       "\"api_url\":{\"type\":\"string\"}}}",
    .create = probe_create,
    .start = probe_start,
    .on_http = probe_on_http,
    .deliver = probe_deliver,
    .stop = probe_stop,
    .destroy = probe_destroy,
    .extension = probe_extension,
};
const char *const given_secrets[1][2] = { { "token", "Jefe" } };

struct fake_host *new_host(void)
{
    memset(&hooks, 0, sizeof hooks);
    events[0] = 0;
    struct fake_host *host =
        fake_new(&probe, "{\"api_url\":\"http://127.0.0.1:99\",\"deep\":{}}", given_secrets, 1);
    cr_assert_not_null(host);
    return host;
}

int code_of(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    return answer->answered ? answer->response.code : 0;
}

void publish_one(kanal_channel *channel, kanal_op cause, const char *data)
{
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("message.received"),
                                .dedupe = KANAL_LIT("7"),
                                .external_id = KANAL_LIT("7"),
                                .address = KANAL_LIT("probe:anna"),
                                .data = kanal_str_c(data) };
    const kanal_event *list = &event;
    channel->host->publish(channel->host, cause, &list, 1, NULL, NULL);
}

void count_done(void *user, kanal_status status)
{
    char text[32];
    snprintf(text, sizeof text, "%s:%d", (const char *)user, status);
    note(text);
}
