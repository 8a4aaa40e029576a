/* config/load.c - from the file to the structs, and the end of both. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "file.h"
#include "impl.h"
#include "kanal/sdk/json.h"
#include "memory.h"
#include "yaml.h"

#define FILE_BYTES (8u << 20)

extern const unsigned char config_schema_text[];
extern const size_t config_schema_text_len;

/* ---- The schema's errors ---- */

struct schema_errors {
    struct config_errors *errors;
    yyjson_mut_val *root;
};

static const yyjson_mut_val *key_of(yyjson_mut_val *object, kanal_str name)
{
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(object);
    yyjson_mut_val *key;

    while ((key = yyjson_mut_obj_iter_next(&iter)))
        if (kanal_str_equal(config_str(key), name))
            return key;
    return NULL;
}

/* An unknown member is told where its key stands, a missing one where the object starts. */
static void on_schema_error(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    const struct schema_errors *s = user;
    yyjson_mut_val *value = yyjson_mut_ptr_getn(s->root, pointer.ptr, pointer.len);
    const yyjson_mut_val *place = value, *key = member.ptr ? key_of(value, member) : NULL;
    const struct config_position *position;
    struct kanal_buffer *text;
    size_t start;

    position = config_position_find(s->errors->positions, key ? key : place);
    text = config_error_at(s->errors, position ? position->line : 1, position ? position->column : 1);
    start = text->len;
    config_path_append(text, s->errors->positions, value);
    if (member.ptr)
        config_path_append_key(text, start, member);
    if (text->len > start)
        kanal_buffer_text(text, ": ");
    kanal_buffer_str(text, message);
}

/* The check runs over a read-only copy that holds the file's text, before anything is expanded. */
static int check_schema(const struct json_schema *schema, yyjson_mut_doc *tree, struct config_errors *errors)
{
    struct schema_errors s = { errors, yyjson_mut_doc_get_root(tree) };
    yyjson_doc *copy = yyjson_mut_val_imut_copy(s.root, &config_wiping_allocator);

    if (!copy)
        return KANAL_E_INTERNAL;
    json_schema_check(schema, yyjson_doc_get_root(copy), on_schema_error, &s);
    yyjson_doc_free(copy);
    return 0;
}

/* ---- Steps ---- */

/* What is loaded: a file, of which perhaps only the broker is looked at; or one channel's text, which belongs to another configuration. */
struct source {
    const char *path; /* or what the text is called */
    int broker_only;
    int channel_only;          /* the file is one channel */
    kanal_str channel;         /* absent: a file */
    const struct config *base; /* of a channel */
};

static int read_tree(struct config *config, const struct source *source, struct config_errors *errors,
                     int *ret_whole)
{
    struct config_file file = { 0 };
    if (source->base)
        return config_yaml_read(config->impl->tree, source->channel, &config->impl->positions, errors,
                                ret_whole);
    int status = config_file_read(&file, source->path, FILE_BYTES);

    if (status == KANAL_E_NOT_FOUND)
        kanal_buffer_text(config_error_at(errors, 0, 0), strerror(errno));
    else if (status == KANAL_E_TOO_LARGE)
        kanal_buffer_text(config_error_at(errors, 0, 0), "the file is larger than 8 MiB");
    if (status == 0)
        status = config_yaml_read(config->impl->tree, kanal_str_of(file.bytes, file.len),
                                  &config->impl->positions, errors, ret_whole);
    config_file_release(&file);
    return status;
}

static int check_tree(struct config *config, int expand, struct config_errors *errors)
{
    struct config_impl *impl = config->impl;
    struct kanal_buffer error = { 0 };
    struct json_schema *schema = NULL;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(impl->tree);
    int status = json_schema_new(
        &schema, kanal_str_of((const char *)config_schema_text, config_schema_text_len), &error);

    if (status != 0)
        kanal_buffer_str(config_error_at(errors, 0, 0), kanal_buffer_view(&error));
    if (status == 0)
        status = check_schema(schema, impl->tree, errors);
    if (status == 0)
        status = json_schema_defaults(schema, impl->tree, root);
    if (status == 0 && expand)
        status = config_expand(&impl->expansions, schema, root, &impl->arena, errors);
    if (status == 0)
        status = config_build(config, errors);
    json_schema_free(schema);
    kanal_buffer_release(&error);
    return status;
}

