/* The fake host must do what a host does, and must notice what a host would not stand: each check has a test that trips it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/base64.h"

/* ---- A plugin whose behaviour each test chooses ---- */

struct kanal_channel {
    const kanal_host *host;
    char settings[256];
    kanal_op start_op;
};

static struct {
    void (*start)(kanal_channel *, kanal_op);
    void (*on_http)(kanal_channel *, kanal_op, const kanal_http_request *);
    void (*deliver)(kanal_channel *, kanal_op, const kanal_delivery *);
    void (*stop)(kanal_channel *, kanal_op);
} hooks;

static char events[512]; /* what happened, in order */

static void note(const char *text)
{
    size_t used = strlen(events);
    snprintf(events + used, sizeof events - used, "%s ", text);
}

static kanal_channel *probe_create(const kanal_host *host, const kanal_config *config)
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

static void respond(kanal_channel *channel, kanal_op op, int code)
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
static const kanal_plugin probe = {
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
static const char *const given_secrets[][2] = { { "token", "Jefe" } };

static struct fake_host *new_host(void)
{
    memset(&hooks, 0, sizeof hooks);
    events[0] = 0;
    struct fake_host *host =
        fake_new(&probe, "{\"api_url\":\"http://127.0.0.1:99\",\"deep\":{}}", given_secrets, 1);
    cr_assert_not_null(host);
    return host;
}

static int code_of(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    return answer->answered ? answer->response.code : 0;
}

/* ---- What a host does ---- */

Test(fakehost, starts_with_defaults_filled_in)
{
    struct fake_host *host = new_host();
    cr_assert_str_eq(fake_channel(host)->settings,
                     "{\"api_url\":\"http://127.0.0.1:99\",\"deep\":{\"x\":true},\"limit\":7}");
    cr_assert_eq(fake_start_answer(host)->answered, 1);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost, routes)
{
    struct fake_host *host = new_host();
    const kanal_str none = { NULL, 0 };
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/?a=1", NULL, 0, none)), 200);
    cr_assert_eq(code_of(host, fake_http(host, "PUT", "/", NULL, 0, none)), 405);
    cr_assert_eq(code_of(host, fake_http(host, "GET", "/x", NULL, 0, none)), 404);
    cr_assert_eq(code_of(host, fake_http(host, "HEAD", "/files/a/b", NULL, 0, none)), 200);
    cr_assert_eq(code_of(host, fake_http(host, "GET", "/files/../x", NULL, 0, none)), 400);
    cr_assert_eq(code_of(host, fake_http(host, "GET", "/files/%2e%2e", NULL, 0, none)), 400);
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/", NULL, 0, KANAL_LIT("more than sixteen"))), 413);
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost, authenticity)
{
    struct fake_host *host = new_host();
    const kanal_str body = KANAL_LIT("what do ya want for nothing?"); /* RFC 4231, test case 2 */
    kanal_field right = { KANAL_LIT("X-Token"), KANAL_LIT("Jefe") },
                wrong = { KANAL_LIT("x-token"), KANAL_LIT("Jeff") };
    kanal_field mac = { KANAL_LIT("x-signature"),
                        KANAL_LIT(
                            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843") };
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/equal", &right, 1, body)), 200);
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/equal", &wrong, 1, body)), 401);
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/equal", NULL, 0, body)), 401);
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/mac", &mac, 1, body)), 200);
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/mac", &mac, 1, KANAL_LIT("other"))), 401);
    mac.value = kanal_str_from(mac.value, 7);
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/mac", &mac, 1, body)), 401);
    cr_assert_eq(fake_free(host), 0);
}

static void publish_one(kanal_channel *channel, kanal_op cause, const char *data)
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

#define GOOD_DATA                                                                                            \
    "{\"message\":{\"content\":[{\"type\":\"image\",\"ref\":\"x/y\"}]},\"customer\":{\"name\":\"Анна\"}}"

static void publish_and_respond(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    publish_one(channel, op, GOOD_DATA);
    respond(channel, op, 200);
    note("responded");
}

Test(fakehost, a_2xx_waits_for_its_events)
{
    struct fake_host *host = new_host();
    hooks.on_http = publish_and_respond;
    kanal_op op = fake_http(host, "POST", "/", NULL, 0, kanal_str_of(NULL, 0));
    cr_assert_eq(code_of(host, op), 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_eq(fake_event_at(host, 0)->cause, op);
    cr_assert(kanal_str_is(fake_event_at(host, 0)->event.address, "probe:anna"));
    cr_assert_null(fake_event_at(host, 1));
    fake_fail_publish(host, KANAL_E_NETWORK);
    op = fake_http(host, "POST", "/", NULL, 0, kanal_str_of(NULL, 0));
    cr_assert_eq(code_of(host, op), 503);
    cr_assert_eq(fake_event_count(host), 1);
    cr_assert_str_eq(events, "responded responded ");
    cr_assert_eq(fake_free(host), 0);
}

static void count_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    char text[64];
    (void)user;
    snprintf(text, sizeof text, "%d/%.*s/%d", status, (int)value.len, value.ptr ? value.ptr : "",
             revision != 0);
    note(text);
}

Test(fakehost, state)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    h->state_get(h, KANAL_LIT("a/b"), count_value, NULL);
    h->state_put(h, KANAL_LIT("a/b"), KANAL_LIT("one"), 0, count_value, NULL);
    h->state_put(h, KANAL_LIT("a/b"), KANAL_LIT("two"), 0, count_value, NULL);
    h->state_get(h, KANAL_LIT("a/b"), count_value, NULL);
    cr_assert_str_eq(events, ""); /* never inside the call */
    fake_run(host);
    cr_assert_str_eq(events, "-3//0 0//1 -8//0 0/one/1 ");
    cr_assert_str_eq(fake_state(host, "a/b"), "one");
    events[0] = 0;
    h->state_put(h, KANAL_LIT("a/b"), KANAL_LIT(""), UINT64_MAX, count_value, NULL);
    h->state_get(h, KANAL_LIT("a/b"), count_value, NULL);
    h->state_put(h, KANAL_LIT("a/b"), KANAL_LIT("new"), 0, count_value, NULL);
    fake_fail_state(host, KANAL_E_NETWORK);
    h->state_get(h, KANAL_LIT("a/b"), count_value, NULL);
    fake_run(host);
    cr_assert_str_eq(events, "0//1 -3//0 0//1 -6//0 ");
    cr_assert_eq(fake_failures(host), 0);
    h->state_get(h, KANAL_LIT("a//b"), count_value, NULL);
    cr_assert_eq(fake_failures(host), 1);
    fake_free(host);
}

static void count_done(void *user, kanal_status status)
{
    char text[32];
    snprintf(text, sizeof text, "%s:%d", (const char *)user, status);
    note(text);
}

Test(fakehost, timers_and_clock)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    int64_t before = h->now_ms(h);
    h->timer(h, 200, count_done, (void *)(uintptr_t) "late");
    h->timer(h, 100, count_done, (void *)(uintptr_t) "soon");
    kanal_op never = h->timer(h, 50, count_done, (void *)(uintptr_t) "never");
    h->cancel(h, never);
    fake_run(host);
    cr_assert_str_eq(events, "never:-7 ");
    fake_advance(host, 99);
    cr_assert_str_eq(events, "never:-7 ");
    fake_advance(host, 101);
    cr_assert_str_eq(events, "never:-7 soon:0 late:0 ");
    cr_assert_eq(h->now_ms(h), before + 200);
    h->timer(h, 100, count_done, (void *)(uintptr_t) "open");
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost, signatures)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    struct kanal_buffer mac = { 0 };
    kanal_str data = KANAL_LIT("what do ya want for nothing?");
    kanal_hex_decode(&mac, KANAL_LIT("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    h->verify(h, KANAL_LIT("token"), KANAL_LIT("hmac-sha256"), data, kanal_buffer_view(&mac), count_done,
              (void *)(uintptr_t) "mac");
    mac.data[0] ^= 1;
    h->verify(h, KANAL_LIT("token"), KANAL_LIT("hmac-sha256"), data, kanal_buffer_view(&mac), count_done,
              (void *)(uintptr_t) "mac");
    h->verify(h, KANAL_LIT("token"), KANAL_LIT("equal"), kanal_str_of(NULL, 0), KANAL_LIT("Jefe"), count_done,
              (void *)(uintptr_t) "equal");
    fake_run(host);
    cr_assert_str_eq(events, "mac:0 mac:-8 equal:0 ");
    kanal_buffer_clear(&mac); /* under the three bytes that "Jefe" says */
    kanal_hex_decode(&mac, KANAL_LIT("c4925d64f150d6d92f425436dbc49769c584e7862fc743d532446c34d1918515"));
    h->verify(h, KANAL_LIT("token"), KANAL_LIT("hmac-sha256-base64"), data, kanal_buffer_view(&mac),
              count_done, (void *)(uintptr_t) "base64");
    fake_run(host);
    cr_assert_str_eq(events, "mac:0 mac:-8 equal:0 base64:0 ");
    h->sign(h, KANAL_LIT("other"), KANAL_LIT("hmac-sha256"), data, count_value, NULL);
    cr_assert_eq(fake_failures(host), 1); /* never declared */
    kanal_buffer_release(&mac);
    fake_free(host);
}

static void count_response(void *user, kanal_status status, const kanal_http_response *response)
{
    char text[64];
    (void)user;
    snprintf(text, sizeof text, "%d/%d/%.*s", status, response ? response->code : 0,
             response ? (int)response->body.len : 0, response ? response->body.ptr : "");
    note(text);
}

static kanal_op send_to(const kanal_host *h, const char *url)
{
    const kanal_http_request request = { .struct_size = sizeof request,
                                         .method = KANAL_LIT("GET"),
                                         .url = kanal_str_c(url) };
    return h->http_send(h, 0, &request, count_response, NULL);
}

Test(fakehost, outgoing_http)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    send_to(h, "https://API.example.com/a");
    send_to(h, "http://127.0.0.1:99/b");
    send_to(h, "http://127.0.0.1:99/c");
    cr_assert_eq(fake_request_count(host), 3);
    cr_assert(kanal_str_is(fake_request_at(host, 1)->request.url, "http://127.0.0.1:99/b"));
    fake_request_answer(host, 1, 201, "{}");
    cr_assert_eq(fake_request_count(host), 2);
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_assert_str_eq(events, "0/201/{} -10/0/ ");
    cr_assert_eq(fake_failures(host), 0);
    send_to(h, "https://evil.example/");
    cr_assert_eq(fake_failures(host), 1);
    fake_run(host);
    cr_assert_str_eq(events, "0/201/{} -10/0/ -2/0/ ");
    fake_free(host);
}

