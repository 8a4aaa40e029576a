/* cli/setup.h - what `run` and `check` do first: configuration, plugins, and every channel's settings by its plugin's schema. */
#ifndef KANAL_CLI_SETUP_H
#define KANAL_CLI_SETUP_H
#include "config/config.h"
#include "host/loader.h"
#include "host/worker/cgroup.h"

struct setup {
    struct config *config;
    struct plugin *plugins;
    struct plugin **of_channel; /* by index of config->channels */
    struct plugin_paths rest;   /* not SETUP_ALL: files that no channel needed, not looked into yet */
    struct cgroups *groups;     /* SETUP_GATEWAY, and there are some; else NULL */
    char groups_reason[CGROUP_REASON_MAX]; /* why not, or "" */
    size_t errors, warnings;
};

/* Which plugins' files are looked into. A plugin that a channel names is looked for in ID.so first, the first in the path; if that is not
 * there, or another, in all of them. SETUP_GATEWAY: as SETUP_USED, and workers are held by control groups, as plugins.cgroup says. */
enum setup_scope { SETUP_ALL, SETUP_USED, SETUP_GATEWAY };

/* Tells everything that is wrong on stderr, one a line. CLI_OK or CLI_CONFIG. extra_path: a further plugin directory, or NULL. */
int setup_load(struct setup *, enum setup_scope, const char *config_path, const char *extra_path);
void setup_release(struct setup *);

/* The rest, later: described by workers, which takes a while [any thread; nothing else may touch the setup's rest meanwhile]; then taken
 * into the list [the thread that uses it]. tell() says what is wrong with a file. */
struct plugin *setup_describe_rest(const struct setup *, plugin_error_fn *tell, void *user);
void setup_take_rest(struct setup *, struct plugin *described, plugin_error_fn *tell, void *user);

#endif
