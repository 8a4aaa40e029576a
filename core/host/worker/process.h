/* host/worker/process.h - one worker process as the core sees it: started, read, written, ended. [loop], or before there is one. */
#ifndef KANAL_HOST_WORKER_PROCESS_H
#define KANAL_HOST_WORKER_PROCESS_H
#include <sys/types.h>

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

struct worker_process {
    pid_t pid;
    int socket;                     /* not blocking */
    int errors;                     /* what it says on stderr; not blocking; -1: none */
    const struct worker_page *page; /* its own word: see page.h */
    struct kanal_buffer in;         /* read, not yet taken */
    size_t taken;
    struct worker_sent sent;
    struct worker_got got;
};

/* Starts the worker's program for the plugin that stands behind the descriptor (borrowed). memory_bytes: 0: no limit; flags: WORKER_… of page.h. KANAL_E_INTERNAL,
 * and the reason in words. */
int worker_process_new(struct worker_process **ret_process, int plugin_fd, uint64_t memory_bytes,
                       unsigned flags, char reason[WORKER_REASON_MAX]);
/* Kills it if it still runs, and waits for its end (which then is near). */
void worker_process_free(struct worker_process *);

/* The limit of memory, once the plugin's configuration is known: how much of it the worker may write into its area. */
uint32_t worker_process_limit(struct worker_process *, uint64_t memory_bytes);

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

/* process_area.c: both areas, and what the worker's descriptors of them become. -1, and errno. */
int process_areas_make(struct worker_process *, int *ret_sent, int *ret_got);
void process_areas_release(struct worker_process *);
/* Copies out what stands aside. KANAL_E_INVALID, KANAL_E_INTERNAL. */
int process_fetch_aside(struct worker_process *, struct wire_frame *);
void process_forget_aside(struct worker_process *);

/* 0 if the frame is the hello of a worker of this build. */
int worker_check_hello(const struct wire_frame *, char reason[WORKER_REASON_MAX]);

#endif
