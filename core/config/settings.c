/* config/settings.c - a channel's settings and secrets against its plugin. */
#include <stdlib.h>
#include <string.h>
#include "impl.h"
#include "json/quote.h"
#include "json/suggest.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"
#include "memory.h"

struct settings {
    struct config *config;
    struct config_channel *channel;
    struct config_errors *errors;
    yyjson_mut_val *in_file; /* the channel */
};

/* ---- The schema ---- */

/* The value at the pointer, or what is nearest above it and stands in the file. */
static yyjson_mut_val *nearest(const struct settings *s, kanal_str pointer)
{
    yyjson_mut_val *settings = yyjson_mut_obj_get(s->in_file, "settings");

    for (;;) {
        yyjson_mut_val *value =
            pointer.len > 0 ? yyjson_mut_ptr_getn(settings, pointer.ptr, pointer.len) : settings;
        if (config_position_find(s->errors->positions, value))
            return value;
        if (pointer.len == 0)
            return s->in_file; /* no settings in the file: the defaults are wrong, or something is missing */
        while (pointer.len > 0 && pointer.ptr[--pointer.len] != '/') {
        }
    }
}

static yyjson_mut_val *key_of(yyjson_mut_val *object, kanal_str name)
{
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(object);
    yyjson_mut_val *key;

    while ((key = yyjson_mut_obj_iter_next(&iter)))
        if (kanal_str_equal(config_str(key), name))
            return key;
    return NULL;
}

static void on_schema_error(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    const struct settings *s = user;
    yyjson_mut_val *value = nearest(s, pointer), *key = member.ptr ? key_of(value, member) : NULL;
    const struct config_position *position = config_position_find(s->errors->positions, key ? key : value);
    struct kanal_buffer *text =
        config_error_at(s->errors, position ? position->line : 1, position ? position->column : 1);

    config_path_append(text, s->errors->positions, s->in_file);
    config_path_append_key(text, 0, KANAL_LIT("settings"));
    config_path_append_pointer(text, 0, pointer);
    if (member.ptr)
        config_path_append_key(text, 0, member);
    kanal_buffer_text(text, ": ");
    kanal_buffer_str(text, message);
}

/* Settings whose default is another section's: "x-kanal-default": "identity.default_region" at a property of the whole. */
static int fill_inherited(struct settings *s, const char *schema_text, yyjson_mut_doc *copy)
{
    yyjson_mut_val *settings = yyjson_mut_doc_get_root(copy);
    const char *region = s->config->identity.default_region;
    yyjson_doc *schema = kanal_json_parse(kanal_str_c(schema_text));
    yyjson_val *properties = kanal_json_at(yyjson_doc_get_root(schema), "properties"), *name, *property;
    size_t index, max;
    int ok = schema != NULL;

    yyjson_obj_foreach (properties, index, max, name, property) {
        int inherits =
            kanal_str_is(kanal_json_text_at(property, "x-kanal-default"), "identity.default_region");
        if (inherits && region && !yyjson_mut_obj_get(settings, yyjson_get_str(name)))
            ok = ok && yyjson_mut_obj_add(settings, yyjson_mut_strcpy(copy, yyjson_get_str(name)),
                                          yyjson_mut_strcpy(copy, region));
    }
    yyjson_doc_free(schema);
    return ok ? 0 : KANAL_E_INTERNAL;
}

static int fill_defaults(struct settings *s, const struct json_schema *schema, const char *schema_text,
                         yyjson_doc *doc)
{
    yyjson_mut_doc *copy = yyjson_doc_mut_copy(doc, &config_wiping_allocator);
    size_t len = 0;
    char *text = NULL;
    int status = copy ? json_schema_defaults(schema, copy, yyjson_mut_doc_get_root(copy)) : KANAL_E_INTERNAL;

    if (status == 0)
        status = fill_inherited(s, schema_text, copy);

    if (status == 0)
        text = yyjson_mut_write_opts(copy, 0, &config_wiping_allocator, &len, NULL);
    if (text)
        s->channel->settings =
            kanal_str_of(json_arena_dup(&s->config->impl->arena, kanal_str_of(text, len)), len);
    config_wiping_allocator.free(NULL, text);
    yyjson_mut_doc_free(copy);
    return text && s->channel->settings.ptr ? 0 : KANAL_E_INTERNAL;
}

