/* host/worker/page.h - the page that a worker writes and the core reads: what runs at this moment.
 *
 * It tells whom to blame for a crash and whether anything moves. It is written by the process that is being watched, so a malicious
 * plugin can lie: the core believes it for blame and for patience within bounds, never for safety. */
#ifndef KANAL_HOST_WORKER_PAGE_H
#define KANAL_HOST_WORKER_PAGE_H
#include <stdint.h>

#include "host/worker/sandbox.h"

#define WORKER_PAGE_BYTES 4096u

struct worker_page {  /* each member is one atomic store, relaxed: after a crash the last ones are there */
    uint32_t running; /* the channel's number on the wire + 1; 0: no callback runs */
    uint32_t slot;    /* the type of the frame that it runs for */
    uint64_t calls;   /* entered and left: even outside of callbacks */
    uint64_t frames;  /* of channels, worked off */
    struct sandbox_notice notice; /* what the plugin was stopped at */
    struct sandbox_report sandbox;
};

/* What the worker's program is told besides its memory. */
#define WORKER_MAY_THREAD 1u     /* plugins.ID.threads */
#define WORKER_NEEDS_LANDLOCK 2u /* plugins.sandbox: required */

/* The worker's descriptors. */
#define WORKER_FD_SOCKET 3
#define WORKER_FD_PAGE 4
#define WORKER_FD_PLUGIN 5
#define WORKER_FD_SENT 6 /* the area that it writes */
#define WORKER_FD_GOT 7  /* the area that the core writes; for reading only */
#define WORKER_FD_GROUPS                                                                                     \
    8 /* the entrances of its control group, at most four; none of them is open when the plugin is loaded */
#define WORKER_FD_END 12

/* Of what the core writes. The other area has the size that a frame tells, which is no more. */
#define WORKER_AREA_BYTES_MOST (32u * 1024 * 1024)

#endif