Test(fakehost, too_many_pending)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    for (int i = 0; i < 1024; i++)
        h->timer(h, 1000, NULL, NULL);
    h->timer(h, 1000, count_done, (void *)(uintptr_t) "more");
    fake_run(host);
    cr_assert_str_eq(events, "more:-4 ");
    cr_assert_eq(fake_free(host), 0);
}

static void accept_upgrade(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    const kanal_websocket_host *ws = channel->host->extension(channel->host, KANAL_EXT_WEBSOCKET);
    cr_assert(kanal_str_is(kanal_field_get(request->headers, request->header_count, "upgrade"), "websocket"));
    if (kanal_str_is(request->path, "/files/no"))
        respond(channel, op, 403);
    else
        ws->accept(channel->host, op, 8);
}

Test(fakehost, websocket)
{
    struct fake_host *host = new_host();
    hooks.on_http = accept_upgrade;
    kanal_op request;
    uint32_t code = 0;
    cr_assert_eq(fake_ws_open(host, "/files/no", NULL, 0, &request), 0);
    cr_assert_eq(code_of(host, request), 403);
    kanal_op a = fake_ws_open(host, "/files/a", NULL, 0, &request);
    cr_assert_neq(a, 0);
    cr_assert_eq(code_of(host, request), 101);
    fake_ws_receive(host, a, "ping");
    cr_assert_str_eq(fake_ws_take(host, a), "hello");
    cr_assert_str_eq(fake_ws_take(host, a), "ping");
    cr_assert_null(fake_ws_take(host, a));
    fake_ws_receive(host, a, "bye");
    cr_assert_eq(fake_ws_closed(host, a, &code), 1);
    cr_assert_eq(code, 4001);
    kanal_op b = fake_ws_open(host, "/files/b", NULL, 0, NULL);
    fake_ws_receive(host, b, "over eight");
    fake_ws_closed(host, b, &code);
    cr_assert_eq(code, 1009);
    kanal_op c = fake_ws_open(host, "/files/c", NULL, 0, NULL);
    fake_ws_close(host, c, 1000);
    cr_assert_str_eq(events, "open close:4001 open close:1009 open close:1000 ");
    cr_assert_eq(fake_free(host), 0);
}

