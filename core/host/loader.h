/* host/loader.h - plugins: found in directories, opened, checked, never closed.
 *
 * RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE: a plugin that lacks something says so here and not at night, its symbols stay its own, and code
 * that a callback may still be in is never unmapped. */
#ifndef KANAL_HOST_LOADER_H
#define KANAL_HOST_LOADER_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

struct plugin {
    struct plugin *next;
    char *path;
    kanal_plugin
        descriptor; /* a copy that is zero beyond the plugin's struct_size: newer members read as absent */
    struct json_schema *schema;
};

/* Opens and checks one file. KANAL_E_INVALID, and error says what is wrong with the file and what to do: no ELF, symbol absent, wrong
 * major, short struct, a NULL where something is required, a broken schema, a constructor that crashes is beyond it. */
int plugin_load(struct plugin **ret_plugin, const char *path, struct kanal_buffer *error);
void plugin_free(struct plugin *);

/* Loads every *.so of the directories (NULL-ended), in name order; of two with one id the first stays. error() tells each refusal, and
 * a directory that cannot be read. Returns the list. */
typedef void plugin_error_fn(void *user, const char *path, kanal_str error);
struct plugin *plugins_load(const char *const *directories, plugin_error_fn *, void *user);
void plugins_free(struct plugin *);
struct plugin *plugins_find(struct plugin *, const char *id);

#endif
