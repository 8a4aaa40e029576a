#include "control/control.h"

#include <stdio.h>

#include "config/memory.h"
#include "control/entry.h"
#include "kanal/sdk/json.h"

/* ---- Entries ---- */

struct entry *entry_find(const struct control *control, kanal_str id)
{
    for (struct entry *entry = control->entries; entry; entry = entry->next)
        if (kanal_str_is(id, entry->id))
            return entry;
    return NULL;
}

struct entry *entry_get(struct control *control, kanal_str id)
{
    struct entry *entry = entry_find(control, id);
    if (entry || id.len == 0 || id.len >= sizeof entry->id)
        return entry;
    entry = calloc(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->control = control;
    memcpy(entry->id, id.ptr, id.len);
    entry->next = control->entries;
    control->entries = entry;
    return entry;
}

void entry_key(const struct entry *entry, struct kanal_buffer *out)
{
    kanal_buffer_text(out, "channel.");
    kanal_buffer_text(out, entry->id);
}

int control_keep(struct control *control, struct config *config)
{
    struct kept_config *kept = malloc(sizeof *kept);
    if (!kept) {
        config_free(config);
        return -1;
    }
    *kept = (struct kept_config){ control->kept, config };
    control->kept = kept;
    return 0;
}

void target_release(struct target *target)
{
    kanal_buffer_release(&target->sealed);
    free(target->plugin_file);
    *target = (struct target){ 0 };
}

int target_copy(struct target *to, const struct target *from)
{
    *to = *from;
    to->sealed = (struct kanal_buffer){ 0 };
    to->plugin_file = from->plugin_file ? strdup(from->plugin_file) : NULL;
    kanal_buffer_str(&to->sealed, kanal_buffer_view(&from->sealed));
    if (!to->sealed.failed && (to->plugin_file || !from->plugin_file))
        return 0;
    target_release(to);
    return -1;
}

int control_is_run_time(const struct control *control, kanal_str id)
{
    const struct entry *entry = entry_find(control, id);
    return entry && entry->now.exists && !entry->in_file;
}

/* ---- Targets ---- */

/* Collects what is wrong as a JSON array. */
struct wrong {
    struct kanal_buffer list;
    struct kanal_json json;
};

static void on_wrong(void *user, kanal_str text)
{
    struct wrong *wrong = user;
    static const char own[] = "channel: channels[0].";
    /* The one channel of its configuration: its path says nothing. */
    kanal_json_str(&wrong->json, kanal_str_starts(text, own) ? kanal_str_from(text, sizeof own - 1) : text);
}

static struct plugin *plugin_of(const struct control *control, const struct entry *entry, const char *id)
{
    /* A version that the channel was upgraded to stays. */
    if (entry->now.exists && strcmp(entry->now.plugin->descriptor.id, id) == 0)
        return entry->now.plugin;
    return plugins_find(*control->options.plugins, id);
}

/* plain: the channel with its secrets open. */
static int load_channel(struct entry *entry, kanal_str plain, struct target *target, struct wrong *wrong)
{
    struct control *control = entry->control;
    struct config *config = NULL;
    if (config_load_channel(&config, control->config, plain, on_wrong, wrong) != 0)
        return KANAL_E_INVALID;
    target->config = &config->channels[0];
    target->plugin = plugin_of(control, entry, target->config->plugin);
    int status = 0;
    if (!target->plugin) {
        on_wrong(wrong, KANAL_LIT("plugin: there is no such plugin here; `kanal plugins` lists them"));
        status = KANAL_E_INVALID;
    } else {
        status =
            config_check_settings(config, &config->channels[0], &target->plugin->descriptor, on_wrong, wrong);
    }
    if (status != 0)
        config_free(config);
    else if (control_keep(control, config) != 0)
        status = KANAL_E_INTERNAL;
    return status;
}

static const char *secret_wrong(int status)
{
    return status == KANAL_E_DENIED
               ? "a channel with secrets needs runtime.seal_key in kanal.yaml: its secrets are kept sealed"
           : status == KANAL_E_INVALID  ? "secrets: expected strings"
           : status == KANAL_E_REJECTED ? "secrets: sealed with a key that this gateway does not have"
                                        : "out of memory";
}

static void refuse_wrong(struct change *c, struct wrong *wrong, const char *message)
{
    kanal_json_array_end(&wrong->json);
    change_refuse(c, 400, "invalid", kanal_str_c(message), kanal_buffer_view(&wrong->list));
}

/* From the API: plain secrets come in, sealed ones are kept. */
static void run_loaded(struct change *c, struct entry *entry, yyjson_val *channel, kanal_str plain)
{
    struct target target = { .exists = 1,
                             .is_paused = entry->now.is_paused,
                             .restarts = entry->now.restarts };
    struct wrong wrong = { 0 };
    kanal_str which = { 0 };
    kanal_json_init(&wrong.json, &wrong.list);
    kanal_json_array(&wrong.json);
    int status = load_channel(entry, plain, &target, &wrong);
    if (status != 0) {
        refuse_wrong(c, &wrong, "the channel is not right; nothing has changed");
    } else if ((status = record_seal(entry->control->options.sealer, channel, &target.sealed, &which)) != 0) {
        refuse_wrong(c, &wrong, secret_wrong(status));
    } else {
        if (entry->now.plugin_file)
            target.plugin_file = strdup(entry->now.plugin_file);
        change_run(c, &target, 1);
    }
    target_release(&target);
    kanal_buffer_release(&wrong.list);
}

/* ---- From the API ---- */

static void refuse(control_done_fn *done, void *user, int code, const char *word, const char *message)
{
    done(user, &(struct control_result){ .code = code, .word = word, .message = kanal_str_c(message) });
}

static void add_or_update(struct control *control, const struct control_change *change, control_done_fn *done,
                          void *user)
{
    yyjson_doc *document =
        yyjson_read_opts((char *)change->channel.ptr, change->channel.len, 0, &config_wiping_allocator, NULL);
    yyjson_val *channel = yyjson_doc_get_root(document);
    kanal_str id = kanal_json_text_at(channel, "id");
    struct entry *entry = id.len > 0 ? entry_get(control, id) : NULL;
    int is_add = change->verb == CONTROL_ADD;
    struct change *c = NULL;
    if (!entry)
        refuse(done, user, 400, "invalid", "channel.id is missing or longer than 64 characters");
    else if (entry->change)
        refuse(done, user, 409, "busy", "another change of this channel is under way");
    else if (is_add && entry->now.exists)
        refuse(done, user, 409, "exists", "a channel of that id exists; update changes it");
    else if (!is_add && !entry->now.exists)
        refuse(done, user, 404, "not_found", "there is no channel of that id");
    else if (!is_add && entry->in_file)
        refuse(done, user, 409, "in_file",
               "the channel stands in kanal.yaml: change it there and send SIGHUP");
    else if (!(c = change_new(entry, done, user)))
        refuse(done, user, 503, "unavailable", "out of memory");
    else
        run_loaded(c, entry, channel, change->channel);
    yyjson_doc_free(document);
}

/* A file of the plugin path: whoever may change channels may not run any file of this machine. */
static int is_in_path(const struct control *control, const char *file)
{
    char *real = realpath(file, NULL);
    int found = 0;
    for (const char *const *directory = control->options.plugin_path; real && *directory && !found;
         directory++) {
        char *base = realpath(*directory, NULL);
        size_t len = base ? strlen(base) : 0;
        found = len > 0 && strncmp(real, base, len) == 0 && real[len] == '/' && !strchr(real + len + 1, '/');
        free(base);
    }
    free(real);
    return found;
}

static void upgrade(struct change *c, struct entry *entry, struct target *target, kanal_str file)
{
    struct control *control = entry->control;
    if (file.len > 0) {
        free(target->plugin_file);
        target->plugin_file = kanal_str_dup(file);
    }
    const char *path = target->plugin_file ? target->plugin_file : target->plugin->path;
    target->restarts++; /* the others do the same with the file that they find there */
    if (!target->plugin->worker)
        change_refuse(c, 409, "in_process",
                      KANAL_LIT("the plugin runs in the gateway (isolation: none), where no code can be "
                                "replaced: restart the gateway"),
                      (kanal_str){ 0 });
    else if (!is_in_path(control, path))
        change_refuse(c, 400, "invalid",
                      KANAL_LIT("the file is not in a directory of plugins.path (or is not there)"),
                      (kanal_str){ 0 });
    else
        change_upgrade(c, target, path, 1);
}

static void change_existing(struct entry *entry, const struct control_change *change, control_done_fn *done,
                            void *user)
{
    struct target target = { 0 };
    struct change *c = target_copy(&target, &entry->now) == 0 ? change_new(entry, done, user) : NULL;
    if (!c) {
        target_release(&target);
        refuse(done, user, 503, "unavailable", "out of memory");
        return;
    }
    target.exists = change->verb != CONTROL_REMOVE;
    if (change->verb == CONTROL_PAUSE || change->verb == CONTROL_RESUME)
        target.is_paused = change->verb == CONTROL_PAUSE;
    if (change->verb == CONTROL_RESTART)
        target.restarts++;
    if (change->verb == CONTROL_UPGRADE)
        upgrade(c, entry, &target, change->plugin_file);
    else
        change_run(c, &target, 1);
    target_release(&target);
}

static void waiting_free(struct waiting *waiting)
{
    if (!waiting)
        return;
    config_wipe_free(waiting->channel, waiting->channel_bytes);
    free(waiting->plugin_file);
    free(waiting);
}

/* Another replica's change is being made here: this one comes after it. 0: it cannot wait. */
static int wait_for_others(struct entry *entry, const struct control_change *change, control_done_fn *done,
                           void *user)
{
    if (!entry || !entry->change || change_is_ours(entry->change) || entry->waiting)
        return 0;
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting)
        return 0;
    *waiting = (struct waiting){ .verb = change->verb, .done = done, .user = user };
    waiting->channel = kanal_str_dup(change->channel);
    waiting->channel_bytes = change->channel.len;
    waiting->plugin_file = kanal_str_dup(change->plugin_file);
    entry->waiting = waiting;
    return 1;
}

