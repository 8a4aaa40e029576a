#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "kanal/sdk/buffer.h"

#define CHUNK 65536u
#define INWARD_LIMIT (4 * CHUNK) /* what waits for the loop; then the network waits */
#define LINGER_MS 1000

struct broker_pump {
    atomic_int references;
    atomic_size_t pending;
    int inner, outer; /* our end of the pair; the real socket */
    int inner_open, outer_open, said_goodbye;
    struct kanal_buffer inward, outward;
    size_t outward_sent;
};

size_t broker_pump_whole_records(const unsigned char *bytes, size_t len)
{
    size_t whole = 0;

    while (len - whole >= 5) {
        const unsigned char *record = bytes + whole;
        size_t size = 5 + ((size_t)record[3] << 8 | record[4]);

        if (record[0] < 20 || record[0] > 24 || size > 5 + 16384 + 2048)
            return len;
        if (size > len - whole)
            break;
        whole += size;
    }
    return whole;
}

static void release(struct broker_pump *p)
{
    if (atomic_fetch_sub(&p->references, 1) != 1)
        return;
    kanal_buffer_release(&p->inward);
    kanal_buffer_release(&p->outward);
    if (p->inner >= 0)
        close(p->inner);
    if (p->outer >= 0)
        close(p->outer);
    free(p);
}

void broker_pump_release(struct broker_pump *p)
{
    if (p)
        release(p);
}

size_t broker_pump_pending(const struct broker_pump *p)
{
    return atomic_load(&p->pending);
}

/* 1: something came or the socket is merely empty; 0: the end. */
static int receive(int fd, struct kanal_buffer *into)
{
    ssize_t n;

    if (kanal_buffer_reserve(into, CHUNK) != 0)
        return 0;
    n = recv(fd, into->data + into->len, CHUNK, MSG_DONTWAIT);
    if (n > 0)
        into->len += (size_t)n;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Bytes sent, 0 if there is no room; -1: the end. */
static ssize_t transmit(int fd, const char *bytes, size_t len)
{
    ssize_t n = len > 0 ? send(fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        n = 0;
    return n;
}

static void pump_outward(struct broker_pump *p, short inner_events)
{
    ssize_t n;

    if (p->inner_open && (inner_events & (POLLIN | POLLHUP | POLLERR)) && !receive(p->inner, &p->outward))
        p->inner_open = 0;
    n = transmit(p->outer, p->outward.data + p->outward_sent, p->outward.len - p->outward_sent);
    if (n < 0)
        p->outer_open = 0;
    else
        p->outward_sent += (size_t)n;
    if (p->outward_sent == p->outward.len) {
        if (p->outward.capacity > 16 * CHUNK)
            kanal_buffer_release(&p->outward);
        kanal_buffer_clear(&p->outward);
        p->outward_sent = 0;
    } else if (p->outward_sent > CHUNK) {
        memmove(p->outward.data, p->outward.data + p->outward_sent, p->outward.len - p->outward_sent);
        p->outward.len -= p->outward_sent;
        p->outward_sent = 0;
    }
    atomic_store(&p->pending, p->outward.len - p->outward_sent);
}

static void pump_inward(struct broker_pump *p, short outer_events)
{
    size_t whole;
    ssize_t n;

    if ((outer_events & (POLLIN | POLLHUP | POLLERR)) && p->inward.len < INWARD_LIMIT &&
        !receive(p->outer, &p->inward))
        p->outer_open = 0;
    whole = p->inward.len > 0 ? broker_pump_whole_records((unsigned char *)p->inward.data, p->inward.len) : 0;
    n = p->inner_open ? transmit(p->inner, p->inward.data, whole) : 0;
    if (n < 0) {
        p->inner_open = 0;
    } else if (n > 0) {
        memmove(p->inward.data, p->inward.data + n, p->inward.len - (size_t)n);
        p->inward.len -= (size_t)n;
    }
}

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *pump_main(void *arg)
{
    struct broker_pump *p = arg;
    int64_t stop_at = 0;

    while (p->outer_open) {
        struct pollfd fds[2] = { { .fd = p->inner_open ? p->inner : -1, .events = POLLIN },
                                 { .fd = -1, .events = 0 } };
        size_t whole =
            p->inward.len > 0 ? broker_pump_whole_records((unsigned char *)p->inward.data, p->inward.len) : 0;

        if (!p->inner_open && stop_at == 0)
            stop_at = now_ms() + LINGER_MS;
        if (stop_at != 0 && now_ms() >= stop_at)
            break;
        /* cnats has closed and all is sent: wait for the server to hang up, or what it did not read yet is
         * lost. */
        if (!p->inner_open && !p->said_goodbye && p->outward.len == p->outward_sent)
            p->said_goodbye = shutdown(p->outer, SHUT_WR) == 0;
        if (whole > 0)
            fds[0].events |= POLLOUT;
        if (p->inward.len < INWARD_LIMIT)
            fds[1].events |= POLLIN;
        if (p->outward.len > p->outward_sent)
            fds[1].events |= POLLOUT;
        /* Not interested: then its hang-up must not wake us over and over either. */
        if (fds[1].events != 0)
            fds[1].fd = p->outer;
        if (poll(fds, 2, stop_at != 0 ? 50 : -1) < 0 && errno != EINTR)
            break;
        pump_outward(p, fds[0].revents);
        if (!p->inner_open)
            p->inward.len = 0; /* nobody reads it any more */
        if (p->outer_open)
            pump_inward(p, fds[1].revents);
    }
    /* Both ends see the end of the other. */
    shutdown(p->inner, SHUT_RDWR);
    shutdown(p->outer, SHUT_RDWR);
    release(p);
    return NULL;
}

int broker_pump_start(struct broker_pump **ret_pump, int fd)
{
    struct broker_pump *p = calloc(1, sizeof *p);
    int pair[2] = { -1, -1 };
    pthread_t thread;

    if (!p)
        return KANAL_E_INTERNAL;
    atomic_init(&p->references, 2);
    atomic_init(&p->pending, 0);
    p->inner_open = p->outer_open = 1;
    p->inner = -1;
    p->outer = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (p->outer < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        goto failed;
    p->inner = pair[1];
    if (dup3(pair[0], fd, O_CLOEXEC) < 0)
        goto failed;
    close(pair[0]);
    pair[0] = -1;
    if (pthread_create(&thread, NULL, pump_main, p) != 0)
        goto failed;
    pthread_detach(thread);
    *ret_pump = p;
    return 0;
failed:
    if (pair[0] >= 0)
        close(pair[0]);
    atomic_store(&p->references, 1);
    release(p);
    return KANAL_E_INTERNAL;
}