Test(fakehost, blobs)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    const kanal_blob_host *blob = h->extension(h, KANAL_EXT_BLOB);
    blob->put(h, KANAL_LIT("image/png"), KANAL_LIT("a.png"), KANAL_LIT("bytes"), count_value, NULL);
    blob->url(h, KANAL_LIT("blob:1"), count_value, NULL);
    fake_fail_blob(host, KANAL_E_NETWORK);
    blob->put(h, KANAL_LIT("image/png"), KANAL_LIT("a.png"), KANAL_LIT("bytes"), count_value, NULL);
    fake_run(host);
    cr_assert_str_eq(events, "0/blob:1/0 0/https://hub.example.com/m/fake/YmxvYjox/0 -6//0 ");
    cr_assert_eq(fake_free(host), 0);
}

/* ---- Further extensions: a plugin that notes what it is told ---- */

static struct kanal_buffer told; /* of the test's own process */

static void tell(const char *what, kanal_status status, kanal_str bytes)
{
    kanal_buffer_text(&told, what);
    kanal_buffer_byte(&told, ' ');
    kanal_buffer_int(&told, status);
    kanal_buffer_byte(&told, ' ');
    kanal_buffer_str(&told, bytes);
    kanal_buffer_byte(&told, ';');
}

static void expect_told(const char *text)
{
    cr_expect(kanal_str_is(kanal_buffer_view(&told), text), "'%.*s', not '%s'", (int)told.len, told.data,
              text);
    kanal_buffer_release(&told);
}