static void run_waiting(struct entry *entry)
{
    struct waiting *waiting = entry->waiting;
    entry->waiting = NULL;
    struct control_change change = { .verb = waiting->verb,
                                     .id = kanal_str_c(entry->id),
                                     .channel = kanal_str_of(waiting->channel, waiting->channel_bytes),
                                     .plugin_file = kanal_str_c(waiting->plugin_file) };
    control_change(entry->control, &change, waiting->done, waiting->user);
    waiting_free(waiting);
}

void control_change(struct control *control, const struct control_change *change, control_done_fn *done,
                    void *user)
{
    struct entry *entry = entry_find(control, change->id);
    if (wait_for_others(entry, change, done, user))
        return;
    if (change->verb == CONTROL_ADD || change->verb == CONTROL_UPDATE)
        add_or_update(control, change, done, user);
    else if (!entry || !entry->now.exists)
        refuse(done, user, 404, "not_found", "there is no channel of that id");
    else if (entry->change)
        refuse(done, user, 409, "busy", "another change of this channel is under way");
    else if (change->verb == CONTROL_REMOVE && entry->in_file)
        refuse(done, user, 409, "in_file",
               "the channel stands in kanal.yaml: take it out there and send SIGHUP, or pause it");
    else
        change_existing(entry, change, done, user);
}

