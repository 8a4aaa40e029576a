/* control/entry.h - what the files of control/ share: channels as they are, and as they are to be. [loop] */
#ifndef KANAL_CONTROL_ENTRY_H
#define KANAL_CONTROL_ENTRY_H
#include "broker/kv.h"
#include "control/control.h"
#include "control/record.h"

struct change;

/* A change that was asked for while another replica's is made here: it comes next. Texts are owned. */
struct waiting {
    enum control_verb verb;
    char *channel, *plugin_file;
    size_t channel_bytes;
    control_done_fn *done;
    void *user;
};

/* What a channel is to be. Strings are owned. */
struct target {
    int exists;
    const struct config_channel *config;
    struct plugin *plugin;
    struct kanal_buffer sealed; /* of one that was added at run time: its JSON for the record */
    int is_paused;
    int64_t restarts;
    char *plugin_file; /* NULL: the one of the plugin path */
};

struct entry {
    struct entry *next;
    struct control *control;
    char id[65];
    const struct config_channel *in_file; /* NULL: kanal.yaml does not have it */
    const struct config *file;            /* the reading of it that in_file is of */
    struct plugin *plugin_of_file;
    struct channel *channel; /* NULL: there is none now */
    struct target now;
    uint64_t revision;     /* of the record that was applied; 0: none */
    struct change *change; /* under way */
    struct kanal_buffer next_record;
    uint64_t next_revision; /* a record that came meanwhile; 0: none */
    struct waiting *waiting;
};

struct kept_config { /* retired channels still point into them */
    struct kept_config *next;
    struct config *config;
};

struct control {
    struct control_options options;
    struct host *host;
    const struct config *config; /* of kanal.yaml, the latest */
    struct entry *entries;
    struct kept_config *kept;
    struct kv_watch *watch;
    void (*ready)(void *user);
    void *ready_user;
    int has_seen_all; /* the records that were there at the start */
};

struct entry *entry_find(const struct control *, kanal_str id);
struct entry *entry_get(struct control *, kanal_str id); /* makes it; NULL: no memory */
/* The config lives as long as the control. 0, or -1: no memory (it is freed). */
int control_keep(struct control *, struct config *);

void target_release(struct target *);
/* 0, or -1: no memory. */
int target_copy(struct target *to, const struct target *from);

/* change.c: makes the entry what the target says. is_ours: recorded when that worked; else it came from the bucket or the file.
 * Takes the target over. done: NULL or runs once. With refused set (by those who make targets) nothing is done but that. */
struct change *change_new(struct entry *, control_done_fn *, void *user);
void change_run(struct change *, struct target *, int is_ours);
/* The same after the plugin's file has been described, outside the loop. */
void change_upgrade(struct change *, struct target *, const char *path, int is_ours);
void change_refuse(struct change *, int code, const char *word, kanal_str message, kanal_str details);
int change_is_ours(const struct change *);
/* The gateway ends. */
void change_free(struct change *);

/* control.c: the record that came during a change is looked at. */
void entry_settled(struct entry *);
void entry_key(const struct entry *, struct kanal_buffer *out);

#endif