static void check_by_schema(struct settings *s, const struct json_schema *schema, const char *schema_text)
{
    yyjson_mut_val *value = yyjson_mut_obj_get(s->in_file, "settings");
    yyjson_doc *doc = value ? yyjson_mut_val_imut_copy(value, &config_wiping_allocator) : NULL;
    yyjson_doc *full = NULL;

    if (!doc || fill_defaults(s, schema, schema_text, doc) != 0) {
        config_error_say(s->errors, s->in_file, "the defaults of the plugin's settings cannot be filled in");
    } else {
        /* What create() will see is what is checked. */
        full = yyjson_read_opts((char *)s->channel->settings.ptr, s->channel->settings.len, 0,
                                &config_wiping_allocator, NULL);
        json_schema_check(schema, yyjson_doc_get_root(full), on_schema_error, s);
    }
    yyjson_doc_free(doc);
    yyjson_doc_free(full);
}

static void check_settings(struct settings *s, const kanal_plugin *plugin)
{
    yyjson_mut_val *value = yyjson_mut_obj_get(s->in_file, "settings");
    struct kanal_buffer error = { 0 }, *text;
    struct json_schema *schema = NULL;

    if (!plugin->settings_schema) {
        if (yyjson_mut_obj_size(value) > 0)
            config_error_say(s->errors, value, "this plugin has no settings");
        return;
    }
    if (json_schema_new(&schema, kanal_str_c(plugin->settings_schema), &error) == 0) {
        check_by_schema(s, schema, plugin->settings_schema);
    } else {
        text = config_error_of(s->errors, yyjson_mut_obj_get(s->in_file, "plugin"));
        kanal_buffer_text(text, "a defect of this plugin: its settings schema is wrong ");
        kanal_buffer_str(text, kanal_buffer_view(&error));
    }
    json_schema_free(schema);
    kanal_buffer_release(&error);
}

/* ---- Secrets ---- */

static const kanal_secret *find_secret(const kanal_plugin *plugin, const char *name)
{
    for (size_t i = 0; i < plugin->secret_count; i++)
        if (strcmp(plugin->secrets[i].name, name) == 0)
            return &plugin->secrets[i];
    return NULL;
}

static int has_secret(const struct config_channel *channel, const char *name)
{
    for (size_t i = 0; i < channel->secret_count; i++)
        if (strcmp(channel->secrets[i].name, name) == 0)
            return 1;
    return 0;
}

static void list_secrets(struct kanal_buffer *text, const kanal_plugin *plugin)
{
    kanal_buffer_text(text, plugin->secret_count > 0 ? "; it has " : "; it has none");
    for (size_t i = 0; i < plugin->secret_count; i++) {
        kanal_buffer_text(text, i == 0 ? "" : i + 1 == plugin->secret_count ? " and " : ", ");
        kanal_buffer_text(text, plugin->secrets[i].name);
    }
}