/* ---- From the bucket ---- */

static void tell(const struct entry *entry, const char *what)
{
    log_write(entry->control->host->log, KANAL_LOG_ERROR, "control", entry->id, "%s", what);
}

static void on_wrong_record(void *user, kanal_str text)
{
    const struct entry *entry = user;
    log_write(entry->control->host->log, KANAL_LOG_ERROR, "control", entry->id, "its record: %.*s",
              (int)text.len, text.ptr);
}

/* The channel of a record: as it is now, if its text is the same; else loaded. */
static int load_record(struct entry *entry, const struct record *record, struct target *target)
{
    struct control *control = entry->control;
    struct kanal_buffer plain = { 0 };
    struct wrong wrong = { 0 };
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
    kanal_json_init(&wrong.json, &wrong.list);
    kanal_json_array(&wrong.json);
    int status = record_open(control->options.sealer, record->channel, &plain, &which);
    if (status != 0)
        tell(entry, secret_wrong(status));
    else if ((status = load_channel(entry, kanal_buffer_view(&plain), target, &wrong)) != 0)
        on_wrong_record(entry, kanal_buffer_view(&wrong.list));
    config_wipe_free(plain.data, plain.capacity);
    kanal_buffer_release(&wrong.list);
    return status;
}

static int target_of_record(struct entry *entry, const struct record *record, struct target *target)
{
    *target = (struct target){ .is_paused = record->is_paused, .restarts = record->restarts };
    if (entry->in_file) { /* a record of the same id that holds a channel is older than the file's */
        target->exists = 1;
        target->config = entry->in_file;
        target->plugin = entry->now.plugin ? entry->now.plugin : entry->plugin_of_file;
    } else if (record->channel) {
        target->exists = 1;
        if (load_record(entry, record, target) != 0)
            return -1;
    }
    if (record->plugin_file.len > 0)
        target->plugin_file = kanal_str_dup(record->plugin_file);
    return 0;
}

