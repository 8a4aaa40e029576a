/* host/worker/sandbox.h - what a worker gives up before and after it loads a plugin.
 *
 * Two stages, because ELF constructors run inside dlopen(). sandbox_before_load() takes away everything but reading and
 * mapping the given library paths; sandbox_after_load() takes away files altogether. A plugin whose constructor never
 * returns stays in the first stage, so that one alone already holds a hostile plugin; the second narrows what is left for
 * a plugin that is taken over later.
 *
 * Needs libc, libseccomp and the kernel, nothing of the core. For a process with one thread, called once each. Nothing is
 * undone, also on failure: the caller then ends the process. */
#ifndef KANAL_HOST_WORKER_SANDBOX_H
#define KANAL_HOST_WORKER_SANDBOX_H
#include <stddef.h>
#include <stdint.h>

/* ---- Layers ---- */

#define SANDBOX_NO_NEW_PRIVS (1u << 0) /* no set-uid program gives anything back */
#define SANDBOX_CAPABILITIES (1u << 1) /* none left, none to be had */
#define SANDBOX_ENVIRONMENT (1u << 2)  /* empty, and overwritten where it stood */
#define SANDBOX_DESCRIPTORS (1u << 3)  /* only those named */
#define SANDBOX_LIMITS (1u << 4)       /* the given rlimits; memory is not limited under ASan */
#define SANDBOX_PARENT (1u << 5)       /* dies with the core; nobody of the same user reads its memory */
#define SANDBOX_SECCOMP (1u << 6)      /* allow-lists of system calls */
#define SANDBOX_LANDLOCK (1u << 7)     /* files: only the given paths, only reading (kernel 5.13 and newer) */
#define SANDBOX_LANDLOCK_IPC (1u << 8) /* … and no signal, TCP or abstract socket beyond (6.12 and newer) */
#define SANDBOX_USER (1u << 9)         /* another user than the core's, if one was given */

/* What every kernel of a supported Debian has, also in a container; without these no plugin is loaded. */
#define SANDBOX_BASE                                                                                         \
    (SANDBOX_NO_NEW_PRIVS | SANDBOX_CAPABILITIES | SANDBOX_ENVIRONMENT | SANDBOX_DESCRIPTORS |               \
     SANDBOX_LIMITS | SANDBOX_PARENT | SANDBOX_SECCOMP)
#define SANDBOX_REQUIRED (SANDBOX_BASE | SANDBOX_LANDLOCK)

/* "landlock" for SANDBOX_LANDLOCK …; NULL: no such layer. */
const char *sandbox_layer_name(unsigned layer);

/* ---- What the plugin tried ---- */

/* A page shared with the core (a memfd, mapped by both), so that a worker killed by SIGSYS has still said why. The plugin
 * can write to it as well: read it with sandbox_notice_read(), and believe it of that plugin only. */
struct sandbox_notice {
    uint32_t denied; /* system calls refused so far */
    uint32_t fatal;  /* 1: the last one ended the process */
    char name[24]; /* of the last one: "openat", "socket"; "mprotect exec" where memory was to become code */
    char fatal_name[24];
};

/* A copy with names that are short, ended and printable, whatever stood there. */
void sandbox_notice_read(const volatile struct sandbox_notice *, struct sandbox_notice *ret_copy);

/* Why a worker ended, as the end of the sentence "plugin X …", if the sandbox had to do with it: "called socket(), which its
 * sandbox forbids". wait_status: of waitpid(). 1, or 0: it had nothing to do with it. */
int sandbox_explain(int wait_status, const struct sandbox_notice *, char *text, size_t size);

/* ---- Options ---- */

#define SANDBOX_ALLOW_THREADS (1u << 0) /* pthread_create(); processes never */

struct sandbox_limit {
    int resource; /* RLIMIT_… */
    uint64_t value;
};

struct sandbox_options {
    const int *keep; /* descriptors that stay open; of 0, 1 and 2 those not named become /dev/null */
    size_t keep_count;
    /* NULL-ended: files, and directories with all below, that may be read while the plugin is loaded, besides
     * sandbox_library_paths. What is not there is left out. */
    const char *const *read_paths;
    const int *read_fds; /* the same by descriptors, such as that of the plugin's file */
    size_t read_fd_count;
    const struct sandbox_limit *limits; /* soft and hard; RLIMIT_CORE is 0 without being named */
    size_t limit_count;
    int parent;        /* the core's pid: fails if that is not the parent any more; 0: not checked */
    uint32_t uid, gid; /* become this user if root; 0: stay */
    unsigned allow;    /* SANDBOX_ALLOW_… */
    unsigned require;  /* SANDBOX_… layers without which it fails */
    struct sandbox_notice *notice; /* or NULL; stays valid */
};

struct sandbox_report {
    unsigned layers;   /* those in force */
    int landlock_abi;  /* 0: the kernel has none, or it is switched off */
    char problem[192]; /* the first thing that could not be had, in words; "" */
};

/* As sandbox_notice_read(), of a report that stands where a plugin can write. */
void sandbox_report_read(const volatile struct sandbox_report *, struct sandbox_report *ret_copy);
/* One line for the log. 1: all that a kernel can have is in force; 0: something is missing, and the line says what. */
int sandbox_report_text(const struct sandbox_report *, char *text, size_t size);

/* Where the dynamic loader finds libraries, and its cache; NULL-ended. No locales, time zones, certificates, /proc, /dev or
 * /etc beyond: a plugin runs in the C locale and in UTC, and what it knows comes from the core. */
extern const char *const sandbox_library_paths[];

/* Before dlopen(). 0, or -1 when a layer of `require` cannot be had; the report is filled in both cases. */
int sandbox_before_load(const struct sandbox_options *, struct sandbox_report *ret_report);
/* After dlopen(), before the plugin is called; the same options, and the report of the first stage. */
int sandbox_after_load(const struct sandbox_options *, struct sandbox_report *report);

#endif