static void told_open(kanal_channel *channel, kanal_op stream)
{
    (void)channel, (void)stream;
    tell("open", 0, kanal_str_of(NULL, 0));
}

static void told_data(kanal_channel *channel, kanal_op stream, kanal_str bytes)
{
    (void)channel, (void)stream;
    tell("data", 0, bytes);
}

static void told_end(kanal_channel *channel, kanal_op stream)
{
    (void)channel, (void)stream;
    tell("end", 0, kanal_str_of(NULL, 0));
}

static void told_close(kanal_channel *channel, kanal_op stream, kanal_status status, kanal_str reason)
{
    (void)channel, (void)stream, (void)reason;
    tell("close", status, kanal_str_of(NULL, 0));
}

static void told_held(kanal_channel *channel, kanal_op lease)
{
    (void)channel, (void)lease;
    tell("held", 0, kanal_str_of(NULL, 0));
}

static void told_lost(kanal_channel *channel, kanal_op lease)
{
    (void)channel, (void)lease;
    tell("lost", 0, kanal_str_of(NULL, 0));
}

static const void *told_extension(kanal_channel *channel, const char *id)
{
    static const kanal_stream_plugin streams = { .struct_size = sizeof streams,
                                                 .on_open = told_open,
                                                 .on_data = told_data,
                                                 .on_end = told_end,
                                                 .on_close = told_close };
    static const kanal_lease_plugin leases = { .struct_size = sizeof leases,
                                               .on_held = told_held,
                                               .on_lost = told_lost };
    (void)channel;
    return strcmp(id, KANAL_EXT_STREAM) == 0  ? (const void *)&streams
           : strcmp(id, KANAL_EXT_LEASE) == 0 ? (const void *)&leases
                                              : NULL;
}

static void told_done(void *user, kanal_status status)
{
    (void)user;
    tell("done", status, kanal_str_of(NULL, 0));
}

static void told_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)user, (void)revision;
    tell("value", status, value);
}

static void told_mail(void *user, kanal_status status, const kanal_mail_result *result)
{
    (void)user;
    tell("mail", status, result->reply.text);
    cr_expect_eq(result->recipient_count, 2);
}

static struct fake_host *extended(kanal_plugin *plugin)
{
    memset(&hooks, 0, sizeof hooks);
    *plugin = probe;
    plugin->extension = told_extension;
    return fake_new(plugin, "{\"api_url\":\"http://127.0.0.1:99\",\"deep\":{}}", given_secrets, 1);
}

