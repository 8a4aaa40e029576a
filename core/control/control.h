/* control/control.h - changes of a running gateway's channels: which there are, with which configuration, paused or not, in which
 * version of their plugin. [loop]
 *
 * A channel stands in kanal.yaml, or was added at run time and is kept in the bucket <prefix>_channels under "channel.<id>". That
 * record also says what was changed of a channel of the file: {"channel": {…} | absent, "paused": bool, "restarts": n,
 * "plugin_file": path, "changed": time}; secrets in it are sealed (config/seal.h).
 *
 * A change is made here first: a configuration that the plugin refuses, or a version that does not start, goes no further. Then it is
 * recorded by compare-and-set, and every other replica, which watches the bucket, does the same. One change of a channel is
 * under way at a time. */
#ifndef KANAL_CONTROL_CONTROL_H
#define KANAL_CONTROL_CONTROL_H
#include "config/seal.h"
#include "host/host.h"

struct control;

struct control_options {
    struct host *host;
    const struct config *config;    /* kanal.yaml as it was read at the start; borrowed */
    struct plugin **plugins;        /* versions loaded later are added to the list */
    const char *const *plugin_path; /* NULL-ended directories: files elsewhere are not loaded */
    const struct sealer *sealer;    /* NULL: channels with secrets cannot be added */
};

enum control_verb {
    CONTROL_ADD,
    CONTROL_UPDATE,
    CONTROL_REMOVE,
    CONTROL_PAUSE,
    CONTROL_RESUME,
    CONTROL_RESTART,
    CONTROL_UPGRADE
};

struct control_change {
    enum control_verb verb;
    kanal_str id;      /* of add and update: as in the channel */
    kanal_str channel; /* of add and update: a JSON object like an item of `channels` */
    kanal_str
        plugin_file; /* of upgrade: another file of the plugin; absent: the file that it came from, as it is now */
};

/* Like HTTP's: 200, 400 wrong, 404 no such channel, 409 it exists or is being changed, 422 the plugin refused, 503 later. */
struct control_result {
    int code;
    const char *word; /* "exists": of a failure */
    kanal_str message;
    kanal_str details;             /* JSON array of strings, or absent */
    const struct channel *channel; /* as it is now, or NULL */
};
typedef void control_done_fn(void *user, const struct control_result *);

int control_new(struct control **ret_control, const struct control_options *);
/* Changes under way end without an answer. NULL is fine. */
void control_free(struct control *);
/* The bucket is there: records are read and watched. ready() runs once, when all that stood there has been read. */
void control_start(struct control *, void (*ready)(void *user), void *user);
/* done() runs once, perhaps inside the call. Everything is borrowed until control_change() returns. */
void control_change(struct control *, const struct control_change *, control_done_fn *, void *user);
/* kanal.yaml was read again and is right, each channel has its plugin. Channels that are new in it are added, those that it lacks are
 * removed, those that differ are handed over; what else differs needs a restart, and is logged. Takes config over. */
void control_reload(struct control *, struct config *, struct plugin *const *of_channel);
/* 1: it was added at run time. */
int control_is_run_time(const struct control *, kanal_str id);

#endif
