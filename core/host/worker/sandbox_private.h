/* host/worker/sandbox_private.h - what the files of the sandbox share.
 *
 *   sandbox.c           the two stages
 *   sandbox_process.c   what a process holds: privileges, environment, descriptors, limits
 *   sandbox_landlock.c  files
 *   sandbox_filter.c    system calls: the allow-lists
 *   sandbox_trap.c      what happens to a system call that is on none */
#ifndef KANAL_HOST_WORKER_SANDBOX_PRIVATE_H
#define KANAL_HOST_WORKER_SANDBOX_PRIVATE_H
#include "host/worker/sandbox.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_UNDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_UNDER_ASAN 1
#endif
#endif
#ifndef SANDBOX_UNDER_ASAN
#define SANDBOX_UNDER_ASAN 0
#endif

enum sandbox_stage { SANDBOX_LOAD, SANDBOX_RUN };

/* ---- sandbox.c ---- */

/* Notes what could not be had, with the reason of errno. Returns -1. */
int sandbox_lacks(struct sandbox_report *, const char *what);

/* ---- sandbox_process.c: each 0 or -1, noted ---- */

int sandbox_drop_user(const struct sandbox_options *, struct sandbox_report *);
int sandbox_drop_capabilities(struct sandbox_report *);
void sandbox_clear_environment(void);
int sandbox_close_descriptors(const struct sandbox_options *, struct sandbox_report *);
int sandbox_set_limits(const struct sandbox_options *, struct sandbox_report *);
int sandbox_tie_to_parent(const struct sandbox_options *, struct sandbox_report *);
/* Not dumpable: /proc/PID/mem, environ and fd belong to root then, and nobody of the same user traces it. Only after loading:
 * the plugin may be opened by /proc/self/fd, which is root's then, too. */
int sandbox_hide(struct sandbox_report *);

/* ---- sandbox_landlock.c ---- */

/* LOAD: reading the library paths and read_paths; RUN: nothing. Sets the layers and the ABI. */
int sandbox_landlock(enum sandbox_stage, const struct sandbox_options *, struct sandbox_report *);

/* ---- sandbox_filter.c ---- */

int sandbox_filter(enum sandbox_stage, const struct sandbox_options *, struct sandbox_report *);

/* ---- sandbox_trap.c ---- */

/* Before the first filter. */
int sandbox_trap_install(struct sandbox_notice *, struct sandbox_report *);
/* Sets the name by which the trap reports a system call, and whether the caller is told EACCES and lives. */
void sandbox_trap_describe(int number, const char *name, int may_live);

#endif
