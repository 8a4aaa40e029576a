/* config/expand.c */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "expand.h"
#include "file.h"
#include "json/quote.h"
#include "kanal/sdk/str.h"
#include "memory.h"

#define FILE_BYTES 65536u

static const char literal[] = "literal";

struct expander {
    struct config_expansions *found;
    const struct config_positions *positions;
    struct json_arena *arena;
    struct config_errors *errors;
    int out_of_memory;
};

/* ---- Which scalars ---- */

static void note_marked(void *user, yyjson_mut_val *value)
{
    struct expander *e = user;
    struct config_expansions *found = e->found;

    if (!yyjson_mut_is_str(value) || e->out_of_memory)
        return;
    if (found->count == found->capacity) {
        size_t capacity = found->capacity ? found->capacity * 2 : 64;
        struct config_expansion *list = reallocarray(found->list, capacity, sizeof *list);
        if (!list) {
            e->out_of_memory = 1;
            return;
        }
        found->list = list;
        found->capacity = capacity;
    }
    found->list[found->count++] = (struct config_expansion){ value, literal };
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct config_expansion *)a)->value;
    uintptr_t y = (uintptr_t)((const struct config_expansion *)b)->value;

    return x < y ? -1 : x > y;
}

/* The schema may reach a value on two ways; it is expanded once. */
static void sort_unique(struct config_expansions *found)
{
    size_t kept = 0;

    if (found->count == 0)
        return;
    qsort(found->list, found->count, sizeof *found->list, compare);
    for (size_t i = 1; i < found->count; i++)
        if (found->list[i].value != found->list[kept].value)
            found->list[++kept] = found->list[i];
    found->count = kept + 1;
}

static const struct config_expansion *find(const struct config_expansions *found, const yyjson_mut_val *value)
{
    struct config_expansion wanted = { (yyjson_mut_val *)value, NULL };

    return found->count > 0 ? bsearch(&wanted, found->list, found->count, sizeof *found->list, compare)
                            : NULL;
}

const char *config_origin(const struct config_expansions *found, const yyjson_mut_val *value)
{
    const struct config_expansion *expansion = find(found, value);

    return expansion ? expansion->origin : literal;
}

void config_expansions_release(struct config_expansions *found)
{
    free(found->list);
    memset(found, 0, sizeof *found);
}

/* ---- One reference ---- */

/* As kanal_buffer_append(), but what moves leaves nothing behind. */
static void append_secret(struct kanal_buffer *out, const char *bytes, size_t len)
{
    size_t capacity = out->capacity > 0 ? out->capacity : 256;
    char *data;

    while (capacity - out->len < len)
        capacity *= 2;
    if (capacity != out->capacity) {
        data = malloc(capacity);
        if (!data) {
            out->failed = 1;
            return;
        }
        if (out->len > 0)
            memcpy(data, out->data, out->len);
        config_wipe_free(out->data, out->capacity);
        out->data = data;
        out->capacity = capacity;
    }
    memcpy(out->data + out->len, bytes, len);
    out->len += len;
}

static void complain(struct expander *e, const yyjson_mut_val *value, const char *before, kanal_str name,
                     const char *after)
{
    struct kanal_buffer *error = config_error_of(e->errors, value);

    kanal_buffer_text(error, before);
    json_quote(error, name);
    kanal_buffer_text(error, after);
}

static int is_variable_name(kanal_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (i > 0 && c >= '0' && c <= '9')))
            return 0;
    }
    return name.len > 0;
}

static void expand_variable(struct expander *e, const yyjson_mut_val *value, kanal_str name,
                            struct kanal_buffer *out)
{
    struct kanal_buffer *error;
    char *copy = json_arena_dup(e->arena, name);
    const char *content = copy && is_variable_name(name) ? getenv(copy) : NULL;

    if (content && *content) {
        append_secret(out, content, strlen(content));
        return;
    }
    if (!is_variable_name(name)) {
        complain(e, value, "", name, " is no name of an environment variable");
        return;
    }
    error = config_error_of(e->errors, value);
    kanal_buffer_text(error, "environment variable ");
    kanal_buffer_str(error, name);
    kanal_buffer_text(error, content ? " is empty" : " is not set");
}

static void expand_file(struct expander *e, const yyjson_mut_val *value, kanal_str path,
                        struct kanal_buffer *out)
{
    struct config_file file = { 0 };
    char *copy = json_arena_dup(e->arena, path);
    int reason;
    int status = copy && path.len > 0 && !kanal_str_is(path, "-") ? config_file_read(&file, copy, FILE_BYTES)
                                                                  : KANAL_E_INVALID;

