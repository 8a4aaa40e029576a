/* host/plugin_file.h - a plugin's file, opened in this process, and the checks of what it says of itself. Also part of the worker,
 * so it needs nothing of the core.
 *
 * RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE: a plugin that lacks something says so here and not at night, its symbols stay its own, and
 * code that a callback may still be in is never unmapped. */
#ifndef KANAL_HOST_PLUGIN_FILE_H
#define KANAL_HOST_PLUGIN_FILE_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

/* Opens and checks one file, runs its constructors. KANAL_E_INVALID, and error says what is wrong with the file and what to do: no ELF,
 * symbol absent, wrong major, short struct, a NULL where something is required; a constructor that crashes is beyond it. The
 * descriptor lives as long as the process. */
int plugin_open(const kanal_plugin **ret_descriptor, const char *path, struct kanal_buffer *error);
/* Are id, required slots, routes and secrets right? 0 or KANAL_E_INVALID. */
int plugin_check(const kanal_plugin *, struct kanal_buffer *error);
/* A copy that is zero beyond the plugin's struct_size: newer members read as absent. */
void plugin_copy(kanal_plugin *copy, const kanal_plugin *);
/* KANAL_E_INVALID, and the words in error. */
int plugin_refuse(struct kanal_buffer *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
