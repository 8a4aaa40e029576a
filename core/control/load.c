/* From a channel's JSON to what it is to be. */
#include <stdio.h>
#include <unistd.h>

#include "control/entry.h"
#include "kanal/sdk/time.h"

/* ---- What is wrong ---- */

void wrong_init(struct wrong *wrong)
{
    *wrong = (struct wrong){ 0 };
    kanal_json_init(&wrong->json, &wrong->list);
    kanal_json_array(&wrong->json);
}

kanal_str wrong_list(struct wrong *wrong)
{
    kanal_json_array_end(&wrong->json);
    return kanal_buffer_view(&wrong->list);
}

void wrong_release(struct wrong *wrong)
{
    kanal_buffer_release(&wrong->list);
}

/* "settings.hosts[0]" as a pointer into the request: "/channel/settings/hosts/0". */
static void write_pointer(struct kanal_buffer *out, kanal_str path)
{
    kanal_buffer_text(out, "/channel");
    if (path.len > 0 && path.ptr[0] != '[')
        kanal_buffer_byte(out, '/');
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if (c == '.' || c == '[')
            kanal_buffer_byte(out, '/');
        else if (c != ']' && c != '"')
            kanal_buffer_byte(out, c);
    }
}

/* Where the path ends that a message begins with; 0: there is none. */
static size_t path_end(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == ':')
            return i;
        else if (text.ptr[i] == ' ')
            break;
    return 0;
}

void wrong_add(void *user, kanal_str text)
{
    static const char own[] = "channel: channels[0].";
    struct wrong *wrong = user;
    struct kanal_buffer pointer = { 0 };
    /* The one channel of its configuration: its own path says nothing. */
    kanal_str rest = kanal_str_starts(text, own) ? kanal_str_from(text, sizeof own - 1) : text;
    size_t end = path_end(rest);
    write_pointer(&pointer, kanal_str_of(rest.ptr, end));
    kanal_json_object(&wrong->json);
    kanal_json_member_str(&wrong->json, "pointer", kanal_buffer_view(&pointer));
    kanal_json_member_str(&wrong->json, "message", end > 0 ? kanal_str_from(rest, end + 2) : rest);
    kanal_json_object_end(&wrong->json);
    kanal_buffer_release(&pointer);
}

const char *secret_wrong(int status)
{
    return status == KANAL_E_DENIED
               ? "a channel with secrets needs runtime.seal_key in kanal.yaml: its secrets are kept sealed"
           : status == KANAL_E_INVALID  ? "secrets: expected strings"
           : status == KANAL_E_REJECTED ? "secrets: sealed with a key that this gateway does not have"
                                        : "out of memory";
}

/* ---- The channel ---- */

static struct plugin *plugin_of(const struct control *control, const struct entry *entry, const char *id)
{
    /* A version that the channel was upgraded to stays. */
    if (entry->now.exists && strcmp(entry->now.plugin->descriptor.id, id) == 0)
        return entry->now.plugin;
    return plugins_find(*control->options.plugins, id);
}

int entry_load(struct entry *entry, kanal_str plain, struct target *target, struct wrong *wrong)
{
    struct control *control = entry->control;
    struct config *config = NULL;
    int status = 0;
    if (config_load_channel(&config, control->config, plain, wrong_add, wrong) != 0)
        return KANAL_E_INVALID;
    target->config = &config->channels[0];
    target->plugin = plugin_of(control, entry, target->config->plugin);
    if (!target->plugin) {
        wrong_add(wrong, KANAL_LIT("plugin: there is no such plugin here; `kanal plugins` lists them"));
        status = KANAL_E_INVALID;
    } else {
        status = config_check_settings(config, &config->channels[0], &target->plugin->descriptor, wrong_add,
                                       wrong);
    }
    if (status != 0)
        config_free(config);
    else if (control_keep(control, config) != 0)
        status = KANAL_E_INTERNAL;
    return status;
}

/* ---- Its pause and its plugin's file ---- */

int target_pause(struct target *target, kanal_str paused)
{
    yyjson_doc *document = kanal_json_parse(paused);
    yyjson_val *root = yyjson_doc_get_root(document);
    kanal_str direction = kanal_json_text_at(root, "direction"), until = kanal_json_text_at(root, "until");
    struct channel_pause pause = { .directions = direction.len == 0 || kanal_str_is(direction, "out")
                                                     ? CHANNEL_PAUSE_OUT
                                                 : kanal_str_is(direction, "in") ? CHANNEL_PAUSE_IN
                                                 : kanal_str_is(direction, "both")
                                                     ? CHANNEL_PAUSE_IN | CHANNEL_PAUSE_OUT
                                                     : 0 };
    int is_right = yyjson_is_obj(root) && pause.directions != 0 &&
                   (until.len == 0 || kanal_time_parse_rfc3339(until, &pause.until_ms) == KANAL_OK);
    yyjson_doc_free(document);
    if (!is_right)
        return KANAL_E_INVALID;
    target->pause = pause;
    kanal_buffer_clear(&target->paused);
    kanal_buffer_str(&target->paused, paused);
    return 0;
}

char *plugin_path_find(const struct control *control, kanal_str name)
{
    char path[4096];
    if (name.len == 0 || name.len > 255 || name.ptr[0] == '.' || memchr(name.ptr, '/', name.len) ||
        memchr(name.ptr, '\0', name.len))
        return NULL;
    for (const char *const *directory = control->options.plugin_path; *directory; directory++) {
        snprintf(path, sizeof path, "%s/%.*s", *directory, (int)name.len, name.ptr);
        if (access(path, F_OK) == 0)
            return strdup(path);
    }
    return NULL;
}
