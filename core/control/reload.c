/* kanal.yaml, read again. */
#include "control/entry.h"

static void tell(const struct entry *entry, const char *what)
{
    log_write(entry->control->host->log, KANAL_LOG_ERROR, "control", entry->id, "%s", what);
}

static void set_file(struct entry *entry, const struct config *file, const struct config_channel *config,
                     struct plugin *plugin)
{
    struct target target = { 0 };
    int is_same_plugin = entry->now.plugin && entry->plugin_of_file == plugin;
    entry->file = file;
    entry->in_file = config;
    entry->plugin_of_file = plugin;
    struct change *c = target_copy(&target, &entry->now) == 0 ? change_new(entry, NULL, NULL) : NULL;
    if (c) {
        kanal_buffer_release(&target.sealed);
        target.exists = config != NULL;
        target.config = config;
        target.plugin = is_same_plugin ? target.plugin : plugin;
        change_run(c, &target, 0);
    }
    target_release(&target);
}

static const struct config_channel *find_in(const struct config *config, const char *id, size_t *ret_index)
{
    for (size_t i = 0; i < config->channel_count; i++)
        if (strcmp(config->channels[i].id, id) == 0) {
            *ret_index = i;
            return &config->channels[i];
        }
    return NULL;
}

static void reload_entry(struct entry *entry, const struct config *config, struct plugin *const *of_channel)
{
    size_t index = 0;
    const struct config_channel *next = find_in(config, entry->id, &index);
    if (entry->change) {
        tell(entry, "a change of this channel is under way: send SIGHUP again when it has ended");
    } else if (!next && entry->in_file) {
        set_file(entry, NULL, NULL, NULL);
    } else if (next && !entry->in_file && entry->now.exists) {
        tell(entry, "kanal.yaml has a channel of the id of one that was added at run time, which stays: "
                    "remove that one first");
    } else if (next && (!entry->in_file || !config_channel_same(entry->file, entry->in_file, config, next))) {
        set_file(entry, config, next, of_channel[index]);
    }
}

static void on_difference(void *user, kanal_str section)
{
    const struct control *control = user;
    log_write(control->host->log, KANAL_LOG_WARN, "control", NULL,
              "kanal.yaml: %.*s has changed, which takes effect at the next start", (int)section.len,
              section.ptr);
}

void control_reload(struct control *control, struct config *config, struct plugin *const *of_channel)
{
    if (control_keep(control, config) != 0)
        return;
    config_differences(control->config, config, on_difference, control);
    for (size_t i = 0; i < config->channel_count; i++)
        entry_get(control, kanal_str_c(config->channels[i].id));
    for (struct entry *entry = control->entries; entry; entry = entry->next)
        reload_entry(entry, config, of_channel);
    /* Those that did not change still point into the former one, which is kept. */
    control->config = config;
}
