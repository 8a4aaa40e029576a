/* Arguments that no right plugin makes: the host must refuse each, and go on. */
#include <math.h>

#include "probe.h"

#define NOTHING ((kanal_str){ NULL, 5 }) /* five bytes of nothing */

static void on_status(void *user, kanal_status status)
{
    note(user, "status", status);
}

static void on_status_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)value;
    (void)revision;
    note(user, "status", status);
}

static void on_status_response(void *user, kanal_status status, const kanal_http_response *response)
{
    (void)response;
    note(user, "status", status);
}

/* Slots that bring a status: each must be KANAL_E_INVALID, noted. */
static void hostile_requests(kanal_channel *c, kanal_op op, yyjson_val *arguments)
{
    const kanal_host *h = c->host;
    const kanal_str key = KANAL_LIT("key"), token = KANAL_LIT("token"), sha = KANAL_LIT("hmac-sha256");
    (void)arguments;
    h->verify(h, NOTHING, sha, key, key, on_status, c);
    h->verify(h, token, NOTHING, key, key, on_status, c);
    h->verify(h, token, sha, NOTHING, key, on_status, c);
    h->verify(h, token, sha, key, (kanal_str){ NULL, 32 }, on_status, c);
    h->sign(h, token, sha, NOTHING, on_status_value, c);
    h->state_get(h, NOTHING, on_status_value, c);
    h->state_put(h, key, NOTHING, 0, on_status_value, c);
    h->http_send(h, 0, NULL, on_status_response, c);
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("GET"),
                                   .url = KANAL_LIT("http://127.0.0.1:1/") };
    kanal_http_request wrong = request;
    wrong.url = NOTHING;
    h->http_send(h, 0, &wrong, on_status_response, c);
    wrong = request;
    wrong.body = NOTHING;
    h->http_send(h, 0, &wrong, on_status_response, c);
    wrong = request;
    wrong.header_count = 2;
    h->http_send(h, 0, &wrong, on_status_response, c);
    wrong = request;
    wrong.header_count = SIZE_MAX;
    h->http_send(h, 0, &wrong, on_status_response, c);
    wrong = request;
    wrong.secret_count = 1;
    h->http_send(h, 0, &wrong, on_status_response, c);
    wrong = request;
    wrong.part_count = SIZE_MAX;
    h->http_send(h, 0, &wrong, on_status_response, c);
    wrong = request;
    wrong.part_count = 1;
    h->http_send(h, 0, &wrong, on_status_response, c);
    kanal_field header = { NOTHING, NOTHING };
    wrong = request;
    wrong.headers = &header;
    wrong.header_count = 1;
    h->http_send(h, 0, &wrong, on_status_response, c);
    kanal_secret_use use = { .where = KANAL_IN_HEADER, .name = KANAL_LIT("x\r\nhost"), .secret = token };
    wrong = request;
    wrong.secrets = &use;
    wrong.secret_count = 1;
    h->http_send(h, 0, &wrong, on_status_response, c);
    use = (kanal_secret_use){
        .where = KANAL_IN_HEADER, .name = KANAL_LIT("x"), .prefix = KANAL_LIT("a\r\nb: "), .secret = token
    };
    h->http_send(h, 0, &wrong, on_status_response, c);
    kanal_part part = { .name = NOTHING };
    wrong = request;
    wrong.parts = &part;
    wrong.part_count = 1;
    h->http_send(h, 0, &wrong, on_status_response, c);
    h->publish(h, 0, NULL, 1, on_status, c);
    const kanal_event *none[1] = { NULL };
    h->publish(h, 0, none, 1, on_status, c);
    h->publish(h, 0, none, SIZE_MAX, on_status, c);
    h->publish(h, 0, none, 0, on_status, c);
    kanal_event event = { .struct_size = sizeof event, .type = NOTHING, .dedupe = NOTHING };
    const kanal_event *events[1] = { &event };
    h->publish(h, 0, events, 1, on_status, c);
    c->blobs->put(h, NOTHING, kanal_str_of(NULL, 0), key, on_status_value, c);
    c->blobs->put(h, kanal_str_of(NULL, 0), kanal_str_of(NULL, 0), NOTHING, on_status_value, c);
    c->blobs->put(h, KANAL_LIT("text/html\r\nx: y"), kanal_str_of(NULL, 0), key, on_status_value, c);
    c->blobs->url(h, NOTHING, on_status_value, c);
    answer(c, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* Callbacks that are NULL: nobody hears the end. */
static void hostile_callbacks(kanal_channel *c, kanal_op op, yyjson_val *arguments)
{
    const kanal_host *h = c->host;
    const kanal_str key = KANAL_LIT("key"), sha = KANAL_LIT("hmac-sha256");
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("GET"),
                                   .url = KANAL_LIT("http://127.0.0.1:1/") };
    (void)arguments;
    h->timer(h, 0, NULL, NULL);
    h->verify(h, key, sha, key, key, NULL, NULL);
    h->sign(h, KANAL_LIT("token"), sha, key, NULL, NULL);
    h->state_get(h, key, NULL, NULL);
    h->state_put(h, key, key, UINT64_MAX, NULL, NULL);
    h->http_send(h, 0, &request, NULL, NULL);
    c->blobs->put(h, key, key, key, NULL, NULL);
    c->blobs->url(h, key, NULL, NULL);
    answer(c, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* What is answered at once, and answers to what was never asked. */
static void hostile_answers(kanal_channel *c, kanal_op op, yyjson_val *arguments)
{
    const kanal_host *h = c->host;
    const kanal_field label = { NOTHING, NOTHING };
    (void)arguments;
    h->log(h, 0, 77, NOTHING);
    h->log(h, UINT64_MAX, -77, (kanal_str){ NULL, SIZE_MAX });
    h->metric_add(h, NOTHING, 1, NULL, 0);
    h->metric_add(h, KANAL_LIT("x"), 1, NULL, 3);
    h->metric_add(h, KANAL_LIT("x"), 1, &label, 1);
    h->metric_add(h, KANAL_LIT("endless"), (double)INFINITY, NULL, 0);
    h->metric_add(h, KANAL_LIT("nan"), (double)NAN, NULL, 0);
    h->random(h, NULL, 16);
    h->cancel(h, 0);
    h->cancel(h, UINT64_MAX);
    h->cancel(h, op); /* not a request of its own */
    if (h->extension(h, NULL) || h->extension(h, "kanal.nothing/9"))
        note(c, "an extension of nothing", 1);
    h->finish(h, op, KANAL_OK, NOTHING);
    h->finish(h, 12345, KANAL_OK, NOTHING);
    h->delivered(h, 12345, NULL);
    h->delivered(h, op, NULL);
    h->locate(h, 12345, KANAL_OK, NULL);
    h->respond(h, 12345, NULL);
    c->sockets->accept(h, 12345, 0);
    c->sockets->close(h, op, 1000, NOTHING);
    if (c->sockets->send(h, op, 77, NOTHING))
        note(c, "sent to nobody", 1);
    answer(c, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void hostile_health(kanal_channel *c, kanal_op op, yyjson_val *arguments)
{
    (void)arguments;
    c->host->health(c->host, 77, NOTHING);
    c->host->health(c->host, KANAL_OK, (kanal_str){ NULL, SIZE_MAX });
    answer(c, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* Answers to a request that are none: {"how": …}. */
static void hostile_respond(kanal_channel *c, kanal_op op, yyjson_val *arguments)
{
    const kanal_host *h = c->host;
    kanal_str how = kanal_json_text_at(arguments, "how");
    kanal_field headers[] = { { KANAL_LIT("x-bad"), KANAL_LIT("a\r\nset-cookie: b") },
                              { KANAL_LIT("x-bad\r\nset-cookie"), KANAL_LIT("b") },
                              { KANAL_LIT("content-length"), KANAL_LIT("3") },
                              { KANAL_LIT("x-good"), KANAL_LIT("yes") } };
    kanal_http_response response = { .struct_size = sizeof response, .code = 200, .body = KANAL_LIT("{}") };
    if (kanal_str_is(how, "null")) {
        h->respond(h, op, NULL);
        return;
    }
    if (kanal_str_is(how, "short"))
        response.struct_size = 8;
    else if (kanal_str_is(how, "body"))
        response.body = NOTHING;
    else if (kanal_str_is(how, "count"))
        response.header_count = SIZE_MAX;
    else if (kanal_str_is(how, "headers"))
        response.header_count = 2;
    else if (kanal_str_is(how, "code"))
        response.code = (int32_t)kanal_json_int_at(arguments, "code", INT32_MIN);
    response.headers = kanal_str_is(how, "headers") ? NULL : headers;
    if (kanal_str_is(how, "injection"))
        response.header_count = 4;
    h->respond(h, op, &response);
}

const struct slot probe_hostile_slots[] = {
    { "hostile_requests", hostile_requests }, { "hostile_callbacks", hostile_callbacks },
    { "hostile_answers", hostile_answers },   { "hostile_health", hostile_health },
    { "hostile_respond", hostile_respond },   { 0 },
};
