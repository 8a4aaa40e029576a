#include <criterion/criterion.h>
#include <stdio.h>
#include "kanal/testing/fakehost.h"

static kanal_str read_fixture(const char *name, char *buffer, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", FIXTURES, name);
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    size_t len = fread(buffer, 1, size, file);
    fclose(file);
    return kanal_str_of(buffer, len);
}

static struct fake_host *new_host(const char *settings)
{
    struct fake_host *host = fake_new(kanal_plugin_v1(), settings, NULL, 0);
    cr_assert_not_null(host);
    return host;
}

static const kanal_http_response *post(struct fake_host *host, kanal_str body)
{
    kanal_op op = fake_http(host, "POST", "/", NULL, 0, body);
    cr_assert(fake_answer(host, op)->answered);
    return &fake_answer(host, op)->response;
}

static const char *get(struct fake_host *host, const char *target)
{
    kanal_op op = fake_http(host, "GET", target, NULL, 0, kanal_str_of(NULL, 0));
    cr_assert_eq(fake_answer(host, op)->response.code, 200);
    return fake_answer(host, op)->response.body.ptr;
}

static const kanal_result *send_text(struct fake_host *host, const char *address, const char *key,
                                     const char *data)
{
    const kanal_delivery delivery = { .address = kanal_str_c(address),
                                      .idempotency_key = kanal_str_c(key),
                                      .data = kanal_str_c(data) };
    return &fake_answer(host, fake_deliver(host, &delivery))->result;
}

Test(echo, a_post_becomes_an_event)
{
    struct fake_host *host = new_host(NULL);
    char buffer[1024];
    cr_assert_eq(post(host, read_fixture("message.json", buffer, sizeof buffer))->code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    const struct fake_event *event = fake_event_at(host, 0);
    cr_assert(kanal_str_is(event->event.type, "message.received"));
    cr_assert(kanal_str_is(event->event.address, "echo:anna"));
    cr_assert(kanal_str_is(event->event.dedupe, "m-1"));
    cr_assert(kanal_str_is(
        event->event.data,
        "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"Привет! \\\"Работаете\\\" сегодня?\"}]}}"));
    cr_assert_neq(event->cause, 0);
    cr_assert_eq(post(host, read_fixture("strange_name.json", buffer, sizeof buffer))->code, 200);
    cr_assert(
        kanal_str_is(fake_event_at(host, 1)->event.address, "echo:%D0%90%D0%BD%D0%BD%D0%B0%20%D0%9A%2F1"));
    cr_assert(kanal_str_is(fake_event_at(host, 1)->event.dedupe, "7"));
    cr_assert_eq(fake_free(host), 0);
}

Test(echo, without_an_id_equal_texts_are_two_messages)
{
    struct fake_host *host = new_host(NULL);
    post(host, KANAL_LIT("{\"from\":\"a\",\"text\":\"x\"}"));
    post(host, KANAL_LIT("{\"from\":\"a\",\"text\":\"x\"}"));
    cr_assert_eq(fake_event_count(host), 2);
    cr_assert_eq(fake_event_at(host, 0)->event.dedupe.len, 32);
    cr_assert_not(
        kanal_str_equal(fake_event_at(host, 0)->event.dedupe, fake_event_at(host, 1)->event.dedupe));
    cr_assert_eq(fake_free(host), 0);
}

#define BYTES_65 "12345678901234567890123456789012345678901234567890123456789012345"

Test(echo, bad_input_is_refused_with_a_reason)
{
    struct fake_host *host = new_host(NULL);
    static const char *const bodies[] = { "",
                                          "{",
                                          "[]",
                                          "null",
                                          "{\"from\":\"a\"}",
                                          "{\"text\":\"a\"}",
                                          "{\"from\":\"\",\"text\":\"a\"}",
                                          "{\"from\":\"a\",\"text\":\"\"}",
                                          "{\"from\":1,\"text\":\"a\"}",
                                          "{\"from\":\"a\",\"text\":[]}",
                                          "{\"from\":\"a\",\"text\":\"\xFF\"}",
                                          ("{\"from\":\"" BYTES_65 "\",\"text\":\"a\"}"),
                                          ("{\"from\":\"a\",\"text\":\"a\",\"id\":\"" BYTES_65 "\"}") };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        const kanal_http_response *response = post(host, kanal_str_c(bodies[i]));
        cr_assert_eq(response->code, 400, "body %zu", i);
        cr_assert_not_null(strstr(response->body.ptr, "invalid_request"));
    }
    cr_assert_eq(fake_event_count(host), 0);
    cr_assert_eq(fake_free(host), 0);
}

Test(echo, a_broker_that_is_away_gives_503)
{
    struct fake_host *host = new_host(NULL);
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_assert_eq(post(host, KANAL_LIT("{\"from\":\"a\",\"text\":\"x\"}"))->code, 503);
    cr_assert_eq(fake_free(host), 0);
}

Test(echo, what_is_sent_can_be_fetched)
{
    struct fake_host *host = new_host(NULL);
    const kanal_result *result = send_text(
        host, "echo:anna", "k1", "{\"content\":[{\"type\":\"text\",\"text\":\"Ответ \\\"да\\\"\"}]}");
    cr_assert_eq(result->outcome, KANAL_SENT);
    cr_assert(kanal_str_is(result->external_id, "k1"));
    send_text(host, "echo:boris", "k2", "{\"content\":[{\"type\":\"text\",\"text\":\"other\"}]}");
    cr_assert_str_eq(get(host, "/outbox?to=anna"),
                     "{\"messages\":[{\"id\":\"k1\",\"text\":\"Ответ \\\"да\\\"\"}]}");
    cr_assert_str_eq(get(host, "/outbox?to=nobody"), "{\"messages\":[]}");
    cr_assert_str_eq(get(host, "/outbox"), "{\"messages\":[]}");
    cr_assert_str_eq(get(host, "/outbox?to=%zz"), "{\"messages\":[]}");
    cr_assert_eq(fake_free(host), 0);
}

Test(echo, the_outbox_is_bounded)
{
    struct fake_host *host = new_host("{\"outbox\":2}");
    for (int i = 1; i <= 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        send_text(host, "echo:a%20b", key, "{\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}");
    }
    cr_assert_str_eq(get(host, "/outbox?to=a+b"),
                     "{\"messages\":[{\"id\":\"k4\",\"text\":\"t\"},{\"id\":\"k5\",\"text\":\"t\"}]}");
    cr_assert_eq(fake_free(host), 0);
}

Test(echo, what_cannot_be_sent_fails_with_a_code)
{
    struct fake_host *host = new_host(NULL);
    static const char text[] = "{\"content\":[{\"type\":\"text\",\"text\":\"t\"}]}";
    cr_assert(kanal_str_is(send_text(host, "telegram:1", "k", text)->code, "recipient_unknown"));
    cr_assert(kanal_str_is(send_text(host, NULL, "k", text)->code, "recipient_unknown"));
    cr_assert(kanal_str_is(send_text(host, "echo:a", "k", "{\"content\":[]}")->code, "unsupported_content"));
    cr_assert(kanal_str_is(send_text(host, "echo:a", "k", "{\"content\":[{\"type\":\"location\"}]}")->code,
                           "unsupported_content"));
    cr_assert(kanal_str_is(send_text(host, "echo:a", "k", "nonsense")->code, "unsupported_content"));
    cr_assert_eq(send_text(host, "echo:a", "k", "{}")->outcome, KANAL_FAILED);
    cr_assert_eq(fake_free(host), 0);
}
