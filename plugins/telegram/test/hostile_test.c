/* Hostile updates: they pass the secret, so the plugin is all that stands before them. */
#include <stdio.h>

#include "test/capture.h"

static void answer_all(struct fake_host *host)
{
    while (fake_request_count(host) > 0)
        fake_request_answer(host, 0, 200, OK_TRUE);
}

struct mutation {
    struct fake_host *host;
    const char *name;
};

/* The answer is 200 or 400, and what was published is well-formed (the fake host checks) and strictly valid by the contract (the shapes
 * test checks the events written by this run). */
static void post_mutant(kanal_str body, void *user)
{
    const struct mutation *m = user;
    int code = post_update(m->host, body.ptr, body.len);
    cr_assert(code == 200 || code == 400, "%s as %.*s: %d", m->name, (int)body.len, body.ptr, code);
    answer_all(m->host);
}

static void mutate(const char *name, void *user)
{
    size_t len, *posts = user;
    char *text = read_fixture(name, &len);
    struct mutation m = { channel_new(NULL), name };
    *posts += fixture_mutate(kanal_str_of(text, len), post_mutant, &m);
    channel_free(m.host);
    free(text);
}

Test(hostile, any_value_may_be_any_other)
{
    size_t posts = 0;
    fixture_each(FIXTURES, mutate, &posts);
    cr_expect_gt(posts, 3000);
}

Test(hostile, a_body_may_end_anywhere)
{
    size_t len;
    char *text = read_fixture("text-entities", &len);
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i + 2 < len; i += 3) /* without the last '}' and '\n' */
        cr_expect_eq(post_update(host, text, i), 400, "cut after %zu bytes", i);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_gt(fake_metric(host, "updates_unreadable"), 0);
    free(text);
    channel_free(host);
}

Test(hostile, what_is_no_update_is_refused)
{
    static const char *const bodies[] = { "",
                                          "null",
                                          "[]",
                                          "\"x\"",
                                          "5",
                                          "{}",
                                          "{\"update_id\":\"5\"}",
                                          "{\"update_id\":-5,\"message\":{}}",
                                          "{\"update_id\":1.5}",
                                          "{\"update_id\":9223372036854775807}",
                                          "\xff\xfe",
                                          "{\"update_id\":1,\"message\":{\"text\":\"\xc3\x28\"}}",
                                          "{\"update_id\":1,\"message\":{\"text\":\"\\ud800\"}}" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        cr_expect_eq(post_update(host, bodies[i], strlen(bodies[i])), 400, "%s", bodies[i]);
    cr_expect_eq(fake_event_count(host), 0);
    channel_free(host);
}

Test(hostile, deep_nesting_is_refused_or_left_out)
{
    struct fake_host *host = channel_new(NULL);
    for (size_t depth = 1; depth <= 200; depth += 9) {
        struct kanal_buffer out = { 0 };
        kanal_buffer_text(&out, "{\"update_id\":5,\"future\":{\"from\":{\"id\":5},\"x\":");
        for (size_t i = 0; i < depth; i++)
            kanal_buffer_text(&out, i % 2 ? "{\"a\":" : "[");
        kanal_buffer_text(&out, "1");
        for (size_t i = depth; i > 0; i--)
            kanal_buffer_text(&out, (i - 1) % 2 ? "}" : "]");
        kanal_buffer_text(&out, "}}");
        int code = post_update(host, out.data, out.len);
        cr_expect_eq(code, depth <= 62 ? 200 : 400, "depth %zu: %d", depth, code);
        kanal_buffer_release(&out);
    }
    channel_free(host);
}

Test(hostile, ids_at_the_edges_of_numbers)
{
    static const char *const ids[] = { "4503599627370495", "-4503599627370496", "9223372036854775807",
                                       "-9223372036854775808" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char update[512], address[64];
        snprintf(update, sizeof update,
                 "{\"update_id\":%zu,\"message\":{\"message_id\":9223372036854775807,\"date\":"
                 "9223372036854775807,\"chat\":{\"id\":%s,"
                 "\"type\":\"private\"},\"from\":{\"id\":%s,\"first_name\":\"x\"},\"text\":\"hi\"}}",
                 i + 1, ids[i], ids[i]);
        cr_expect_eq(post_update(host, update, strlen(update)), 200);
        snprintf(address, sizeof address, "telegram:%s", ids[i]);
        EXPECT_TEXT(fake_event_at(host, i)->event.address.ptr, address);
        cr_expect_eq(fake_event_at(host, i)->event.time_ms, 0);
    }
    /* Over 64 bits, and as text: that is nobody. */
    const char *over = "{\"update_id\":9,\"message\":{\"chat\":{\"id\":18446744073709551615},\"from\":{"
                       "\"id\":\"5\"},\"text\":\"hi\"}}";
    cr_expect_eq(post_update(host, over, strlen(over)), 200);
    cr_expect_eq(fake_event_count(host), 4);
    channel_free(host);
}

Test(hostile, long_text_stays_within_the_contract)
{
    struct kanal_buffer out = { 0 };
    struct fake_host *host = channel_new(NULL);
    kanal_buffer_text(&out, "{\"update_id\":1,\"message\":{\"message_id\":1,\"chat\":{\"id\":5,\"type\":"
                            "\"private\",\"title\":\"");
    for (size_t i = 0; i < 2000; i++)
        kanal_buffer_text(&out, "ж");
    kanal_buffer_text(&out, "\"},\"from\":{\"id\":5,\"first_name\":\"");
    for (size_t i = 0; i < 2000; i++)
        kanal_buffer_text(&out, "я");
    kanal_buffer_text(&out,
                      "\"},\"entities\":[{\"type\":\"bold\",\"offset\":0,\"length\":200000}],\"text\":\"");
    for (size_t i = 0; i < 200000; i++)
        kanal_buffer_text(&out, i % 3 ? "<" : "😀");
    kanal_buffer_text(&out, "\"}}");
    cr_expect_eq(post_update(host, out.data, out.len), 200);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect_lt(fake_event_at(host, 0)->event.data.len, 200 * 1024);
    kanal_buffer_release(&out);
    channel_free(host);
}