static void complain_of_unknown(struct settings *s, const kanal_plugin *plugin, yyjson_mut_val *secrets,
                                const char *name)
{
    struct json_suggestion suggestion = { .word = kanal_str_c(name) };
    yyjson_mut_val *key = key_of(secrets, kanal_str_c(name));
    const struct config_position *position = config_position_find(s->errors->positions, key);
    struct kanal_buffer *text =
        config_error_at(s->errors, position ? position->line : 1, position ? position->column : 1);

    config_path_append(text, s->errors->positions, secrets);
    config_path_append_key(text, 0, kanal_str_c(name));
    kanal_buffer_text(text, ": the plugin ");
    kanal_buffer_text(text, plugin->id);
    kanal_buffer_text(text, " has no such secret");
    for (size_t i = 0; i < plugin->secret_count; i++)
        json_suggest(&suggestion, kanal_str_c(plugin->secrets[i].name));
    if (!suggestion.best.ptr) {
        list_secrets(text, plugin);
        return;
    }
    kanal_buffer_text(text, "; did you mean ");
    json_quote(text, suggestion.best);
    kanal_buffer_byte(text, '?');
}

static void complain_of_missing(struct settings *s, const kanal_secret *secret, yyjson_mut_val *secrets)
{
    yyjson_mut_val *place = config_position_find(s->errors->positions, secrets) ? secrets : s->in_file;
    const struct config_position *position = config_position_find(s->errors->positions, place);
    struct kanal_buffer *text =
        config_error_at(s->errors, position ? position->line : 1, position ? position->column : 1);

    config_path_append(text, s->errors->positions, s->in_file);
    config_path_append_key(text, 0, KANAL_LIT("secrets"));
    config_path_append_key(text, 0, kanal_str_c(secret->name));
    kanal_buffer_text(text, ": required, but missing");
    if (secret->description) {
        kanal_buffer_text(text, " (");
        kanal_buffer_text(text, secret->description);
        kanal_buffer_byte(text, ')');
    }
}

static void check_secrets(struct settings *s, const kanal_plugin *plugin)
{
    yyjson_mut_val *secrets = yyjson_mut_obj_get(s->in_file, "secrets");

    for (size_t i = 0; i < s->channel->secret_count; i++)
        if (!find_secret(plugin, s->channel->secrets[i].name))
            complain_of_unknown(s, plugin, secrets, s->channel->secrets[i].name);
    for (size_t i = 0; i < plugin->secret_count; i++)
        if ((plugin->secrets[i].flags & KANAL_SECRET_REQUIRED) &&
            !has_secret(s->channel, plugin->secrets[i].name))
            complain_of_missing(s, &plugin->secrets[i], secrets);
}

/* ---- Calls from outside ---- */

static yyjson_mut_val *channel_in_file(const struct config *config, const struct config_channel *channel)
{
    return yyjson_mut_arr_get(yyjson_mut_obj_get(yyjson_mut_doc_get_root(config->impl->tree), "channels"),
                              channel->position);
}

int config_check_settings(struct config *config, struct config_channel *channel, const kanal_plugin *plugin,
                          config_error_fn *error, void *user)
{
    struct config_errors *errors = calloc(1, sizeof *errors);
    struct settings s = { config, channel, errors, channel_in_file(config, channel) };
    size_t count;

    if (!errors) {
        error(user, KANAL_LIT("out of memory"));
        return KANAL_E_INVALID;
    }
    errors->file = config->impl->file;
    errors->positions = &config->impl->positions;
    errors->placeless = config->impl->placeless;
    check_settings(&s, plugin);
    check_secrets(&s, plugin);
    count = config_errors_tell(errors, error, user);
    free(errors);
    return count > 0 ? KANAL_E_INVALID : 0;
}

void config_tell(const struct config *config, const struct config_channel *channel, const char *key,
                 kanal_str words, config_error_fn *error, void *user)
{
    struct config_errors *errors = calloc(1, sizeof *errors);
    yyjson_mut_val *value = channel_in_file(config, channel);
    yyjson_mut_val *member = key ? yyjson_mut_obj_get(value, key) : NULL;

    if (!errors) {
        error(user, words);
        return;
    }
    errors->file = config->impl->file;
    errors->positions = &config->impl->positions;
    errors->placeless = config->impl->placeless;
    kanal_buffer_str(config_error_of(errors, member ? member : value), words);
    config_errors_tell(errors, error, user);
    free(errors);
}