/* ---- The broker alone ---- */

static int is_of_broker(kanal_str section)
{
    return kanal_str_is(section, "broker") || kanal_str_is(section, "data_dir");
}

/* Which section of the file the value is, or stands in; absent: none. */
static kanal_str section_of(const struct config_positions *positions, const struct config_position *position)
{
    const struct config_position *parent;

    while (position && position->parent && (parent = config_position_find(positions, position->parent)) &&
           parent->parent)
        position = parent;
    if (!position || !position->parent)
        return (kanal_str){ 0 };
    return config_str(position->is_key ? (yyjson_mut_val *)position->value : position->key);
}

/* Takes everything else out of the tree and out of the positions. What the schema requires of it is put there. */
static int keep_broker(struct config *config)
{
    struct config_positions *positions = &config->impl->positions;
    yyjson_mut_doc *tree = config->impl->tree;
    yyjson_mut_val *root = yyjson_mut_doc_get_root(tree), *key, *identity = yyjson_mut_obj(tree);
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(root);
    char *keep = calloc(positions->count + 1, 1);
    size_t kept = 0;

    if (!keep)
        return KANAL_E_INTERNAL;
    for (size_t i = 0; i < positions->count; i++)
        keep[i] = !positions->list[i].parent || is_of_broker(section_of(positions, &positions->list[i]));
    for (size_t i = 0; i < positions->count; i++)
        if (keep[i])
            positions->list[kept++] = positions->list[i];
    positions->count = kept;
    free(keep);
    while ((key = yyjson_mut_obj_iter_next(&iter)))
        if (!is_of_broker(config_str(key)))
            yyjson_mut_obj_iter_remove(&iter);
    if (yyjson_mut_is_obj(root) && (!yyjson_mut_obj_add_str(tree, identity, "salt", "(not looked at)  ") ||
                                    !yyjson_mut_obj_add_val(tree, root, "identity", identity)))
        return KANAL_E_INTERNAL;
    return 0;
}

/* A configuration around the file's one channel. */
static int wrap_channel(struct config *config)
{
    yyjson_mut_doc *tree = config->impl->tree;
    yyjson_mut_val *root = yyjson_mut_obj(tree), *identity = yyjson_mut_obj(tree);
    yyjson_mut_val *channels = yyjson_mut_arr(tree);
    int ok = yyjson_mut_obj_add_str(tree, identity, "salt", "(not looked at)  ") &&
             yyjson_mut_obj_add_val(tree, root, "identity", identity) &&
             yyjson_mut_arr_append(channels, yyjson_mut_doc_get_root(tree)) &&
             yyjson_mut_obj_add_val(tree, root, "channels", channels);

    yyjson_mut_doc_set_root(tree, root);
    return ok ? 0 : KANAL_E_INTERNAL;
}

static int load(struct config *config, const struct source *source, struct config_errors *errors)
{
    int whole = 0, status = read_tree(config, source, errors, &whole);

    if (status == 0 && whole && source->broker_only)
        status = keep_broker(config);
    if (status == 0 && whole && source->channel_only)
        status = wrap_channel(config);
    if (status == 0 && whole)
        status = check_tree(config, source->base == NULL, errors);
    if (status == 0 && source->base) { /* fingerprints are made with the cluster's salt */
        const char *region = source->base->identity.default_region;
        config->identity.salt =
            kanal_str_of(json_arena_dup(&config->impl->arena, source->base->identity.salt),
                         source->base->identity.salt.len);
        if (region) /* which settings may take as their default */
            config->identity.default_region = json_arena_dup(&config->impl->arena, kanal_str_c(region));
    }
    for (size_t i = 0; status == 0 && errors->count == 0 && i < config->channel_count; i++)
        status = config_fingerprint(config, &config->channels[i]);
    if (status == 0 && config->impl->arena.failed)
        status = KANAL_E_INTERNAL;
    if (status == KANAL_E_INTERNAL && errors->count == 0)
        kanal_buffer_text(config_error_at(errors, 0, 0), "out of memory");
    return status;
}

