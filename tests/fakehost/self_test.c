/* The fake host must do what a host does. */
#include <unistd.h>

#include "chosen_plugin.h"

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

static int64_t other_clock(const kanal_host *table)
{
    (void)table;
    return 7;
}

static void tell_time(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    (void)request;
    respond(channel, op, channel->host->now_ms(channel->host) == 7 ? 207 : 200);
}

Test(fakehost, a_slot_of_the_tests_own)
{
    struct fake_host *host = new_host();
    kanal_host *table = fake_table(host);
    const kanal_host saved = *table;
    hooks.on_http = tell_time;
    table->now_ms = other_clock;
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/", NULL, 0, kanal_str_of(NULL, 0))), 207);
    *table = saved;
    cr_assert_eq(code_of(host, fake_http(host, "POST", "/", NULL, 0, kanal_str_of(NULL, 0))), 200);
    cr_assert_eq(fake_free(host), 0);
}

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
