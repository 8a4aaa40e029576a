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
    kanal_buffer_release(&target->paused);
    free(target->file);
    *target = (struct target){ 0 };
}

int target_copy(struct target *to, const struct target *from)
{
    *to = *from;
    to->sealed = to->paused = (struct kanal_buffer){ 0 };
    to->file = from->file ? strdup(from->file) : NULL;
    kanal_buffer_str(&to->sealed, kanal_buffer_view(&from->sealed));
    kanal_buffer_str(&to->paused, kanal_buffer_view(&from->paused));
    if (!to->sealed.failed && !to->paused.failed && (to->file || !from->file))
        return 0;
    target_release(to);
    return -1;
}

/* ---- From the API ---- */

static void refuse(control_done_fn *done, void *user, int code, const char *word, const char *message)
{
    done(user, &(struct control_result){ .code = code, .word = word, .message = kanal_str_c(message) });
}

static void refuse_wrong(struct change *c, struct wrong *wrong, const char *message)
{
    change_refuse(c, 400, "invalid_request", kanal_str_c(message), wrong_list(wrong));
}

/* Plain secrets come in, sealed ones are kept. */
static void run_loaded(struct change *c, struct entry *entry, yyjson_val *channel, kanal_str plain)
{
    struct target target = { 0 }, loaded = { .exists = 1 };
    struct wrong wrong;
    kanal_str which = { 0 };
    wrong_init(&wrong);
    int status = entry_load(entry, plain, &loaded, &wrong);
    if (status != 0) {
        refuse_wrong(c, &wrong, "the channel is not right; nothing has changed");
    } else if ((status = record_seal(entry->control->options.sealer, channel, &loaded.sealed, &which)) != 0) {
        wrong_add(&wrong, KANAL_LIT("secrets: cannot be kept"));
        refuse_wrong(c, &wrong, secret_wrong(status));
    } else if (target_copy(&target, &entry->now) != 0) {
        change_refuse(c, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    } else { /* paused or not, and in which version, as it was */
        kanal_buffer_release(&target.sealed);
        target.sealed = loaded.sealed;
        loaded.sealed = (struct kanal_buffer){ 0 };
        target.exists = 1;
        target.config = loaded.config;
        target.plugin = loaded.plugin;
        change_run(c, &target, 1);
    }
    target_release(&target);
    target_release(&loaded);
    wrong_release(&wrong);
}

/* What of its state forbids the change; NULL: nothing. */
static const char *forbidden(const struct entry *entry, const struct control_change *change)
{
    if (entry->change)
        return "another change of this channel is under way; try again";
    if (change->verb == CONTROL_ADD)
        return entry->now.exists ? "a channel of that id exists; channel-change changes it" : NULL;
    if (change->revision >= 0 && (uint64_t)change->revision != entry->revision)
        return "the channel's record has another revision: read it again";
    if (entry->in_file && (change->verb == CONTROL_CHANGE || change->verb == CONTROL_REMOVE))
        return "the channel stands in kanal.yaml: change it there and send SIGHUP, or pause it";
    if (change->verb == CONTROL_UPGRADE && !entry->now.plugin->worker)
        return "the plugin runs in the gateway (isolation: none), where no code can be replaced: restart the "
               "gateway";
    return NULL;
}

static void add_or_change(struct entry *entry, const struct control_change *change, struct change *c)
{
    yyjson_doc *document =
        yyjson_read_opts((char *)change->channel.ptr, change->channel.len, 0, &config_wiping_allocator, NULL);
    run_loaded(c, entry, yyjson_doc_get_root(document), change->channel);
    yyjson_doc_free(document);
}

static void upgrade(struct change *c, struct entry *entry, struct target *target, kanal_str file)
{
    if (file.len > 0) {
        free(target->file);
        target->file = kanal_str_dup(file);
    }
    char *path = target->file ? plugin_path_find(entry->control, kanal_str_c(target->file))
                              : strdup(target->plugin->path);
    target->upgrades++; /* the others do the same with the file that they find there */
    if (path)
        change_upgrade(c, target, path, 1);
    else
        change_refuse(c, 404, "not_found", KANAL_LIT("there is no file of that name in plugins.path"),
                      (kanal_str){ 0 });
    free(path);
}

static void change_existing(struct entry *entry, const struct control_change *change, struct change *c)
{
    struct target target = { 0 };
    int status = target_copy(&target, &entry->now);
    target.exists = change->verb != CONTROL_REMOVE;
    target.restarts += change->verb == CONTROL_RESTART;
    if (change->verb == CONTROL_RESUME) {
        target.pause = (struct channel_pause){ 0 };
        kanal_buffer_clear(&target.paused);
    }
    if (status != 0)
        change_refuse(c, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    else if (change->verb == CONTROL_PAUSE && target_pause(&target, change->paused) != 0)
        change_refuse(c, 400, "invalid_request",
                      KANAL_LIT("direction is \"in\", \"out\" or \"both\"; until is a time (RFC 3339)"),
                      (kanal_str){ 0 });
    else if (change->verb == CONTROL_UPGRADE)
        upgrade(c, entry, &target, change->file);
    else
        change_run(c, &target, 1);
    target_release(&target);
}

/* ---- Those that wait ---- */

static void waiting_free(struct waiting *waiting)
{
    if (!waiting)
        return;
    config_wipe_free(waiting->channel, waiting->channel_bytes);
    free(waiting->paused);
    free(waiting->file);
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
    *waiting =
        (struct waiting){ .verb = change->verb, .revision = change->revision, .done = done, .user = user };
    waiting->channel = kanal_str_dup(change->channel);
    waiting->channel_bytes = change->channel.len;
    waiting->paused = kanal_str_dup(change->paused);
    waiting->file = kanal_str_dup(change->file);
    entry->waiting = waiting;
    return 1;
}

void entry_run_waiting(struct entry *entry)
{
    struct waiting *waiting = entry->waiting;
    entry->waiting = NULL;
    struct control_change change = { .verb = waiting->verb,
                                     .id = kanal_str_c(entry->id),
                                     .channel = kanal_str_of(waiting->channel, waiting->channel_bytes),
                                     .paused = kanal_str_c(waiting->paused),
                                     .file = kanal_str_c(waiting->file),
                                     .revision = waiting->revision };
    control_change(entry->control, &change, waiting->done, waiting->user);
    waiting_free(waiting);
}

void control_change(struct control *control, const struct control_change *change, control_done_fn *done,
                    void *user)
{
    int is_add = change->verb == CONTROL_ADD;
    struct entry *entry = is_add ? entry_get(control, change->id) : entry_find(control, change->id);
    const char *why = NULL;
    struct change *c = NULL;
    if (wait_for_others(entry, change, done, user))
        return;
    if (is_add && !entry)
        refuse(done, user, 400, "invalid_request", "channel.id is missing or longer than 64 characters");
    else if (!entry || (!is_add && !entry->now.exists))
        refuse(done, user, 404, "not_found", "there is no channel of that id");
    else if ((why = forbidden(entry, change)))
        refuse(done, user, 409, "conflict", why);
    else if (!(c = change_new(entry, done, user)))
        refuse(done, user, 503, "unavailable", "out of memory");
    else if (is_add || change->verb == CONTROL_CHANGE)
        add_or_change(entry, change, c);
    else
        change_existing(entry, change, c);
}

/* ---- What is shown ---- */

int control_look(const struct control *control, kanal_str id, struct control_info *ret_info)
{
    const struct entry *entry = entry_find(control, id);
    if (!entry || !entry->now.exists)
        return 0;
    *ret_info = (struct control_info){ .is_run_time = !entry->in_file,
                                       .paused = kanal_buffer_view(&entry->now.paused),
                                       .revision = entry->revision };
    return 1;
}

/* ---- Life ---- */

void control_start(struct control *control, void (*ready)(void *user), void *user)
{
    if (control->watch)
        return;
    control->ready = ready;
    control->ready_user = user;
    kv_watch_start(control->host->broker, control->host->names.channels, "channel.>", control_on_entry,
                   control, &control->watch);
}

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
