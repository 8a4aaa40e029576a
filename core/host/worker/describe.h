/* host/worker/describe.h - plugins as their workers describe them: the core never opens a plugin's file itself.
 *
 * Each file is opened once, and every worker of the plugin maps what stands behind that descriptor. So a file that is replaced by
 * another (as package managers do) changes nothing for a running gateway: a worker that is started again has the same code as
 * before. A file that is overwritten in place cannot be kept from its workers; its description is compared at each start, and the
 * file's size and time are, and a difference is told. */
#ifndef KANAL_HOST_WORKER_DESCRIBE_H
#define KANAL_HOST_WORKER_DESCRIBE_H
#include <sys/stat.h>

#include "host/loader.h"
#include "host/worker/process.h"

struct worker;

/* Behind struct plugin.worker: a plugin that runs in workers. */
struct worker_plugin {
    int fd;           /* the file */
    struct stat file; /* as it was described */
    struct worker_terms terms;
    uint32_t deadline_ms;            /* of a callback, until it is killed */
    struct kanal_buffer description; /* the frame's body */
    struct wire_scratch memory;      /* what the descriptor's pointers lead to */
    struct worker_process *process;  /* the one that described it, for the first worker; or NULL */
    struct worker *shared;           /* supervise.c's */
};

#define WORKER_DEADLINE_DEFAULT_MS 10000u

/* As plugins_load(), by workers, several at once, each within 10 s. */
struct plugin *plugins_describe(const char *const *directories, const struct worker_terms *,
                                plugin_error_fn *, void *user);
/* The same of these files. Waits for up to 10 s and more. [any thread] */
struct plugin *plugins_describe_files(char *const *paths, size_t count, const struct worker_terms *,
                                      plugin_error_fn *, void *user);
/* One file; waits for its worker for up to 10 s, so not on the loop. KANAL_E_INVALID, and error says why. [any thread] */
int plugin_describe(struct plugin **ret_plugin, const char *path, const struct worker_terms *,
                    struct kanal_buffer *error);
/* The process that described the plugin is not needed, perhaps none ever. */
void worker_plugin_dismiss(struct worker_plugin *);
void worker_plugin_free(struct worker_plugin *);
/* Is this what was described at first? */
int worker_plugin_same(const struct worker_plugin *, const struct wire_frame *described);
/* 1: the file at the path, or its content, is not what was described. */
int worker_plugin_changed(const struct worker_plugin *, const char *path);

/* proxy.c: the slots that make frames, as far as the plugin has them. */
void worker_proxy_slots(kanal_plugin *, uint64_t slots);

#endif