/* ---- Life ---- */

static struct config *new_config(const char *path)
{
    struct config *config = calloc(1, sizeof *config);

    if (!config)
        return NULL;
    config->impl = calloc(1, sizeof *config->impl);
    if (config->impl) {
        config->impl->tree = yyjson_mut_doc_new(&config_wiping_allocator);
        config->impl->file =
            json_arena_dup(&config->impl->arena, kanal_str_c(strcmp(path, "-") == 0 ? "stdin" : path));
    }
    if (config->impl && config->impl->tree && config->impl->file)
        return config;
    config_free(config);
    return NULL;
}

static int load_and_tell(struct config **ret_config, const struct source *source, config_error_fn *error,
                         void *user)
{
    struct config *config = new_config(source->path);
    struct config_errors *errors = calloc(1, sizeof *errors);
    int status = KANAL_E_INTERNAL;

    if (config && errors) {
        errors->file = config->impl->file;
        errors->positions = &config->impl->positions;
        errors->placeless = config->impl->placeless = source->base != NULL;
        status = load(config, source, errors);
        if (config_errors_tell(errors, error, user) > 0 && status != KANAL_E_NOT_FOUND)
            status = KANAL_E_INVALID;
    } else {
        error(user, KANAL_LIT("out of memory"));
    }
    free(errors);
    if (status == 0)
        *ret_config = config;
    else
        config_free(config);
    return status == 0 || status == KANAL_E_NOT_FOUND ? status : KANAL_E_INVALID;
}

int config_load(struct config **ret_config, const char *path, config_error_fn *error, void *user)
{
    return load_and_tell(ret_config, &(struct source){ .path = path }, error, user);
}

int config_load_broker(struct config **ret_config, const char *path, config_error_fn *error, void *user)
{
    return load_and_tell(ret_config, &(struct source){ .path = path, .broker_only = 1 }, error, user);
}

int config_load_channel_file(struct config **ret_config, const char *path, config_error_fn *error, void *user)
{
    return load_and_tell(ret_config, &(struct source){ .path = path, .channel_only = 1 }, error, user);
}

int config_load_channel(struct config **ret_config, const struct config *base, kanal_str channel,
                        config_error_fn *error, void *user)
{
    struct kanal_buffer text = { 0 };
    yyjson_doc *document =
        yyjson_read_opts((char *)channel.ptr, channel.len, 0, &config_wiping_allocator, NULL);
    struct kanal_json json;
    int status = KANAL_E_INVALID;

    /* Written anew: YAML takes our writer's JSON, but not every JSON. All the room at once: growing would leave copies of secrets behind. */
    kanal_buffer_reserve(&text, channel.len * 6 + 256);
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_key(&json, "identity");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "salt", "(the one of the base)");
    kanal_json_object_end(&json);
    kanal_json_key(&json, "channels");
    kanal_json_array(&json);
    kanal_json_value(&json, yyjson_doc_get_root(document));
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    if (!document)
        error(user, KANAL_LIT("the channel is no JSON"));
    else if (text.failed)
        error(user, KANAL_LIT("the channel is nested too deep"));
    else
        status = load_and_tell(
            ret_config,
            &(struct source){ .path = "channel", .channel = kanal_buffer_view(&text), .base = base }, error,
            user);
    yyjson_doc_free(document);
    config_wipe_free(text.data, text.capacity);
    return status;
}

void config_free(struct config *config)
{
    if (!config)
        return;
    if (config->impl) {
        yyjson_mut_doc_free(config->impl->tree);
        config_positions_release(&config->impl->positions);
        config_expansions_release(&config->impl->expansions);
        json_arena_release(&config->impl->arena);
        free(config->impl);
    }
    free(config);
}
