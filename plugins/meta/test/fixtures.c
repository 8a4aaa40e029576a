/* Golden files, and fixtures with every value replaced. */
#include <dirent.h>
#include <stdio.h>

#include "support.h"

static char *read_file(const char *path, size_t *ret_len)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s cannot be read", path);
    cr_assert_eq(fseek(file, 0, SEEK_END), 0);
    long len = ftell(file);
    cr_assert_geq(len, 0);
    rewind(file);
    char *text = malloc((size_t)len + 1);
    cr_assert_not_null(text);
    cr_assert_eq(fread(text, 1, (size_t)len, file), (size_t)len);
    text[len] = 0;
    fclose(file);
    *ret_len = (size_t)len;
    return text;
}

char *read_fixture(const char *name, size_t *ret_len)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.json", FIXTURES, name);
    return read_file(path, ret_len);
}

/* Calls it for the name of each fixture; how many there were. */
static size_t each_fixture(void (*call)(const char *name, void *user), void *user)
{
    DIR *folder = opendir(FIXTURES);
    size_t count = 0;
    cr_assert_not_null(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        char name[256];
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".json") != 0 ||
            strcmp(entry->d_name, "conformance.json") == 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len - 5), entry->d_name);
        call(name, user);
        count++;
    }
    closedir(folder);
    return count;
}

/* ---- Golden files ---- */

/* The events as one JSON array: what the plugin said, without what the core adds. */
static void describe(struct fake_host *host, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_array(&json);
    for (size_t i = 0; i < fake_event_count(host); i++) {
        const kanal_event *event = &fake_event_at(host, i)->event;
        kanal_json_object(&json);
        kanal_json_member_str(&json, "type", event->type);
        kanal_json_member_str(&json, "dedupe", event->dedupe);
        kanal_json_member_str(&json, "address", event->address);
        if (event->chat.len > 0)
            kanal_json_member_str(&json, "chat", event->chat);
        if (event->external_id.len > 0)
            kanal_json_member_str(&json, "external_id", event->external_id);
        if (event->command_id.len > 0)
            kanal_json_member_str(&json, "command_id", event->command_id);
        if (event->time_ms != 0)
            kanal_json_member_time(&json, "time", event->time_ms);
        kanal_json_key(&json, "data");
        kanal_json_raw(&json, event->data);
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
}

static void write_golden(const char *path, kanal_str json)
{
    yyjson_doc *document = kanal_json_parse(json);
    size_t len;
    char *text = yyjson_write(document, YYJSON_WRITE_PRETTY_TWO_SPACES, &len);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s cannot be written", path);
    fwrite(text, 1, len, file);
    fputc('\n', file);
    fclose(file);
    free(text);
    yyjson_doc_free(document);
}

static void check_fixture(const char *name, void *user)
{
    char path[600];
    size_t golden_len;
    struct fake_host *host = tell(name);
    struct kanal_buffer told = { 0 };
    (void)user;
    describe(host, &told);
    snprintf(path, sizeof path, "%s/expected/%s.json", FIXTURES, name);
    if (getenv("KANAL_WRITE_GOLDEN"))
        write_golden(path, kanal_buffer_view(&told));
    char *golden = read_file(path, &golden_len);
    yyjson_doc *expected = kanal_json_parse(kanal_str_of(golden, golden_len)),
               *actual = kanal_json_parse(kanal_buffer_view(&told));
    cr_assert(expected && actual);
    cr_expect(yyjson_equals(yyjson_doc_get_root(expected), yyjson_doc_get_root(actual)),
              "%s tells\n%.*s\nnot\n%s", name, (int)told.len, told.data, golden);
    cr_expect(fake_event_count(host) > 0 || fake_metric(host, "webhook_ignored") > 0,
              "%s tells nothing, and nobody knows", name);
    yyjson_doc_free(expected);
    yyjson_doc_free(actual);
    free(golden);
    kanal_buffer_release(&told);
    channel_free(host);
}

void check_fixtures(size_t at_least)
{
    size_t count = each_fixture(check_fixture, NULL);
    cr_expect_geq(count, at_least, "only %zu fixtures were found", count);
}

/* ---- Hostile values ---- */

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
                                      "9223372036854775807",
                                      "-9223372036854775808",
                                      "18446744073709551615",
                                      "{\"id\":\"x\"}",
                                      "[{\"id\":5,\"type\":\"text\"}]",
                                      "\"\\u0000\\uD83D\\uDE00\\u202e</b>\"" };
#define VALUES (sizeof values / sizeof *values)
#define EACH 6 /* of them for each place, other ones each time; the first leaves it out */

/* True if the next value is the one to leave out; it is passed over. */
static int is_left_out(size_t *n, const char *with)
{
    if (with || *n != 0)
        return 0;
    (*n)--;
    return 1;
}

/* The document with its nth value (in order of reading) replaced, or left out (with: NULL); 0: there are fewer. */
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
            if (!done && (done = is_left_out(n, with)))
                continue;
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
            if (!done && (done = is_left_out(n, with)))
                continue;
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

static void mutate(const char *name, void *user)
{
    size_t len, *posts = user;
    char *text = read_fixture(name, &len);
    yyjson_doc *document = kanal_json_parse(kanal_str_of(text, len));
    struct fake_host *host = channel_new(NULL);
    cr_assert_not_null(document);
    for (size_t at = 0, more = 1; more; at++) {
        for (size_t v = 0; v < EACH && more; v++) {
            const char *with = v == 0 && at > 0 ? NULL : values[(at * 7 + len + v * 5) % VALUES];
            struct kanal_buffer out = { 0 };
            struct kanal_json json;
            size_t n = at;
            kanal_json_init(&json, &out);
            more = (size_t)replace(&json, yyjson_doc_get_root(document), &n, with);
            if (more) {
                int code = post_hook(host, out.data, out.len);
                cr_assert(code == 200 || code == 400, "%s with value %zu as %s: %d", name, at,
                          with ? with : "nothing", code);
                (*posts)++;
            }
            kanal_buffer_release(&out);
        }
    }
    channel_free(host);
    yyjson_doc_free(document);
    free(text);
}

size_t mutate_fixtures(void)
{
    size_t posts = 0;
    each_fixture(mutate, &posts);
    return posts;
}
