#include "kit/inside.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "json/schema.h"
#include "kit/embedded.h"

int kit_read_file(const char *path, size_t max, struct kanal_buffer *ret_bytes)
{
    char chunk[65536];
    FILE *file = fopen(path, "rbe");
    if (!file)
        return -1;
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0 && ret_bytes->len <= max;)
        kanal_buffer_append(ret_bytes, chunk, n);
    const int failed = ferror(file) || ret_bytes->failed || ret_bytes->len > max;
    fclose(file);
    if (failed)
        errno = ret_bytes->len > max ? EFBIG : EIO;
    return failed ? -1 : 0;
}

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    struct kanal_buffer *error = user;
    kanal_buffer_text(error, "\n  at ");
    kanal_buffer_str(error, pointer.len ? pointer : KANAL_LIT("/"));
    if (member.len) {
        kanal_buffer_byte(error, '/');
        kanal_buffer_str(error, member);
    }
    kanal_buffer_text(error, ": ");
    kanal_buffer_str(error, message);
}

static int check(yyjson_val *root, struct kanal_buffer *error)
{
    struct json_schema *schema = NULL;
    struct kanal_buffer reason = { 0 };
    size_t wrong = 1;
    if (json_schema_new(&schema,
                        kanal_str_of((const char *)kit_conformance_schema, kit_conformance_schema_len),
                        &reason) == 0) {
        wrong = json_schema_check(schema, root, on_violation, error);
    } else {
        kanal_buffer_str(error, kanal_buffer_view(&reason));
    }
    json_schema_free(schema);
    kanal_buffer_release(&reason);
    return wrong == 0 ? 0 : KANAL_E_INVALID;
}

/* fixtures/ beside the plugin, or where one works. */
static char *find_directory(const struct kit_check_options *options)
{
    struct kanal_buffer path = { 0 };
    struct stat st;
    const char *slash = strrchr(options->file, '/');
    if (options->fixtures)
        return strdup(options->fixtures);
    if (slash)
        kanal_buffer_append(&path, options->file, (size_t)(slash - options->file) + 1);
    kanal_buffer_append(&path, "fixtures", sizeof "fixtures");
    if (path.data && stat(path.data, &st) == 0)
        return path.data;
    kanal_buffer_release(&path);
    return strdup("fixtures");
}

static int read_document(struct knowledge *k, const char *path, int required, struct kanal_buffer *error)
{
    struct kanal_buffer text = { 0 };
    int status = 0;
    if (kit_read_file(path, KIT_JSON_MAX, &text) != 0) {
        if (required || errno != ENOENT) {
            kanal_buffer_text(error, path);
            kanal_buffer_text(error, " cannot be read: ");
            kanal_buffer_text(error, strerror(errno));
            status = KANAL_E_INVALID;
        }
    } else if (!(k->doc = kanal_json_parse(kanal_buffer_view(&text)))) {
        kanal_buffer_text(error, path);
        kanal_buffer_text(error, " is no JSON");
        status = KANAL_E_INVALID;
    } else {
        k->root = yyjson_doc_get_root(k->doc);
        kanal_buffer_text(error, path);
        kanal_buffer_text(error, " is not as it must be:");
        status = check(k->root, error);
        if (status == 0)
            kanal_buffer_clear(error);
    }
    kanal_buffer_release(&text);
    return status;
}

static int read_settings(struct knowledge *k, const char *path, struct kanal_buffer *error)
{
    struct kanal_buffer text = { 0 };
    if (!path) {
        yyjson_val *settings = kanal_json_at(k->root, "settings");
        k->settings = settings ? yyjson_val_write(settings, 0, NULL) : strdup("{}");
        return k->settings ? 0 : KANAL_E_INTERNAL;
    }
    int status = kit_read_file(path, KIT_JSON_MAX, &text);
    yyjson_doc *doc = status == 0 ? kanal_json_parse(kanal_buffer_view(&text)) : NULL;
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        k->settings = kanal_str_dup(kanal_buffer_view(&text));
    else
        kanal_buffer_text(error, "the settings' file cannot be read, or is no JSON object");
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    return k->settings ? 0 : KANAL_E_INVALID;
}

int knowledge_load(struct knowledge *k, const struct kit_check_options *options, struct kanal_buffer *error)
{
    struct kanal_buffer path = { 0 };
    *k = (struct knowledge){ .directory = find_directory(options) };
    if (!k->directory)
        return KANAL_E_INTERNAL;
    kanal_buffer_text(&path, k->directory);
    kanal_buffer_append(&path, "/conformance.json", sizeof "/conformance.json");
    int status =
        path.failed ? KANAL_E_INTERNAL : read_document(k, path.data, options->fixtures != NULL, error);
    if (status == 0)
        status = read_settings(k, options->settings, error);
    kanal_buffer_release(&path);
    return status;
}

void knowledge_release(struct knowledge *k)
{
    yyjson_doc_free(k->doc);
    free(k->directory);
    free(k->settings);
    memset(k, 0, sizeof *k);
}

yyjson_val *knowledge_list(const struct knowledge *k, const char *name, size_t *ret_count)
{
    yyjson_val *list = kanal_json_at(k->root, name);
    *ret_count = yyjson_is_arr(list) ? yyjson_arr_size(list) : 0;
    return list;
}
