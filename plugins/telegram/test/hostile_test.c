/* Hostile updates: they pass the secret, so the plugin is all that stands before them. */
#include <dirent.h>
#include <stdio.h>

#include "test/capture.h"

static const char *const values[] = { "null",
                                      "true",
                                      "[]",
                                      "{}",
                                      "[[[]]]",
                                      "\"\"",
                                      "\"x\"",
                                      "0",
                                      "-1",
                                      "1.5",
                                      "1e308",
                                      "4503599627370496",
                                      "-4503599627370496",
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "18446744073709551615",
                                      "{\"id\":\"x\"}",
                                      "[{\"type\":\"bold\",\"offset\":-5,\"length\":9}]",
                                      "\"\\u0000\\uD83D\\uDE00\\u202e</b>\"" };
#define VALUES (sizeof values / sizeof *values)

/* The document with its nth value (in order of reading) replaced; 0: there are fewer. */
static int replace(struct kanal_json *json, yyjson_val *value, size_t *n, const char *with)
{
    size_t index, max;
    yyjson_val *key, *member;
    if ((*n)-- == 0) {
        kanal_json_raw(json, kanal_str_c(with));
        return 1;
    }
    int done = 0;
    if (yyjson_is_obj(value)) {
        kanal_json_object(json);
        yyjson_obj_foreach (value, index, max, key, member) {
            kanal_json_key_str(json, kanal_json_text(key));
            if (done)
                kanal_json_value(json, member);
            else
                done = replace(json, member, n, with);
        }
        kanal_json_object_end(json);
    } else if (yyjson_is_arr(value)) {
        kanal_json_array(json);
        yyjson_arr_foreach (value, index, max, member) {
            if (done)
                kanal_json_value(json, member);
            else
                done = replace(json, member, n, with);
        }
        kanal_json_array_end(json);
    } else {
        kanal_json_value(json, value);
    }
    return done;
}

static void answer_all(struct fake_host *host)
{
    while (fake_request_count(host) > 0)
        fake_request_answer(host, 0, 200, OK_TRUE);
}

/* Every value of the fixture in turn is something else. The answer is 200 or 400, and what was published is
 * well-formed (the fake host checks) and strictly valid by the contract (the shapes test checks the events
 * written by this run). */
static size_t mutate(struct fake_host *host, const char *name)
{
    size_t len, posts = 0;
    char *text = read_fixture(name, &len);
    yyjson_doc *document = kanal_json_parse(kanal_str_of(text, len));
    cr_assert_not_null(document);
    for (size_t at = 0, more = 1; more; at++) {
        const char *with = values[(at * 7 + len) % VALUES];
        for (size_t v = 0; v < 3 && more; v++, with = values[(at * 7 + len + v * 5) % VALUES]) {
            struct kanal_buffer out = { 0 };
            struct kanal_json json;
            size_t n = at;
            kanal_json_init(&json, &out);
            more = (size_t)replace(&json, yyjson_doc_get_root(document), &n, with);
            if (more) {
                int code = post_update(host, out.data, out.len);
                cr_assert(code == 200 || code == 400, "%s with value %zu as %s: %d", name, at, with, code);
                answer_all(host);
                posts++;
            }
            kanal_buffer_release(&out);
        }
    }
    yyjson_doc_free(document);
    free(text);
    return posts;
}

Test(hostile, any_value_may_be_any_other)
{
    DIR *folder = opendir(FIXTURES);
    size_t posts = 0;
    cr_assert_not_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char name[256];
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".json") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len - 5), entry->d_name);
        struct fake_host *host = channel_new(NULL);
        posts += mutate(host, name);
        channel_free(host);
    }
    closedir(folder);
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
