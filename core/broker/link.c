#include "link.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "kanal/sdk/str.h"
#include "pump.h"

#define CONNECT_DEADLINE_MS 10000 /* a TLS handshake of cnats has no limit of its own */
#define ABANDON_MS 2500           /* how long an attempt that nobody wants any more is waited for */
#define PUMP_FULL_BYTES 262144u
#define PUMP_RETRY_MS 5

/* Newer versions (3.10) leave the closing of the socket to us, older ones do not know the call. */
extern void natsConnection_ProcessCloseEvent(natsSock *socket) __attribute__((weak));

struct broker_link {
    atomic_int references; /* the loop's (until its handles are closed) and the thread's */
    uv_loop_t *loop;
    struct broker_access *access;
    struct broker_server server;
    struct broker_link_events events;
    void *user;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the next two */
    int abandoned, finished;
    /* The thread's until it has finished, then the loop's. */
    natsConnection *nc;
    natsStatus status;
    char reason[200];
    natsSock fd;
    struct broker_pump *pump;
    /* The loop's. */
    uv_async_t async;
    uv_timer_t timer; /* while connecting its deadline, then the wait for room in the pump */
    uv_poll_t poll;
    int handles, joined, polling, taken, closed;
    int want_write, blocked, lost, detached, tls_checked;
};

static void release(struct broker_link *link)
{
    if (atomic_fetch_sub(&link->references, 1) != 1)
        return;
    broker_pump_release(link->pump);
    broker_access_release(link->access);
    pthread_mutex_destroy(&link->lock);
    explicit_bzero(&link->server, sizeof link->server);
    free(link);
}

static void handle_closed(uv_handle_t *handle)
{
    struct broker_link *link = handle->data;

    if (--link->handles == 0)
        release(link);
}

/* ---- What cnats calls: inside calls that the loop makes, or on the thread ---- */

static natsStatus attach(void **user_data, void *loop, natsConnection *nc, natsSock socket)
{
    struct broker_link *link = loop;

    (void)nc;
    *user_data = link;
    link->fd = socket;
    if (broker_access_is_tls(link->access, &link->server) && broker_pump_start(&link->pump, socket) != 0)
        return NATS_ERR;
    return NATS_OK;
}

static natsStatus on_read(void *user_data, bool add)
{
    struct broker_link *link = user_data;

    if (add)
        return NATS_OK;
    if (link->polling) {
        link->polling = 0;
        uv_poll_stop(&link->poll);
        uv_close((uv_handle_t *)&link->poll, handle_closed);
    }
    if (natsConnection_ProcessCloseEvent)
        natsConnection_ProcessCloseEvent(&link->fd);
    return NATS_OK;
}

static natsStatus on_write(void *user_data, bool add)
{
    struct broker_link *link = user_data;

    link->want_write = add;
    if (add && link->taken && !link->closed && !link->blocked)
        link->events.wants_write(link->user);
    return NATS_OK;
}

static natsStatus on_detach(void *user_data)
{
    struct broker_link *link = user_data;

    link->lost = link->detached = 1;
    return NATS_OK;
}

/* ---- Connecting, on the thread ---- */

/* cnats says "no server available" to everything that happens below its protocol: asks again for the
 * errno. */
static void explain_unreachable(struct broker_link *link)
{
    const char *address = strstr(link->server.url, "://") + 3, *colon = strrchr(address, ':');
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    struct timeval limit = { .tv_sec = 1 };
    char host[256];
    int fd = -1, r;

    snprintf(host, sizeof host, "%.*s", (int)(colon - address) - 2 * (address[0] == '['),
             address + (address[0] == '['));
    r = getaddrinfo(host, colon + 1, &hints, &list);
    if (r != 0) {
        snprintf(link->reason, sizeof link->reason, "cannot resolve the host: %s", gai_strerror(r));
        return;
    }
    fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* Linux uses the limit for connect() too. */
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        connect(fd, list->ai_addr, list->ai_addrlen) != 0)
        snprintf(link->reason, sizeof link->reason, "%s",
                 errno == EINPROGRESS ? "no answer" : strerror(errno));
    if (fd >= 0)
        close(fd);
    freeaddrinfo(list);
}

