#include "fixtures.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Files ---- */

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

char *fixture_read(const char *folder, const char *name, size_t *ret_len)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s.json", folder, name);
    return read_file(path, ret_len);
}

size_t fixture_each(const char *folder, fixture_fn *each, void *user)
{
    DIR *directory = opendir(folder);
    size_t count = 0;
    cr_assert_not_null(directory, "%s cannot be read", folder);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char name[256];
        size_t len = strlen(entry->d_name);
        if (len < 6 || strcmp(entry->d_name + len - 5, ".json") != 0 ||
            strcmp(entry->d_name, "conformance.json") == 0) /* of kanal plugin check */
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(len - 5), entry->d_name);
        each(name, user);
        count++;
    }
    closedir(directory);
    return count;
}

/* ---- Golden files ---- */

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
        if (event->address.len > 0)
            kanal_json_member_str(&json, "address", event->address);
        if (event->chat.len > 0)
            kanal_json_member_str(&json, "chat", event->chat);
        if (event->command_id.len > 0)
            kanal_json_member_str(&json, "command_id", event->command_id);
        if (event->external_id.len > 0)
            kanal_json_member_str(&json, "external_id", event->external_id);
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

void fixture_check(struct fake_host *host, const char *folder, const char *name)
{
    char path[600];
    size_t len;
    struct kanal_buffer told = { 0 };
    describe(host, &told);
    snprintf(path, sizeof path, "%s/expected/%s.json", folder, name);
    if (getenv("KANAL_WRITE_GOLDEN"))
        write_golden(path, kanal_buffer_view(&told));
    char *golden = read_file(path, &len);
    yyjson_doc *expected = kanal_json_parse(kanal_str_of(golden, len)),
               *actual = kanal_json_parse(kanal_buffer_view(&told));
    cr_assert(expected && actual);
    cr_expect(yyjson_equals(yyjson_doc_get_root(expected), yyjson_doc_get_root(actual)),
              "%s tells\n%.*s\nnot\n%s", name, (int)told.len, told.data, golden);
    yyjson_doc_free(expected);
    yyjson_doc_free(actual);
    free(golden);
    kanal_buffer_release(&told);
}

/* ---- Mutations ---- */

/* By JSON type, NULL-ended: each value of the document becomes one of each, another choice for each value. */
static const char *const values[][8] = {
    { "null" },
    { "true", "false" },
    { "0", "-1", "1.5", "1e308", "4503599627370496", "9007199254740993" },
    { "9223372036854775807", "-9223372036854775808", "18446744073709551615" },
    { "\"\"", "\"x\"", "\"12345678901234567890\"", "\"\\u0000\\uD83D\\uDE00\\u202e</b>\\n\"" },
    { "[]", "[[[]]]", "[null,1,\"x\",{}]", "[{\"type\":\"bold\",\"offset\":-5,\"length\":9}]" },
    { "{}", "{\"id\":\"x\",\"type\":5,\"url\":[]}" },
};
#define TYPES (sizeof values / sizeof *values)

static const char *value_of_type(size_t type, size_t choice)
{
    size_t count = 0;
    while (count < 8 && values[type][count])
        count++;
    return values[type][choice % count];
}

/* The document with its nth value (in order of reading) replaced, or as a member removed where `with` is NULL; 0: there
 * are fewer. */
static int replace(struct kanal_json *json, yyjson_val *value, size_t *n, const char *with)
{
    size_t index, max;
    yyjson_val *key, *member;
    if ((*n)-- == 0) {
        kanal_json_raw(json, kanal_str_c(with ? with : "null"));
        return 1;
    }
    int done = 0;
    if (yyjson_is_obj(value)) {
        kanal_json_object(json);
        yyjson_obj_foreach (value, index, max, key, member) {
            if (!done && *n == 0 && !with) {
                done = 1;
                continue;
            }
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

static int mutate_one(yyjson_val *root, size_t at, const char *with, fixture_body_fn *each, void *user)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    size_t n = at;
    kanal_json_init(&json, &out);
    int done = replace(&json, root, &n, with);
    if (done)
        each(kanal_buffer_view(&out), user);
    kanal_buffer_release(&out);
    return done;
}

size_t fixture_mutate(kanal_str text, fixture_body_fn *each, void *user)
{
    size_t count = 0;
    yyjson_doc *document = kanal_json_parse(text);
    cr_assert_not_null(document);
    yyjson_val *root = yyjson_doc_get_root(document);
    for (size_t at = 0; mutate_one(root, at, NULL, each, user); at++) {
        count++;
        for (size_t type = 0; type < TYPES; type++)
            count += (size_t)mutate_one(root, at, value_of_type(type, at + text.len), each, user);
    }
    yyjson_doc_free(document);
    return count;
}

size_t fixture_truncate(kanal_str text, fixture_body_fn *each, void *user)
{
    size_t count = 0;
    for (size_t i = 0; i + 2 < text.len; i++) {                /* without the last '}' and '\n' */
        char *copy = kanal_str_dup(kanal_str_of(text.ptr, i)); /* a sanitizer sees a byte too far */
        each(kanal_str_of(copy, i), user);
        free(copy);
        count++;
    }
    return count;
}

/* ---- Values ---- */

const char *value_at(yyjson_val *root, const char *path)
{
    static char text[1 << 17];
    char name[128];
    yyjson_val *value = root;
    while (*path && value) {
        size_t n = strcspn(path, "/");
        cr_assert_lt(n, sizeof name);
        memcpy(name, path, n);
        name[n] = 0;
        value = yyjson_is_arr(value) ? yyjson_arr_get(value, (size_t)strtoul(name, NULL, 10))
                                     : yyjson_obj_get(value, name);
        path += n + (path[n] == '/');
    }
    text[0] = 0;
    if (yyjson_is_str(value)) {
        snprintf(text, sizeof text, "%s", yyjson_get_str(value));
    } else if (value) {
        char *json = yyjson_val_write(value, 0, NULL);
        snprintf(text, sizeof text, "%s", json);
        free(json);
    }
    return text;
}

const char *event_value(struct fake_host *host, size_t event, const char *path)
{
    cr_assert_lt(event, fake_event_count(host), "there is no event %zu", event);
    return value_at(yyjson_doc_get_root(fake_event_at(host, event)->document), path);
}
