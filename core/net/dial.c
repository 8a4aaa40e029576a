#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/stream.h"

#define ATTEMPT_MS 10000u /* then the next address has its turn */
#define KEEPALIVE_S 60

/* One connection attempt's socket; outlives the dial until libuv has let go of it. */
struct attempt {
    uv_poll_t poll;
    struct net_dial *dial;
    int fd;
};

struct net_dial {
    uv_getaddrinfo_t resolve;
    uv_timer_t deadline;   /* of it all */
    uv_timer_t patience;   /* of one address */
    unsigned open_handles; /* timers, and the resolving */
    int over;              /* done() was called, or it was cancelled */
    struct addrinfo *found, *next;
    struct attempt *attempt;
    unsigned refused, tried;
    int (*allow)(void *user, const struct sockaddr *);
    void *allow_user;
    net_dialled_fn *done;
    void *user;
    char reason[NET_REASON_MAX];
};

static void maybe_free(struct net_dial *d)
{
    if (--d->open_handles > 0)
        return;
    uv_freeaddrinfo(d->found);
    free(d);
}

static void on_timer_closed(uv_handle_t *handle)
{
    maybe_free(handle->data);
}

static void on_attempt_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Lets go of the attempt's socket; it is closed unless the caller keeps it. */
static int drop_attempt(struct net_dial *d, int keep)
{
    struct attempt *a = d->attempt;
    int fd = -1;
    d->attempt = NULL;
    if (!a)
        return -1;
    fd = a->fd;
    uv_close((uv_handle_t *)&a->poll, on_attempt_closed);
    if (!keep)
        close(fd);
    return fd;
}

static void stop(struct net_dial *d)
{
    d->over = 1;
    drop_attempt(d, 0);
    uv_cancel(
        (uv_req_t *)&d->resolve); /* fails when it is not under way, or cannot be stopped: both are fine */
    uv_close((uv_handle_t *)&d->deadline, on_timer_closed);
    uv_close((uv_handle_t *)&d->patience, on_timer_closed);
}

void net_dial_cancel(struct net_dial *d)
{
    if (d && !d->over)
        stop(d);
}

static void end(struct net_dial *d, kanal_status status, int fd)
{
    if (d->over)
        return;
    stop(d);
    d->done(d->user, status, fd, d->reason);
}

static void try_next(struct net_dial *d);

static void on_connected(uv_poll_t *poll, int status, int events)
{
    struct attempt *a = poll->data;
    struct net_dial *d = a->dial;
    int error = 0;
    socklen_t len = sizeof error;
    (void)events;
    if (status < 0 || getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        error = error ? error : ECONNREFUSED;
    if (error == 0) {
        end(d, KANAL_OK, drop_attempt(d, 1));
        return;
    }
    snprintf(d->reason, sizeof d->reason, "%s", uv_strerror(-error));
    drop_attempt(d, 0);
    try_next(d);
}

static void on_patience(uv_timer_t *timer)
{
    struct net_dial *d = timer->data;
    snprintf(d->reason, sizeof d->reason, "the address does not answer");
    drop_attempt(d, 0);
    try_next(d);
}

static void tune(int fd)
{
    int on = 1, idle_s = KEEPALIVE_S, interval_s = 15, probes = 4;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

/* 0: under way. */
static int attempt_start(struct net_dial *d, const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    struct attempt *a = fd >= 0 ? calloc(1, sizeof *a) : NULL;
    if (!a || (tune(fd), connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS) ||
        uv_poll_init(d->deadline.loop, &a->poll, fd) != 0) {
        snprintf(d->reason, sizeof d->reason, "%s", a ? uv_strerror(-errno) : "no socket");
        if (fd >= 0)
            close(fd);
        free(a);
        return -1;
    }
    a->dial = d;
    a->fd = fd;
    a->poll.data = a;
    d->attempt = a;
    uv_poll_start(&a->poll, UV_WRITABLE, on_connected);
    uv_timer_start(&d->patience, on_patience, ATTEMPT_MS, 0);
    return 0;
}

static void describe_refused(struct net_dial *d, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN] = "?";
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    inet_ntop(address->sa_family, bytes, text, sizeof text);
    snprintf(d->reason, sizeof d->reason, "the address %s is not granted", text);
}

static void try_next(struct net_dial *d)
{
    uv_timer_stop(&d->patience);
    while (d->next) {
        const struct addrinfo *address = d->next;
        d->next = address->ai_next;
        if (d->allow && !d->allow(d->allow_user, address->ai_addr)) {
            d->refused++;
            describe_refused(d, address->ai_addr);
            continue;
        }
        d->tried++;
        if (attempt_start(d, address) == 0)
            return;
    }
    if (d->reason[0] == 0)
        snprintf(d->reason, sizeof d->reason, "the name has no address");
    end(d, d->refused > 0 && d->tried == 0 ? KANAL_E_DENIED : KANAL_E_NETWORK, -1);
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct net_dial *d = request->data;
    d->found = d->next = found;
    if (!d->over) {
        if (status != 0)
            snprintf(d->reason, sizeof d->reason, "%s", uv_strerror(status));
        try_next(d);
    }
    maybe_free(d);
}

static void on_deadline(uv_timer_t *timer)
{
    struct net_dial *d = timer->data;
    snprintf(d->reason, sizeof d->reason, "no connection in time");
    end(d, KANAL_E_TIMEOUT, -1);
}

int net_dial_start(struct net_dial **ret_dial, const struct net_dial_options *options, net_dialled_fn *done,
                   void *user)
{
    struct net_dial *d = calloc(1, sizeof *d);
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV };
    char port[12];
    if (!d)
        return KANAL_E_INTERNAL;
    d->allow = options->allow;
    d->allow_user = options->allow_user;
    d->done = done;
    d->user = user;
    d->resolve.data = d;
    snprintf(port, sizeof port, "%u", (unsigned)options->port);
    if (uv_getaddrinfo(options->loop, &d->resolve, on_resolved, options->host, port, &hints) != 0) {
        free(d);
        return KANAL_E_INTERNAL;
    }
    uv_timer_init(options->loop, &d->deadline);
    uv_timer_init(options->loop, &d->patience);
    d->deadline.data = d->patience.data = d;
    d->open_handles = 3;
    uv_timer_start(&d->deadline, on_deadline, options->timeout_ms, 0);
    *ret_dial = d;
    return 0;
}