Test(fakehost, streams)
{
    kanal_plugin plugin;
    struct fake_host *host = extended(&plugin);
    const kanal_host *h = fake_channel(host)->host;
    const kanal_stream_host *streams = h->extension(h, KANAL_EXT_STREAM);
    kanal_stream_target target = { .host = KANAL_LIT("smsc.example.com"), .port = 2775, .credit = 4 };
    kanal_op op = streams->connect(h, &target);
    cr_assert_eq(fake_stream_count(host), 1);
    cr_expect_str_eq(fake_stream_at(host, 0)->target.host.ptr, "smsc.example.com");
    fake_stream_open(host, op);
    fake_stream_receive(host, op, "abcdef", 6);
    expect_told("open 0 ;data 0 abcd;");
    streams->credit(h, op, 1);
    fake_run(host);
    expect_told("data 0 e;");
    kanal_stream_secret use = { .position = 4, .length_bytes = 4, .secret = KANAL_LIT("token") };
    streams->write(h, op, kanal_str_of("\0\0\0\5!", 5), &use, 1, told_done, NULL);
    fake_run(host);
    expect_told("done 0 ;");
    cr_expect(kanal_str_equal(fake_stream_take(host, op), kanal_str_of("\0\0\0\011Jefe!", 9)));
    fake_stream_end(host, op);
    fake_stream_close(host, op, KANAL_E_NETWORK);
    streams->write(h, op, KANAL_LIT("late"), NULL, 0, told_done, NULL);
    fake_run(host);
    expect_told("end 0 ;close -6 ;done -3 ;");
    cr_expect_eq(fake_free(host), 0);
}

Test(fakehost, leases_mail_and_blobs_in_pieces)
{
    kanal_plugin plugin;
    struct fake_host *host = extended(&plugin);
    const kanal_host *h = fake_channel(host)->host;
    const kanal_lease_host *leases = h->extension(h, KANAL_EXT_LEASE);
    kanal_op lease = leases->acquire(h, KANAL_LIT("poll"), 0);
    cr_expect_eq(leases->acquire(h, KANAL_LIT("poll"), 0), 0);
    cr_expect_eq(leases->held(h, lease), 0);
    fake_run(host);
    cr_expect_eq(leases->held(h, lease), 1);
    fake_lease_hold(host, 0);
    cr_expect_eq(leases->held(h, lease), 0);
    fake_lease_hold(host, 1);
    leases->release(h, lease);
    expect_told("held 0 ;lost 0 ;held 0 ;");

    const kanal_transfer_host *transfer = h->extension(h, KANAL_EXT_TRANSFER);
    kanal_str to[] = { KANAL_LIT("b@example.com"), KANAL_LIT("c@example.com") };
    kanal_piece pieces[] = { { .data = KANAL_LIT("Subject: x\r\n\r\n") }, { .source = KANAL_LIT("blob:7") } };
    kanal_mail mail = { .struct_size = sizeof mail,
                        .from = KANAL_LIT("a@example.com"),
                        .recipients = to,
                        .recipient_count = 2,
                        .pieces = pieces,
                        .piece_count = 2 };
    transfer->mail(h, 0, &mail, told_mail, NULL);
    kanal_op cancelled = transfer->mail(h, 0, &mail, told_mail, NULL);
    cr_assert_eq(fake_mail_count(host), 2);
    cr_expect(kanal_str_is(fake_mail_at(host, 0)->body, "Subject: x\r\n\r\n<source:blob:7>"));
    fake_mail_answer(host, 0, KANAL_OK, 250, "queued");
    h->cancel(h, cancelled);
    fake_run(host);
    cr_expect_eq(fake_mail_count(host), 0);
    expect_told("mail 0 queued;mail -7 ;");

    const kanal_blob2_host *blobs = h->extension(h, KANAL_EXT_BLOB_2);
    kanal_op blob = blobs->open(h, KANAL_LIT("text/plain"), kanal_str_of(NULL, 0));
    blobs->append(h, blob, KANAL_LIT("piece"), told_done, NULL);
    blobs->commit(h, blob, told_value, NULL);
    blobs->append(h, blob, KANAL_LIT("late"), told_done, NULL);
    fake_run(host);
    expect_told("done 0 ;value 0 blob:1;done -3 ;");
    cr_expect_eq(fake_free(host), 0);
}

