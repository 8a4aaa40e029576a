/* What a worker process shares with the core besides its page: two areas, one for each direction, each a memfd that the core makes.
 *
 * What the worker sends it writes into one whose size is sealed; what it gets it reads in a mapping that cannot become writable. No
 * descriptor ever comes from a worker, so there is none to be checked, and nothing that a plugin does makes the areas grow, shrink or
 * pass for something else. What it sent is copied out before it is looked at: it could change under the parser's eyes, and a memfd
 * that is sealed against that could not be taken back from a worker that keeps it, and no limit but a control group's counts it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host/worker/process.h"

/* At the start of an area, for the next pieces; what lies beyond is freed. To make pages anew costs more than to copy into them. */
#define KEPT_BYTES (4u * 1024 * 1024)

/* ---- Making ---- */

static int make_area(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING), lifted = -1;
    if (fd >= 0)
        lifted = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_FD_END);
    if (fd >= 0)
        close(fd);
    if (lifted >= 0 &&
        (ftruncate(lifted, WORKER_AREA_BYTES_MOST) != 0 || fcntl(lifted, F_ADD_SEALS, F_SEAL_GROW) != 0)) {
        close(lifted);
        lifted = -1;
    }
    return lifted;
}

/* A descriptor of the same memory that is good for reading only. */
static int open_for_reading(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int reading = open(path, O_RDONLY | O_CLOEXEC);
    if (reading < 0)
        return -1;
    int lifted = fcntl(reading, F_DUPFD_CLOEXEC, WORKER_FD_END);
    close(reading);
    return lifted;
}

int process_areas_make(struct worker_process *process, int *ret_sent, int *ret_got)
{
    process->sent.fd = make_area("kanal-worker-sent");
    process->got.fd = make_area("kanal-worker-got");
    if (process->sent.fd < 0 || process->got.fd < 0)
        return -1;
    *ret_sent = fcntl(process->sent.fd, F_DUPFD_CLOEXEC, WORKER_FD_END);
    *ret_got = open_for_reading(process->got.fd);
    if (*ret_sent < 0 || *ret_got < 0)
        return -1;
    process->got.area = (struct area){ .fd = process->got.fd, .bytes = WORKER_AREA_BYTES_MOST };
    return 0;
}

void process_areas_release(struct worker_process *process)
{
    process_forget_aside(process);
    if (process->got.fd > 0)
        close(process->got.fd);
    if (process->sent.fd > 0)
        close(process->sent.fd);
}

/* ---- The worker's share ---- */

/* An eighth of what the plugin may have, which its private memory then lacks. */
static uint32_t share_of(uint64_t memory_bytes)
{
    uint64_t share = memory_bytes / 8 / AREA_PAGE_BYTES * AREA_PAGE_BYTES;
    return share < WORKER_AREA_BYTES_MOST ? (uint32_t)share : WORKER_AREA_BYTES_MOST;
}

uint32_t process_area_limit(struct worker_process *process, uint64_t memory_bytes)
{
    uint32_t share = share_of(memory_bytes);
    if (process->sent.fd <= 0 || share < WIRE_LARGE || ftruncate(process->sent.fd, share) != 0 ||
        fcntl(process->sent.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
        share = 0;
    process->sent.bytes = share;
    struct rlimit limit = { memory_bytes - share, memory_bytes - share };
    if (!WORKER_IS_SANITIZED && memory_bytes > 0)
        prlimit(process->pid, RLIMIT_DATA, &limit, NULL);
    return share;
}

/* ---- Pieces ---- */

/* What is not kept of a piece that is done with. */
static void free_piece(int fd, uint32_t at, uint32_t bytes)
{
    uint32_t end = (at + bytes + AREA_PAGE_BYTES - 1) / AREA_PAGE_BYTES * AREA_PAGE_BYTES;
    if (at < KEPT_BYTES)
        at = KEPT_BYTES;
    if (end > at)
        fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, end - at);
}

static int read_whole(int fd, char *to, size_t bytes, off_t at)
{
    while (bytes > 0) {
        ssize_t n = pread(fd, to, bytes, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        to += n;
        at += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int process_fetch_aside(struct worker_process *process, struct wire_frame *frame)
{
    struct worker_sent *sent = &process->sent;
    size_t bytes = frame->body.len;
    process_forget_aside(process);
    if (bytes > sent->bytes || frame->at > sent->bytes - bytes)
        return KANAL_E_INVALID;
    /* What it may not write again before it is told can be no more than the area: a few bytes in the socket shall not cost the core
     * an area's copy each. */
    if (bytes > sent->bytes - sent->unreturned)
        return KANAL_E_INVALID;
    sent->unreturned += (uint32_t)bytes;
    sent->copy = malloc(bytes);
    if (!sent->copy)
        return KANAL_E_INTERNAL;
    if (read_whole(sent->fd, sent->copy, bytes, frame->at) != 0)
        return KANAL_E_INVALID;
    free_piece(sent->fd, frame->at, (uint32_t)bytes);
    frame->body.ptr = sent->copy;
    return 0;
}

void process_forget_aside(struct worker_process *process)
{
    free(process->sent.copy);
    process->sent.copy = NULL;
}

int worker_process_taken(struct worker_process *process, uint32_t at)
{
    uint32_t bytes;
    if (area_give_back(&process->got.area, at, &bytes) != 0)
        return KANAL_E_INVALID;
    free_piece(process->got.fd, at, bytes);
    return 0;
}
