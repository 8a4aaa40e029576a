/* host/worker/process.h - one worker process as the core sees it: started, read, written, ended. [loop], or before there is one. */
#ifndef KANAL_HOST_WORKER_PROCESS_H
#define KANAL_HOST_WORKER_PROCESS_H
#include <sys/types.h>

#include "host/worker/cgroup.h"
#include "host/worker/page.h"
#include "host/worker/wire.h"

#define WORKER_REASON_MAX 256

#if defined __SANITIZE_ADDRESS__
#define WORKER_IS_SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define WORKER_IS_SANITIZED 1
#endif
#endif
#ifndef WORKER_IS_SANITIZED
#define WORKER_IS_SANITIZED 0
#endif

/* What the worker writes beside its socket. */
struct worker_sent {
    int fd;              /* 0: none */
    uint32_t bytes;      /* so much of it; 0: nothing */
    uint32_t unreturned; /* announced, and not told as taken */
    char *copy;          /* of the frame that is being worked on, or NULL */
};

/* What the core writes. */
struct worker_got {
    int fd;           /* 0: none */
    struct area area; /* of the same descriptor */
};

/* What a worker process may take. */
struct worker_terms {
    uint64_t memory_bytes;  /* 0: no limit */
    uint32_t cpu_percent;   /* of one processor, by its control group; 0: no limit */
    unsigned flags;         /* WORKER_… of page.h */
    struct cgroups *groups; /* where each has one of its own; NULL: none has. Borrowed */
};

#define WORKER_MEMORY_DEFAULT (256u * 1024 * 1024)
#define WORKER_CPU_DEFAULT_PERCENT 100u

struct worker_process {
    pid_t pid;
    struct cgroup *group;           /* or NULL */
    int socket;                     /* not blocking */
    int errors;                     /* what it says on stderr; not blocking; -1: none */
    const struct worker_page *page; /* its own word: see page.h */
    struct kanal_buffer in;         /* read, not yet taken */
    size_t taken;
    struct worker_sent sent;
    struct worker_got got;
};

/* Starts the worker's program for the plugin that stands behind the descriptor (borrowed). KANAL_E_INTERNAL, and the reason in words. */
int worker_process_new(struct worker_process **ret_process, int plugin_fd, const struct worker_terms *,
                       char reason[WORKER_REASON_MAX]);
/* Kills it if it still runs, and waits for its end (which then is near). */
void worker_process_free(struct worker_process *);

/* The limits, once the plugin's configuration is known; and how much of its memory the worker may write into its area. KANAL_E_INTERNAL:
 * its control group refused them, and the reason. */
int worker_process_limit(struct worker_process *, const struct worker_terms *, uint32_t *ret_area,
                         char reason[WORKER_REASON_MAX]);

/* Reads once. 1: something came; 0: nothing yet; KANAL_E_NETWORK: its end is closed; KANAL_E_INTERNAL: out of memory. */
int worker_process_read(struct worker_process *);
/* The next frame of what was read, valid until the next call of these two; also one that stands aside: its bytes are the core's own by
 * now. 1, 0, KANAL_E_INVALID: broken; KANAL_E_INTERNAL: out of memory. */
int worker_process_next(struct worker_process *, struct wire_frame *ret_frame);
/* The worker has read what stands there. KANAL_E_INVALID: nothing of the core's does. */
int worker_process_taken(struct worker_process *, uint32_t at);

/* 1: it has ended, and *ret_status is that of waitpid(). */
int worker_process_reap(struct worker_process *, int *ret_status);
/* "SIGSEGV", "exit code 1" */
void worker_status_text(int status, char text[64]);
/* sandboxed.c: the same as the end of "it …", if the sandbox stopped it: "called connect(), which its sandbox forbids". 1 or 0. */
int worker_process_stopped_by_sandbox(const struct worker_process *, int status,
                                      char text[WORKER_REASON_MAX]);

/* process_group.c: the process's control group, and descriptors of its entrances. Their count, 0 without groups;
 * KANAL_E_INTERNAL, and the reason. */
int process_group_make(struct worker_process *, const struct worker_terms *,
                       int ret_entrances[CGROUP_ENTRANCES_MOST], char reason[WORKER_REASON_MAX]);
/* The end of "it …", if its control group killed it for its memory: "needed more memory than …". 1 or 0. */
int worker_process_stopped_by_group(const struct worker_process *, const struct worker_terms *, int status,
                                    char text[WORKER_REASON_MAX]);

/* process_area.c: both areas, and what the worker's descriptors of them become. -1, and errno. */
int process_areas_make(struct worker_process *, int *ret_sent, int *ret_got);
void process_areas_release(struct worker_process *);
/* How much of what the plugin may have the worker may write there. */
uint32_t process_area_limit(struct worker_process *, uint64_t memory_bytes);
/* Copies out what stands aside. KANAL_E_INVALID, KANAL_E_INTERNAL. */
int process_fetch_aside(struct worker_process *, struct wire_frame *);
void process_forget_aside(struct worker_process *);

/* 0 if the frame is the hello of a worker of this build. */
int worker_check_hello(const struct wire_frame *, char reason[WORKER_REASON_MAX]);

#endif
