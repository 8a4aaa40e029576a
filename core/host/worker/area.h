/* host/worker/area.h - where in shared memory one side puts what is too large for the socket: pieces that the other side gives back. [any
 * thread, under the lock of what is written there]
 *
 * Each direction has an area of its own, with one writer, who alone knows what is taken: the other side's word is only ever "this
 * piece is mine no more". Pieces are taken in a ring and begin at whole pages; an empty area begins at its start again, so that one
 * piece after the other uses the same pages. */
#ifndef KANAL_HOST_WORKER_AREA_H
#define KANAL_HOST_WORKER_AREA_H
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define AREA_PAGE_BYTES 4096u
#define AREA_PIECES_MOST 32u

struct area_piece {
    uint32_t at, bytes; /* whole pages */
    int is_back;        /* given back, behind one that is not */
};

struct area {
    int fd;                                     /* the memory; borrowed */
    uint32_t bytes;                             /* whole pages; 0: there is none */
    struct area_piece pieces[AREA_PIECES_MOST]; /* from the oldest on */
    unsigned first, count;
};

/* Room for so many bytes: 0 and where, or -1: not now. */
int area_take(struct area *, size_t bytes, uint32_t *ret_at);
/* The same, and writes them there: so many of these parts. */
int area_put(struct area *, const struct iovec *parts, int count, size_t bytes, uint32_t *ret_at);
/* 0, and how long the piece was; -1: no piece begins there. */
int area_give_back(struct area *, uint32_t at, uint32_t *ret_bytes);

#endif
