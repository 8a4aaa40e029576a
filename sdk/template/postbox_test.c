/* Unit tests of postbox, on the fake host: no broker, no network, a clock that stands still. */
#include <kanal/testing/fakehost.h>
#include <stdio.h>

static int failures;

#define CHECK(condition)                                                                                     \
    ((condition) ? (void)0                                                                                   \
                 : (void)(failures++, fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition)))

static const char *const secrets[][2] = { { "token", "a-token" }, { "webhook", "a-shared-secret" } };

static struct fake_host *new_host(void)
{
    return fake_new(kanal_plugin_v1(), "{\"api_url\":\"https://app.example.com\"}", secrets, 2);
}

static int32_t post(struct fake_host *host, const char *body)
{
    kanal_op op = fake_http_signed(host, "POST", "/", NULL, 0, kanal_str_c(body));
    return fake_answer(host, op)->response.code;
}

static kanal_op send_text(struct fake_host *host, const char *address)
{
    const kanal_delivery delivery = { .address = kanal_str_c(address),
                                      .data = KANAL_LIT(
                                          "{\"content\":[{\"type\":\"text\",\"text\":\"Hello\"}]}") };
    return fake_deliver(host, &delivery);
}

static void test_a_post_becomes_an_event(void)
{
    struct fake_host *host = new_host();
    CHECK(post(host, "{\"id\":\"7\",\"from\":\"anna k\",\"name\":\"Anna\",\"text\":\"hi\"}") == 200);
    CHECK(fake_event_count(host) == 1);
    const kanal_event *event = &fake_event_at(host, 0)->event;
    CHECK(kanal_str_is(event->type, "message.received"));
    CHECK(kanal_str_is(event->address, "postbox:anna%20k"));
    CHECK(kanal_str_is(event->dedupe, "7"));
    CHECK(fake_free(host) == 0);
}

static void test_a_name_that_is_too_long_is_left_out(void)
{
    struct fake_host *host = new_host();
    char body[512];
    snprintf(body, sizeof body, "{\"id\":\"7\",\"from\":\"anna\",\"name\":\"%0300d\",\"text\":\"hi\"}", 0);
    CHECK(post(host, body) == 200);
    CHECK(fake_free(host) == 0); /* the event is valid by the contract */
}

static void test_bad_posts_are_refused(void)
{
    struct fake_host *host = new_host();
    static const char *const bodies[] = { "", "{", "[]", "{\"id\":\"7\"}",
                                          "{\"id\":[],\"from\":\"a\",\"text\":\"b\"}" };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        CHECK(post(host, bodies[i]) == 400);
    kanal_op unsigned_one = fake_http(host, "POST", "/", NULL, 0, KANAL_LIT("{}"));
    CHECK(fake_answer(host, unsigned_one)->response.code == 401); /* the host's answer */
    CHECK(fake_event_count(host) == 0);
    CHECK(fake_free(host) == 0);
}

static void test_a_text_is_sent(void)
{
    struct fake_host *host = new_host();
    kanal_op op = send_text(host, "postbox:anna%20k");
    CHECK(fake_request_count(host) == 1);
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    CHECK(kanal_str_is(request->url, "https://app.example.com/messages"));
    CHECK(kanal_str_is(request->body, "{\"to\":\"anna k\",\"text\":\"Hello\"}"));
    CHECK(kanal_str_is(request->secrets[0].secret, "token"));
    fake_request_answer(host, 0, 200, "{\"id\":\"m-1\"}");
    CHECK(fake_answer(host, op)->result.outcome == KANAL_SENT);
    CHECK(kanal_str_is(fake_answer(host, op)->result.external_id, "m-1"));
    CHECK(fake_free(host) == 0);
}

/* What the server says, and what becomes of the message. */
static void test_outcomes(void)
{
    static const struct {
        int code;
        int32_t outcome;
    } cases[] = { { 201, KANAL_SENT },  { 400, KANAL_FAILED }, { 401, KANAL_FAILED }, { 404, KANAL_FAILED },
                  { 429, KANAL_RETRY }, { 500, KANAL_RETRY },  { 503, KANAL_RETRY } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fake_host *host = new_host();
        kanal_op op = send_text(host, "postbox:anna");
        fake_request_answer(host, 0, cases[i].code, "{}");
        CHECK(fake_answer(host, op)->result.outcome == cases[i].outcome);
        CHECK(fake_free(host) == 0);
    }
    struct fake_host *host = new_host();
    kanal_op op = send_text(host, "postbox:anna");
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    CHECK(fake_answer(host, op)->result.outcome == KANAL_UNKNOWN);
    CHECK(fake_free(host) == 0);
}

static void test_stop_while_a_message_is_under_way(void)
{
    struct fake_host *host = new_host();
    send_text(host, "postbox:anna");
    CHECK(fake_free(host) == 0); /* counts what was not answered */
}

int main(void)
{
    test_a_post_becomes_an_event();
    test_a_name_that_is_too_long_is_left_out();
    test_bad_posts_are_refused();
    test_a_text_is_sent();
    test_outcomes();
    test_stop_while_a_message_is_under_way();
    printf(failures ? "%d checks failed\n" : "all tests passed\n", failures);
    return failures != 0;
}
