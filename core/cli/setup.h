/* cli/setup.h - what `run` and `check` do first: configuration, plugins, and every channel's settings by its plugin's schema. */
#ifndef KANAL_CLI_SETUP_H
#define KANAL_CLI_SETUP_H
#include "config/config.h"
#include "host/loader.h"

struct setup {
    struct config *config;
    struct plugin *plugins;
    struct plugin **of_channel; /* by index of config->channels */
    size_t errors, warnings;
};

/* Tells everything that is wrong on stderr, one a line. CLI_OK or CLI_CONFIG. extra_path: a further plugin directory, or NULL. */
int setup_load(struct setup *, const char *config_path, const char *extra_path);
void setup_release(struct setup *);

#endif