/* cnats' texts begin with "(file.c:123): ". */
static void explain(struct broker_link *link)
{
    const char *text = nats_GetLastError(NULL), *start;

    if (!text || text[0] == '\0')
        text = natsStatus_GetText(link->status);
    if (text[0] == '(' && (start = strstr(text, "): ")) != NULL)
        text = start + 3;
    snprintf(link->reason, sizeof link->reason, "%s", text);
    if (link->status == NATS_NO_SERVER)
        explain_unreachable(link);
}

static void *connect_main(void *arg)
{
    struct broker_link *link = arg;
    natsOptions *options = NULL;
    natsConnection *nc = NULL;
    int abandoned;

    link->status = broker_access_options(link->access, &link->server, &options);
    if (link->status == NATS_OK)
        link->status = natsOptions_SetEventLoop(options, link, attach, on_read, on_write, on_detach);
    if (link->status == NATS_OK)
        link->status = natsConnection_Connect(&nc, options);
    if (link->status != NATS_OK)
        explain(link);
    natsOptions_Destroy(options);
    pthread_mutex_lock(&link->lock);
    abandoned = link->abandoned;
    if (!abandoned) {
        link->nc = nc;
        link->finished = 1;
        /* Under the lock: the loop cannot close the handle meanwhile. */
        uv_async_send(&link->async);
    }
    pthread_mutex_unlock(&link->lock);
    if (abandoned)
        natsConnection_Destroy(nc);
    nats_ReleaseThreadMemory();
    release(link);
    return NULL;
}

/* ---- The loop ---- */

static void poll_cb(uv_poll_t *poll, int status, int events);
static void timer_cb(uv_timer_t *timer);

static int is_refusal(natsStatus status, const char *reason)
{
    return status == NATS_CONNECTION_AUTH_FAILED || strcasestr(reason, "authorization") != NULL ||
           strcasestr(reason, "authentication") != NULL;
}

static int start_polling(struct broker_link *link)
{
    if (uv_poll_init_socket(link->loop, &link->poll, link->fd) != 0)
        return -1;
    link->poll.data = link;
    link->handles++;
    link->polling = 1;
    return uv_poll_start(&link->poll, UV_READABLE, poll_cb);
}

static void close_handles(struct broker_link *link);
static void close_connection(struct broker_link *link);

static void async_cb(uv_async_t *async)
{
    struct broker_link *link = async->data;
    int finished;

    pthread_mutex_lock(&link->lock);
    finished = link->finished;
    pthread_mutex_unlock(&link->lock);
    if (!finished || link->joined)
        return;
    pthread_join(link->thread, NULL);
    link->joined = 1;
    uv_timer_stop(&link->timer);
    if (link->closed) {
        close_connection(link);
        close_handles(link);
        return;
    }
    if (link->status == NATS_OK && start_polling(link) != 0) {
        link->status = NATS_ERR;
        snprintf(link->reason, sizeof link->reason, "cannot poll the socket");
    }
    if (link->status != NATS_OK) {
        link->events.failed(link->user, is_refusal(link->status, link->reason), link->reason);
        return;
    }
    link->taken = 1;
    link->events.connected(link->user);
}

static void set_events(struct broker_link *link)
{
    if (link->polling)
        uv_poll_start(&link->poll, UV_READABLE | (link->blocked ? UV_WRITABLE : 0), poll_cb);
}

void broker_link_flush(struct broker_link *link)
{
    if (!link->taken || link->lost || !link->want_write || link->blocked)
        return;
    if (link->pump && broker_pump_pending(link->pump) > PUMP_FULL_BYTES) {
        /* To write now could fill the socket pair, and OpenSSL inside cnats would turn until the network
         * takes it. */
        link->blocked = 1;
        uv_timer_start(&link->timer, timer_cb, PUMP_RETRY_MS, 0);
        return;
    }
    natsConnection_ProcessWriteEvent(link->nc);
    if (!link->lost && link->want_write) {
        link->blocked = 1;
        set_events(link);
    }
}