/* The first line of the file is the event as a core would publish it. */
Test(fakehost, writes_cloud_events)
{
    char name[] = "/tmp/fakehost-XXXXXX", line[2048] = "";
    int file = mkstemp(name);
    cr_assert_geq(file, 0);
    setenv("KANAL_FAKE_EVENTS", name, 1);
    struct fake_host *host = new_host();
    publish_one(fake_channel(host), 0, GOOD_DATA);
    fake_events_clear(host); /* does not take it off the record */
    cr_assert_eq(fake_free(host), 0);
    ssize_t length = read(file, line, sizeof line - 1);
    close(file);
    unlink(name);
    cr_assert_gt(length, 0);
    yyjson_doc *doc = kanal_json_parse(kanal_str_of(line, (size_t)length - 1));
    yyjson_val *root = yyjson_doc_get_root(doc), *data = kanal_json_at(root, "data");
    cr_assert(kanal_str_is(kanal_json_text_at(root, "dataschema"), "urn:kanal:schema:message.received:1"));
    cr_assert(kanal_str_is(kanal_json_text_at(root, "time"), "2026-11-21T20:53:05.000Z"));
    yyjson_val *message = kanal_json_at(data, "message"), *customer = kanal_json_at(data, "customer");
    cr_assert(kanal_str_equal(kanal_json_text_at(message, "id"), kanal_json_text_at(root, "id")));
    cr_assert(kanal_str_is(kanal_json_text_at(message, "external_id"), "7"));
    cr_assert(kanal_str_is(kanal_json_text_at(customer, "name"), "Анна"));
    cr_assert(kanal_str_equal(kanal_json_text_at(customer, "node"), kanal_json_text_at(root, "subject")));
    yyjson_val *part = yyjson_arr_get(kanal_json_at(message, "content"), 0);
    cr_assert(kanal_str_is(kanal_json_text_at(part, "url"), "https://hub.example.com/m/fake/eC95"));
    cr_assert_null(kanal_json_at(part, "ref"));
    yyjson_doc_free(doc);
}

/* ---- What a host does not stand ---- */

static void respond_twice(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    respond(channel, op, 200);
    respond(channel, op, 200);
}

static void never_answer(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)channel, (void)op, (void)request;
}

static void respond_badly(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    const kanal_field headers[] = { { KANAL_LIT("Content-Type"), KANAL_LIT("a") },
                                    { KANAL_LIT("a"), KANAL_LIT("b\r\nc: d") } };
    const kanal_http_response response = {
        .struct_size = sizeof response, .code = 99, .headers = headers, .header_count = 2
    };
    (void)request;
    channel->host->respond(channel->host, op, &response);
}

static void finish_instead(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
    respond(channel, op, 200);
}

static void publish_after(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    respond(channel, op, 200);
    publish_one(channel, op, GOOD_DATA); /* too late: it was let go */
}

