/* Hostile callbacks: they pass the signature, so the plugin is all that stands before them. */
#include <stdio.h>

#include "test/capture.h"

static void try_body(kanal_str body, void *user)
{
    int code = post(user, body)->response.code;
    cr_assert(code == 200 || code == 400, "%d for %.*s", code, (int)body.len, body.ptr);
}

static size_t bodies;

static void mutate(const char *name, void *user)
{
    (void)user;
    size_t len;
    char *text = fixture_read(FIXTURES, name, &len);
    struct fake_host *host = channel_new("{\"welcome\":\"hi\"}");
    bodies += fixture_mutate(kanal_str_of(text, len), try_body, host);
    free(text);
    channel_free(host);
}

/* What is published is well-formed (the fake host checks) and strictly valid by the contract (the shapes test checks the
 * events written by this run). */
Test(hostile, any_value_may_be_any_other_or_missing)
{
    fixture_each(FIXTURES, mutate, NULL);
    cr_expect_gt(bodies, 3000);
}

static void try_cut(kanal_str body, void *user)
{
    cr_expect_eq(post(user, body)->response.code, 400, "cut after %zu bytes", body.len);
}

Test(hostile, a_body_may_end_anywhere)
{
    size_t len;
    char *text = fixture_read(FIXTURES, "picture", &len);
    struct fake_host *host = channel_new(NULL);
    cr_expect_gt(fixture_truncate(kanal_str_of(text, len), try_cut, host), 100);
    cr_expect_eq(fake_event_count(host), 0);
    free(text);
    channel_free(host);
}

static void expect_token(const char *token, const char *external_id)
{
    char body[512];
    struct fake_host *host = channel_new(NULL);
    snprintf(body, sizeof body,
             "{\"event\":\"message\",\"message_token\":%s,\"sender\":{\"id\":\"a\"},\"message\":{\"type\":"
             "\"text\",\"text\":\"x\"}}",
             token);
    cr_expect_eq(post(host, kanal_str_c(body))->response.code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    const kanal_event *event = &fake_event_at(host, 0)->event;
    cr_expect(kanal_str_is(event->external_id, external_id), "%s: %.*s", token, (int)event->external_id.len,
              event->external_id.ptr);
    cr_expect_gt(event->dedupe.len, 0);
    channel_free(host);
}

Test(hostile, tokens_at_the_edges_of_numbers)
{
    expect_token("9007199254740993", "9007199254740993");
    expect_token("9223372036854775807", "9223372036854775807");
    expect_token("18446744073709551615", "18446744073709551615");
    expect_token("\"5741311803571721087\"", "5741311803571721087");
    expect_token("18446744073709551616", ""); /* no number any more: the bytes dedupe */
    expect_token("-1", "");
    expect_token("1.5", "");
    expect_token("\"a b\"", "");
}

Test(hostile, long_texts_stay_within_the_contract)
{
    struct kanal_buffer out = { 0 };
    struct fake_host *host = channel_new(NULL);
    kanal_buffer_text(&out,
                      "{\"event\":\"message\",\"message_token\":1,\"sender\":{\"id\":\"a\",\"name\":\"");
    for (size_t i = 0; i < 2000; i++)
        kanal_buffer_text(&out, "я");
    kanal_buffer_text(&out, "\"},\"message\":{\"type\":\"text\",\"text\":\"");
    for (size_t i = 0; i < 100000; i++)
        kanal_buffer_text(&out, "ж");
    kanal_buffer_text(&out, "\"}}");
    cr_expect_eq(post(host, kanal_buffer_view(&out))->response.code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect_lt(fake_event_at(host, 0)->event.data.len, 64 * 1024);
    kanal_buffer_clear(&out);
    kanal_buffer_text(&out, "{\"event\":\"message\",\"message_token\":1,\"sender\":{\"id\":\"");
    for (size_t i = 0; i < 2000; i++)
        kanal_buffer_text(&out, "a"); /* an id that is none */
    kanal_buffer_text(&out, "\"},\"message\":{\"type\":\"text\",\"text\":\"x\"}}");
    cr_expect_eq(post(host, kanal_buffer_view(&out))->response.code, 200);
    cr_expect_eq(fake_event_count(host), 1);
    kanal_buffer_release(&out);
    channel_free(host);
}
