/* host/loader.h - the plugins of this process: found in directories, opened here or described by a worker, checked. */
#ifndef KANAL_HOST_LOADER_H
#define KANAL_HOST_LOADER_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

struct worker_plugin;

struct plugin {
    struct plugin *next;
    char *path;
    /* A copy that is zero beyond the plugin's struct_size: newer members read as absent. Of a plugin in workers its slots make frames. */
    kanal_plugin descriptor;
    struct json_schema *schema;
    struct worker_plugin *worker; /* host/worker/describe.h; NULL: it runs in this process */
};

/* Opens and checks one file in this process. KANAL_E_INVALID, and error says what is wrong with the file and what to do
 * (host/plugin_file.h), or with its settings' schema. */
int plugin_load(struct plugin **ret_plugin, const char *path, struct kanal_buffer *error);
void plugin_free(struct plugin *);
/* The schema of its settings: the last step of making a plugin. */
int plugin_compile(struct plugin *, struct kanal_buffer *error);

/* Loads every *.so of the directories (NULL-ended) into this process, in name order; of two with one id the first stays. error() tells
 * each refusal, and a directory that cannot be read. Returns the list. host/worker/describe.h has the same with workers. */
typedef void plugin_error_fn(void *user, const char *path, kanal_str error);
struct plugin *plugins_load(const char *const *directories, plugin_error_fn *, void *user);
void plugins_free(struct plugin *);
struct plugin *plugins_find(struct plugin *, const char *id);

/* For those who make the list otherwise: the files, in that order; and one more at the list's end, or freed if there is one of its id. */
struct plugin_paths {
    char **list;
    size_t count, room;
};
void plugin_paths_find(struct plugin_paths *, const char *const *directories, plugin_error_fn *, void *user);
void plugin_paths_release(struct plugin_paths *);
void plugins_add(struct plugin **list, struct plugin *, plugin_error_fn *, void *user);

#endif