Test(fakehost, notices_wrong_answers)
{
    static const struct {
        void (*on_http)(kanal_channel *, kanal_op, const kanal_http_request *);
        size_t failures;
    } cases[] = { { respond_twice, 1 },
                  { never_answer, 1 },
                  { respond_badly, 3 },
                  { finish_instead, 1 },
                  { publish_after, 1 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fake_host *host = new_host();
        hooks.on_http = cases[i].on_http;
        fake_http(host, "POST", "/", NULL, 0, kanal_str_of(NULL, 0));
        size_t failures = fake_free(host);
        cr_assert_eq(failures, cases[i].failures, "case %zu: %zu", i, failures);
    }
}

static void deliver_badly(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    kanal_result result = { .struct_size = sizeof result,
                            .outcome = KANAL_FAILED,
                            .code = KANAL_LIT("whatever") };
    if (kanal_str_is(delivery->type, "message.send"))
        channel->host->delivered(channel->host, op, &result);
    result.code = KANAL_LIT("provider_error");
    if (kanal_str_is(delivery->type, "message.edit"))
        channel->host->delivered(channel->host, op, &result);
}

Test(fakehost, notices_unknown_error_codes)
{
    struct fake_host *host = new_host();
    hooks.deliver = deliver_badly;
    fake_deliver(host, &(kanal_delivery){ .type = KANAL_LIT("message.edit") });
    cr_assert_eq(fake_failures(host), 0);
    kanal_op op = fake_deliver(host, &(kanal_delivery){ .address = KANAL_LIT("probe:anna") });
    cr_assert_eq(fake_failures(host), 1);
    cr_assert_eq(fake_answer(host, op)->result.outcome, KANAL_FAILED);
    fake_free(host);
}

Test(fakehost, notices_bad_events)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    static const struct {
        const char *type, *dedupe, *address, *data;
        uint32_t struct_size;
    } cases[] = { { "message.received", "1", "probe:a", "{", sizeof(kanal_event) },
                  { "message.received", "1", "probe:a", "[]", sizeof(kanal_event) },
                  { "message.received", "", "probe:a", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "anna", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "probe:a b", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "probe:\xD0\x90", "{}", sizeof(kanal_event) },
                  { "message", "1", "probe:a", "{}", sizeof(kanal_event) },
                  { "message.received", "1", "probe:a", "{}", 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const kanal_event event = { .struct_size = cases[i].struct_size,
                                    .type = kanal_str_c(cases[i].type),
                                    .dedupe = kanal_str_c(cases[i].dedupe),
                                    .address = kanal_str_c(cases[i].address),
                                    .data = kanal_str_c(cases[i].data) };
        const kanal_event *list = &event;
        h->publish(h, 0, &list, 1, count_done, (void *)(uintptr_t) "x");
        cr_assert_eq(fake_failures(host), i + 1, "case %zu passed", i);
    }
    fake_run(host);
    cr_assert_str_eq(events, "x:-1 x:-1 x:-1 x:-1 x:-1 x:-1 x:-1 x:-1 ");
    cr_assert_eq(fake_event_count(host), 0);
    fake_free(host);
}

Test(fakehost, notices_secrets_in_the_log)
{
    struct fake_host *host = new_host();
    const kanal_host *h = fake_channel(host)->host;
    h->log(h, 0, KANAL_LOG_INFO, KANAL_LIT("all is well"));
    cr_assert_eq(fake_failures(host), 0);
    cr_assert(fake_logged(host, "is well"));
    cr_assert_not(fake_logged(host, "unwell"));
    h->log(h, 0, KANAL_LOG_INFO, KANAL_LIT("the token is Jefe"));
    cr_assert_eq(fake_failures(host), 1);
    h->metric_add(h, KANAL_LIT("Bad-Name"), 1, NULL, 0);
    cr_assert_eq(fake_failures(host), 2);
    h->metric_add(h, KANAL_LIT("good_total"), 2, NULL, 0);
    h->metric_add(h, KANAL_LIT("good_total"), 3, NULL, 0);
    cr_assert(fake_metric(host, "good_total") == 5);
    fake_free(host);
}

static kanal_op stop_op;
static void stop_later(kanal_channel *channel, kanal_op op)
{
    (void)channel;
    stop_op = op;
}

static void finish_stop(void *user, kanal_status status)
{
    kanal_channel *channel = user;
    const kanal_host *h = channel->host;
    cr_assert_eq(status, KANAL_E_CANCELLED);
    h->finish(h, stop_op, KANAL_OK, kanal_str_of(NULL, 0));
    cr_assert_eq(h->timer(h, 1, NULL, NULL), 0); /* nothing is owed any more */
    note("stopped");
}

Test(fakehost, stop)
{
    struct fake_host *host = new_host();
    hooks.stop = stop_later;
    kanal_channel *channel = fake_channel(host);
    channel->host->timer(channel->host, 1000, finish_stop, channel);
    cr_assert_eq(fake_free(host), 0);
    cr_assert_str_eq(events, "stopped ");
    host = new_host();
    hooks.stop = stop_later; /* and nobody finishes */
    cr_assert_eq(fake_free(host), 2);
    cr_assert_eq(fake_free(NULL), 0);
}

static kanal_channel *bad_create(const kanal_host *host, const kanal_config *config)
{
    host->timer(host, 1, NULL, NULL);
    return probe_create(host, config);
}

static kanal_channel *no_create(const kanal_host *host, const kanal_config *config)
{
    (void)host, (void)config;
    return NULL;
}

Test(fakehost, notices_bad_plugins)
{
    kanal_plugin plugin = probe;
    plugin.create = no_create;
    cr_assert_null(fake_new(&plugin, NULL, NULL, 0));
    plugin.create = NULL;
    cr_assert_null(fake_new(&plugin, NULL, NULL, 0));
    plugin.create = bad_create;
    plugin.id = "Bad Id";
    memset(&hooks, 0, sizeof hooks);
    struct fake_host *host = fake_new(&plugin, NULL, given_secrets, 1);
    cr_assert_eq(fake_free(host), 2);
}