static void unblock(struct broker_link *link)
{
    link->blocked = 0;
    broker_link_flush(link);
    if (!link->blocked && !link->lost)
        set_events(link);
}

static void timer_cb(uv_timer_t *timer)
{
    struct broker_link *link = timer->data;

    if (link->taken) {
        unblock(link);
        if (link->lost && !link->closed)
            link->events.readable(link->user);
        return;
    }
    snprintf(link->reason, sizeof link->reason, "no answer within %d s", CONNECT_DEADLINE_MS / 1000);
    link->events.failed(link->user, 0, link->reason);
}

/* A server may insist on TLS although the URL does not say so, and newer versions of cnats then simply do
 * it: without the pump. What it sends can be told apart: no line of the NATS protocol begins with such a
 * byte. */
static int is_unexpected_tls(struct broker_link *link)
{
    unsigned char first;

    if (link->tls_checked || link->pump)
        return 0;
    if (recv(link->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return 0;
    link->tls_checked = 1;
    if (first < 20 || first > 24)
        return 0;
    snprintf(link->reason, sizeof link->reason, "the server wants TLS: write tls:// in the URL");
    link->lost = 1;
    return 1;
}

static void poll_cb(uv_poll_t *poll, int status, int events)
{
    struct broker_link *link = poll->data;

    if (status < 0) {
        /* libuv has stopped polling: read until cnats finds what is wrong. */
        for (int i = 0; i < 64 && !link->lost; i++)
            natsConnection_ProcessReadEvent(link->nc);
        link->lost = 1;
    }
    if (!link->lost && (events & UV_WRITABLE))
        unblock(link);
    if (!link->lost && (events & UV_READABLE) && !is_unexpected_tls(link))
        natsConnection_ProcessReadEvent(link->nc);
    link->events.readable(link->user);
}

void broker_link_read(struct broker_link *link)
{
    struct pollfd fd = { .fd = link->fd, .events = POLLIN };

    for (int i = 0; i < 64 && link->taken && !link->closed && !link->lost && poll(&fd, 1, 0) > 0; i++) {
        natsConnection_ProcessReadEvent(link->nc);
        if (!link->closed)
            link->events.readable(link->user);
    }
}

size_t broker_link_unsent(const struct broker_link *link)
{
    int buffered = link->taken && !link->lost ? natsConnection_Buffered(link->nc) : 0;

    return (size_t)(buffered > 0 ? buffered : 0) + (link->pump ? broker_pump_pending(link->pump) : 0);
}

natsConnection *broker_link_connection(const struct broker_link *link)
{
    return link && link->taken ? link->nc : NULL;
}

const struct broker_server *broker_link_server(const struct broker_link *link)
{
    return &link->server;
}

int broker_link_lost(const struct broker_link *link, char reason[256])
{
    const char *text = NULL;

    if (!link->lost)
        return 0;
    if (link->reason[0] != '\0')
        text = link->reason;
    else if (natsConnection_GetLastError(link->nc, &text) == NATS_CONNECTION_CLOSED || !text ||
             text[0] == '\0')
        text = "the server closed the connection";
    snprintf(reason, 256, "%s", text);
    return 1;
}

static uint64_t clock_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* Says goodbye and waits until the server has hung up: a socket that is closed while something unread lies
 * in it is reset, and what the server had not read yet would be lost. */
static void hang_up(struct broker_link *link, uint64_t until)
{
    struct pollfd fd = { .fd = link->fd, .events = POLLIN };
    char rest[4096];
    uint64_t now;

    shutdown(link->fd, SHUT_WR);
    while ((now = clock_ms()) < until && poll(&fd, 1, (int)(until - now)) > 0)
        if (recv(link->fd, rest, sizeof rest, MSG_DONTWAIT) <= 0)
            break;
}

void broker_link_drain(struct broker_link *link, uint32_t timeout_ms)
{
    uint64_t until = clock_ms() + timeout_ms, now;

    if (!link->taken || link->lost)
        return;
    while (!link->lost && natsConnection_Buffered(link->nc) > 0 && (now = clock_ms()) < until) {
        struct pollfd fd = { .fd = link->fd, .events = POLLOUT };

        if (link->pump && broker_pump_pending(link->pump) > PUMP_FULL_BYTES)
            poll(NULL, 0, 1);
        else if (poll(&fd, 1, (int)(until - now)) > 0)
            natsConnection_ProcessWriteEvent(link->nc);
    }
    if (!link->lost && natsConnection_Buffered(link->nc) == 0)
        hang_up(link, until);
}

static void close_connection(struct broker_link *link)
{
    if (!link->nc)
        return;
    /* With something unsent, cnats would wait half a second for an answer that only we could read. */
    if (!link->detached && natsConnection_Buffered(link->nc) > 0) {
        shutdown(link->fd, SHUT_RDWR);
        for (int i = 0; i < 64 && !link->detached; i++)
            natsConnection_ProcessReadEvent(link->nc);
    }
    natsConnection_Destroy(link->nc);
    link->nc = NULL;
}

static void close_handles(struct broker_link *link)
{
    if (link->polling) {
        link->polling = 0;
        uv_poll_stop(&link->poll);
        uv_close((uv_handle_t *)&link->poll, handle_closed);
    }
    uv_close((uv_handle_t *)&link->timer, handle_closed);
    uv_close((uv_handle_t *)&link->async, handle_closed);
}

static void abandon_cb(uv_timer_t *timer)
{
    struct broker_link *link = timer->data;

    pthread_mutex_lock(&link->lock);
    link->abandoned = !link->finished;
    pthread_mutex_unlock(&link->lock);
    if (!link->abandoned)
        return; /* async_cb() comes */
    pthread_detach(link->thread);
    link->joined = 1;
    close_handles(link);
}

void broker_link_close(struct broker_link *link)
{
    if (!link || link->closed)
        return;
    link->closed = 1;
    if (link->joined) {
        close_connection(link);
        close_handles(link);
        return;
    }
    /* The thread still connects. It is waited for, by the loop: a process that ends meanwhile would take
     * OpenSSL away from under it. */
    uv_timer_start(&link->timer, abandon_cb, ABANDON_MS, 0);
}

int broker_link_open(struct broker_link **ret_link, uv_loop_t *loop, struct broker_access *access,
                     const struct broker_server *server, const struct broker_link_events *events, void *user)
{
    struct broker_link *link = calloc(1, sizeof *link);

    if (!link)
        return KANAL_E_INTERNAL;
    atomic_init(&link->references, 2);
    link->loop = loop;
    link->server = *server;
    link->events = *events;
    link->user = user;
    link->fd = -1;
    if (pthread_mutex_init(&link->lock, NULL) != 0 || uv_async_init(loop, &link->async, async_cb) != 0) {
        explicit_bzero(&link->server, sizeof link->server);
        free(link);
        return KANAL_E_INTERNAL;
    }
    link->access = broker_access_retain(access);
    uv_timer_init(loop, &link->timer);
    link->async.data = link->timer.data = link;
    link->handles = 2;
    if (pthread_create(&link->thread, NULL, connect_main, link) != 0) {
        atomic_fetch_sub(&link->references, 1); /* the thread's, which is not there; never the last */
        link->joined = link->closed = 1;
        uv_close((uv_handle_t *)&link->timer, handle_closed);
        uv_close((uv_handle_t *)&link->async, handle_closed);
        return KANAL_E_INTERNAL;
    }
    uv_timer_start(&link->timer, timer_cb, CONNECT_DEADLINE_MS, 0);
    *ret_link = link;
    return 0;
}