    reason = errno;
    if (status == KANAL_E_NOT_FOUND) {
        struct kanal_buffer *error = config_error_of(e->errors, value);
        kanal_buffer_text(error, "the file ");
        json_quote(error, path);
        kanal_buffer_text(error, " cannot be read: ");
        kanal_buffer_text(error, strerror(reason));
        return;
    }
    if (status != 0) {
        complain(e, value, "the file ", path,
                 status == KANAL_E_TOO_LARGE ? " is larger than 64 KiB"
                                             : " cannot be read: a path is expected");
        return;
    }
    if (file.len > 0 && file.bytes[file.len - 1] == '\n')
        file.len--;
    if (file.len > 0 && file.bytes[file.len - 1] == '\r')
        file.len--;
    if (file.len == 0)
        complain(e, value, "the file ", path, " is empty");
    append_secret(out, file.bytes, file.len);
    config_file_release(&file);
}

/* ---- One scalar ---- */

static void expand_reference(struct expander *e, struct config_expansion *expansion, kanal_str reference,
                             struct kanal_buffer *out)
{
    if (expansion->origin == literal)
        expansion->origin = json_arena_dup(e->arena, reference);
    if (kanal_str_starts(reference, "env:"))
        expand_variable(e, expansion->value, kanal_str_from(reference, 4), out);
    else if (kanal_str_starts(reference, "file:"))
        expand_file(e, expansion->value, kanal_str_from(reference, 5), out);
    else
        config_error_say(e->errors, expansion->value,
                         "expected ${env:NAME} or ${file:PATH}; a literal ${ is written $${");
}

static void expand_text(struct expander *e, struct config_expansion *expansion, kanal_str text,
                        struct kanal_buffer *out)
{
    size_t at = 0;

    while (at < text.len) {
        kanal_str rest = kanal_str_from(text, at);
        const char *end;
        if (kanal_str_starts(rest, "$${")) {
            append_secret(out, "${", 2);
            at += 3;
        } else if (kanal_str_starts(rest, "${")) {
            end = memchr(rest.ptr, '}', rest.len);
            if (!end) {
                config_error_say(e->errors, expansion->value, "${ without }; a literal ${ is written $${");
                return;
            }
            expand_reference(e, expansion, kanal_str_of(rest.ptr + 2, (size_t)(end - rest.ptr) - 2), out);
            at += (size_t)(end - rest.ptr) + 1;
        } else {
            append_secret(out, text.ptr + at++, 1);
        }
    }
}

static void expand_value(struct expander *e, struct config_expansion *expansion)
{
    kanal_str text = { yyjson_mut_get_str(expansion->value), yyjson_mut_get_len(expansion->value) };
    struct kanal_buffer out = { 0 };
    char *copy;

    if (!memmem(text.ptr, text.len, "${", 2))
        return;
    expand_text(e, expansion, text, &out);
    copy = json_arena_dup(e->arena, kanal_str_of(out.data ? out.data : "", out.len));
    if (out.failed || !copy || !expansion->origin)
        e->out_of_memory = 1;
    else
        yyjson_mut_set_strn(expansion->value, copy, out.len);
    config_wipe_free(out.data, out.capacity);
}

/* What looks like an expansion where none takes place. */
static void refuse_elsewhere(struct expander *e)
{
    for (size_t i = 0; i < e->positions->count; i++) {
        const struct config_position *position = &e->positions->list[i];
        yyjson_mut_val *value = (yyjson_mut_val *)position->value;
        kanal_str text = { yyjson_mut_get_str(value), yyjson_mut_get_len(value) };

        if (!text.ptr || position->is_key || find(e->found, value))
            continue;
        if (memmem(text.ptr, text.len, "${env:", 6) || memmem(text.ptr, text.len, "${file:", 7))
            config_error_say(
                e->errors, value,
                "${env:…} and ${file:…} are not expanded here; only in secrets, identity.salt and the "
                "broker's url, user, password and token");
    }
}

int config_expand(struct config_expansions *found, const struct json_schema *schema, yyjson_mut_val *root,
                  struct json_arena *arena, struct config_errors *errors)
{
    struct expander e = { found, errors->positions, arena, errors, 0 };

    if (json_schema_marked(schema, "x-kanal-expand", root, note_marked, &e) != 0 || e.out_of_memory)
        return KANAL_E_INTERNAL;
    sort_unique(found);
    for (size_t i = 0; i < found->count; i++)
        expand_value(&e, &found->list[i]);
    refuse_elsewhere(&e);
    return e.out_of_memory ? KANAL_E_INTERNAL : 0;
}
