/* Hostile events: they pass the secret, so the plugin is all that stands before them. */
#include <stdio.h>

#include "test/capture.h"

static void try_body(kanal_str body, void *user)
{
    struct fake_host *host = user;
    int code = post(host, body)->response.code;
    cr_assert(code == 200 || code == 400 || code == 401 || code == 403, "%d for %.*s", code, (int)body.len,
              body.ptr);
    answer_all(host);
}

static size_t bodies;

static void mutate(const char *name, void *user)
{
    (void)user;
    size_t len;
    char *text = fixture_read(FIXTURES, name, &len);
    struct fake_host *host = channel_new(NULL);
    bodies += fixture_mutate(kanal_str_of(text, len), try_body, host);
    free(text);
    channel_free(host);
}

/* What is published is well-formed (the fake host checks) and strictly valid by the contract (the shapes test checks
 * the events written by this run). */
Test(hostile, any_value_may_be_any_other_or_missing)
{
    fixture_each(FIXTURES, mutate, NULL);
    cr_expect_gt(bodies, 10000);
}

static void try_cut(kanal_str body, void *user)
{
    cr_expect_eq(post(user, body)->response.code, 400, "cut after %zu bytes", body.len);
}

Test(hostile, a_body_may_end_anywhere)
{
    size_t len;
    char *text = fixture_read(FIXTURES, "forward", &len);
    struct fake_host *host = channel_new(NULL);
    cr_expect_gt(fixture_truncate(kanal_str_of(text, len), try_cut, host), 100);
    cr_expect_eq(fake_event_count(host), 0);
    free(text);
    channel_free(host);
}

#define HEAD                                                                                                 \
    "{\"type\":\"message_new\",\"group_id\":205112233,\"secret\":\"aaQ13axAPQEcczQa\",\"event_id\":\"e1\","  \
    "\"object\":"

Test(hostile, one_wrong_member_does_not_lose_the_rest)
{
    static const char body[] =
        HEAD "{\"client_info\":5,\"message\":{\"from_id\":41887,\"peer_id\":41887,\"conversation_message_"
             "id\":\"x\",\"date\":\"x\","
             "\"text\":\"Привет\",\"payload\":[],\"geo\":7,\"fwd_messages\":{\"a\":1},\"reply_message\":[],"
             "\"attachments\":[5,null,{},{\"type\":7},"
             "{\"type\":\"photo\"},{\"type\":\"photo\",\"photo\":{\"sizes\":[{\"url\":5}]}},{\"type\":"
             "\"doc\",\"doc\":{\"url\":\"javascript:x\",\"title\":\"a\",\"id\":1,\"owner_id\":2}}]}}}";
    struct fake_host *host = channel_new(",\"profiles\":false");
    cr_expect_eq(post(host, kanal_str_c(body))->response.code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Привет");
    EXPECT_TEXT(event_value(host, 0, "message/content/1/type"), "unsupported");
    EXPECT_TEXT(event_value(host, 0, "message/content/7/name"), "a");
    EXPECT_TEXT(event_value(host, 0, "message/content/7/unavailable"), "failed");
    channel_free(host);
}

Test(hostile, ids_at_the_edges_of_numbers)
{
    static const char *const ids[] = { "9007199254740993", "9223372036854775807", "-9223372036854775808" };
    struct fake_host *host = channel_new(",\"profiles\":false");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char body[512], address[64], id[64];
        snprintf(body, sizeof body,
                 HEAD "{\"message\":{\"from_id\":%s,\"peer_id\":%s,\"conversation_message_id\":"
                      "9007199254740993,\"date\":9223372036854775807,\"text\":\"x\"}}}",
                 ids[i], ids[i]);
        cr_expect_eq(post(host, kanal_str_c(body))->response.code, 200);
        snprintf(address, sizeof address, "vk:%s", ids[i]);
        snprintf(id, sizeof id, "%s/9007199254740993", ids[i]);
        EXPECT_TEXT(fake_event_at(host, i)->event.address.ptr, address);
        EXPECT_TEXT(fake_event_at(host, i)->event.external_id.ptr, id);
        cr_expect_eq(fake_event_at(host, i)->event.time_ms, 0);
    }
    channel_free(host);
}

Test(hostile, deep_nesting_is_refused_or_left_out)
{
    struct fake_host *host = channel_new(",\"profiles\":false");
    for (size_t depth = 1; depth <= 200; depth += 9) {
        struct kanal_buffer out = { 0 };
        kanal_buffer_text(&out, HEAD "{\"message\":{\"from_id\":5,\"x\":");
        for (size_t i = 0; i < depth; i++)
            kanal_buffer_text(&out, i % 2 ? "{\"fwd_messages\":" : "[");
        kanal_buffer_text(&out, "1");
        for (size_t i = depth; i > 0; i--)
            kanal_buffer_text(&out, (i - 1) % 2 ? "}" : "]");
        kanal_buffer_text(&out, "}}}");
        int code = post(host, kanal_buffer_view(&out))->response.code;
        cr_expect_eq(code, depth <= 61 ? 200 : 400, "depth %zu: %d", depth, code);
        kanal_buffer_release(&out);
    }
    channel_free(host);
}

Test(hostile, long_and_many_stay_within_the_contract)
{
    struct kanal_buffer out = { 0 };
    struct fake_host *host = channel_new(",\"profiles\":false");
    kanal_buffer_text(&out, HEAD
                      "{\"message\":{\"from_id\":5,\"peer_id\":5,\"conversation_message_id\":1,\"text\":\"");
    for (size_t i = 0; i < 60000; i++)
        kanal_buffer_text(&out, i % 3 ? "ж" : "&lt;");
    kanal_buffer_text(&out, "\",\"fwd_messages\":[");
    for (size_t i = 0; i < 300; i++)
        kanal_buffer_text(&out, i ? ",{\"from_id\":7,\"text\":\"f\"}" : "{\"from_id\":7,\"text\":\"f\"}");
    kanal_buffer_text(&out, "]}}}");
    cr_expect_eq(post(host, kanal_buffer_view(&out))->response.code, 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect_str_neq(event_value(host, 0, "message/content/63"), "");
    EXPECT_TEXT(event_value(host, 0, "message/content/64"), "");
    kanal_buffer_release(&out);
    channel_free(host);
}

Test(hostile, an_event_without_event_id_is_deduped_by_its_bytes)
{
    static const char one[] = "{\"type\":\"message_deny\",\"group_id\":205112233,\"secret\":"
                              "\"aaQ13axAPQEcczQa\",\"object\":{\"user_id\":5}}";
    static const char two[] = "{\"type\":\"message_deny\",\"group_id\":205112233,\"secret\":"
                              "\"aaQ13axAPQEcczQa\",\"object\":{\"user_id\":6}}";
    struct fake_host *host = channel_new(NULL);
    post(host, kanal_str_c(one));
    post(host, kanal_str_c(one));
    post(host, kanal_str_c(two));
    cr_assert_eq(fake_event_count(host), 3);
    EXPECT_TEXT(fake_event_at(host, 0)->event.dedupe.ptr, fake_event_at(host, 1)->event.dedupe.ptr);
    cr_expect_str_neq(fake_event_at(host, 0)->event.dedupe.ptr, fake_event_at(host, 2)->event.dedupe.ptr);
    channel_free(host);
}
