/* Records of the bucket: what another replica has changed, and what was changed before this one started. */
#include "config/memory.h"
#include "control/entry.h"

static void tell(const struct entry *entry, kanal_str what)
{
    log_write(entry->control->host->log, KANAL_LOG_ERROR, "control", entry->id, "its record: %.*s",
              (int)what.len, what.ptr);
}

/* The channel of a record: as it is now, if its text is the same; else loaded. */
static int load_record(struct entry *entry, const struct record *record, struct target *target)
{
    struct kanal_buffer plain = { 0 };
    struct wrong wrong;
    kanal_str which = { 0 };
    size_t len = 0;
    char *sealed = yyjson_val_write(record->channel, 0, &len);
    kanal_buffer_append(&target->sealed, sealed, len);
    free(sealed);
    if (entry->now.exists &&
        kanal_str_equal(kanal_buffer_view(&target->sealed), kanal_buffer_view(&entry->now.sealed))) {
        target->config = entry->now.config;
        target->plugin = entry->now.plugin;
        return 0;
    }
    wrong_init(&wrong);
    int status = record_open(entry->control->options.sealer, record->channel, &plain, &which);
    if (status != 0)
        tell(entry, kanal_str_c(secret_wrong(status)));
    else if ((status = entry_load(entry, kanal_buffer_view(&plain), target, &wrong)) != 0)
        tell(entry, wrong_list(&wrong));
    config_wipe_free(plain.data, plain.capacity);
    wrong_release(&wrong);
    return status;
}

static void take_pause(const struct entry *entry, const struct record *record, struct target *target)
{
    size_t len = 0;
    char *paused = record->paused ? yyjson_val_write(record->paused, 0, &len) : NULL;
    if (paused && target_pause(target, kanal_str_of(paused, len)) != 0)
        tell(entry, KANAL_LIT("its pause is not understood and is ignored"));
    free(paused);
}

static int target_of(struct entry *entry, const struct record *record, struct target *target)
{
    *target = (struct target){ .restarts = record->restarts, .upgrades = record->upgrades };
    if (entry->in_file) { /* a channel in the record of the same id is older than the file's */
        target->exists = 1;
        target->config = entry->in_file;
        target->plugin = entry->now.plugin ? entry->now.plugin : entry->plugin_of_file;
    } else if (record->channel) {
        target->exists = 1;
        if (load_record(entry, record, target) != 0)
            return -1;
    }
    take_pause(entry, record, target);
    target->file = record->file.len > 0 ? kanal_str_dup(record->file) : NULL;
    return 0;
}

static int is_other_file(const struct target *now, const struct target *target)
{
    return target->file && (!now->file || strcmp(target->file, now->file) != 0);
}

static void make(struct entry *entry, struct target *target)
{
    struct control *control = entry->control;
    struct change *c = change_new(entry, NULL, NULL);
    if (!c)
        return;
    if (!control->has_seen_all) { /* what was done before we started needs no doing again */
        entry->now.restarts = target->restarts;
        entry->now.upgrades = target->upgrades;
    }
    int is_upgrade = target->exists && target->plugin->worker &&
                     (is_other_file(&entry->now, target) || target->upgrades != entry->now.upgrades);
    char *path = !is_upgrade    ? NULL
                 : target->file ? plugin_path_find(control, kanal_str_c(target->file))
                                : strdup(target->plugin->path);
    if (is_upgrade && !path)
        tell(entry, KANAL_LIT("the plugin's file is not in this gateway's plugin path: it goes on as it is"));
    if (path)
        change_upgrade(c, target, path, 0);
    else
        change_run(c, target, 0);
    free(path);
}

static void take_record(struct entry *entry, kanal_str value, uint64_t revision)
{
    struct record record;
    struct target target = { 0 };
    entry->revision = revision;
    if (record_read(&record, value) != 0) {
        tell(entry, KANAL_LIT("it is no JSON and is ignored"));
        return;
    }
    if (target_of(entry, &record, &target) == 0)
        make(entry, &target);
    target_release(&target);
    record_release(&record);
}

void entry_settled(struct entry *entry)
{
    struct kanal_buffer record = entry->next_record;
    uint64_t revision = entry->next_revision;
    entry->next_record = (struct kanal_buffer){ 0 };
    entry->next_revision = 0;
    if (revision > entry->revision && !entry->change)
        take_record(entry, kanal_buffer_view(&record), revision);
    kanal_buffer_release(&record);
    if (entry->waiting && !entry->change)
        entry_run_waiting(entry);
}

void control_on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    static const char prefix[] = "channel.";
    struct control *control = user;
    struct entry *entry =
        kanal_str_starts(key, prefix) ? entry_get(control, kanal_str_from(key, sizeof prefix - 1)) : NULL;
    if (!key.ptr && !control->has_seen_all) {
        control->has_seen_all = 1;
        control->ready(control->ready_user);
    }
    if (!entry || revision <= entry->revision)
        return;
    if (!entry->change) {
        take_record(entry, value, revision);
        return;
    }
    kanal_buffer_clear(&entry->next_record);
    kanal_buffer_str(&entry->next_record, value);
    entry->next_revision = revision;
}