static void take_record(struct entry *entry, kanal_str value, uint64_t revision)
{
    struct control *control = entry->control;
    struct record record;
    struct target target = { 0 };
    struct change *c = NULL;
    entry->revision = revision;
    if (record_read(&record, value) != 0) {
        tell(entry, "its record is no JSON and is ignored");
        return;
    }
    if (target_of_record(entry, &record, &target) == 0 && (c = change_new(entry, NULL, NULL))) {
        int is_other_file = target.plugin_file && (!entry->now.plugin_file ||
                                                   strcmp(target.plugin_file, entry->now.plugin_file) != 0);
        int is_upgrade = is_other_file || (control->has_seen_all && target.plugin_file &&
                                           target.restarts != entry->now.restarts);
        if (!control->has_seen_all) /* what was done before we started needs no doing again */
            entry->now.restarts = target.restarts;
        if (is_upgrade && target.exists && target.plugin->worker && is_in_path(control, target.plugin_file))
            change_upgrade(c, &target, target.plugin_file, 0);
        else
            change_run(c, &target, 0);
    }
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
        run_waiting(entry);
}

static void on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct control *control = user;
    kanal_str id = kanal_str_from(key, key.len > 8 ? strlen("channel.") : key.len);
    struct entry *entry = key.ptr ? entry_get(control, id) : NULL;
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

void control_start(struct control *control, void (*ready)(void *user), void *user)
{
    if (control->watch)
        return;
    control->ready = ready;
    control->ready_user = user;
    kv_watch_start(control->host->broker, control->host->names.channels, "channel.>", on_entry, control,
                   &control->watch);
}

/* ---- From kanal.yaml ---- */

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

/* ---- Life ---- */

int control_new(struct control **ret_control, const struct control_options *options)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return KANAL_E_INTERNAL;
    control->options = *options;
    control->host = options->host;
    control->config = options->config;
    for (struct channel *channel = control->host->first_channel; channel; channel = channel->next) {
        struct entry *entry = entry_get(control, channel->id);
        if (!entry) {
            control_free(control);
            return KANAL_E_INTERNAL;
        }
        entry->channel = channel;
        entry->file = options->config;
        entry->in_file = channel->config;
        entry->plugin_of_file = channel->plugin;
        entry->now = (struct target){ .exists = 1, .config = channel->config, .plugin = channel->plugin };
    }
    *ret_control = control;
    return 0;
}

void control_free(struct control *control)
{
    if (!control)
        return;
    if (control->watch)
        kv_watch_stop(control->watch);
    while (control->entries) {
        struct entry *entry = control->entries;
        control->entries = entry->next;
        change_free(entry->change);
        target_release(&entry->now);
        kanal_buffer_release(&entry->next_record);
        waiting_free(entry->waiting);
        free(entry);
    }
    while (control->kept) {
        struct kept_config *kept = control->kept;
        control->kept = kept->next;
        config_free(kept->config);
        free(kept);
    }
    free(control);
}
