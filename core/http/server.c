#include "http/server_private.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kanal/sdk/str.h"

/* Connections over a limit that may wait for being told so (503, 429); further ones are closed without a word. */
#define OVER_LIMIT_CONNECTIONS 64
#define OVER_LIMIT_MS 2000
#define LISTEN_BACKLOG 1024

/* ---- libmicrohttpd in the loop ---------------------------------------------------------------------------------------
 *
 * Its epoll descriptor is polled by the loop. The poll's callback only takes note; libmicrohttpd is run by the check
 * handle, after all other descriptors of the turn had their callbacks: so answers that those gave are sent by the same
 * run, and there is one run a turn. (MHD_resume_connection() does nothing before the next run, and nothing would cause
 * one: with an external loop libmicrohttpd has no descriptor to wake itself by.) An answer given outside the polling part
 * of a turn starts the idle handle, which keeps the loop from sleeping. */

static void run_daemon(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    s->is_dirty = 0;
    MHD_run(s->daemon);
    /* Only ever "at once" or none: it was given no timeouts. */
    if (!s->is_closing && MHD_get_timeout(s->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0)
        http_server_wake(s);
}

static void turn(struct http_server *s)
{
    http_server_enter(s);
    uv_idle_stop(&s->idle);
    if (s->is_dirty)
        run_daemon(s);
    if (s->work)
        socket_work_all(s);
    http_server_leave(s);
}

static void on_check(uv_check_t *check)
{
    struct http_server *s = check->data;

    if (s->is_dirty || s->work)
        turn(s);
}

static void on_idle(uv_idle_t *idle)
{
    turn(idle->data);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_server *s = poll->data;

    (void)status;
    (void)events;
    s->is_dirty = 1; /* the check handle follows in this turn */
}

void http_server_stir(struct http_server *s)
{
    if (!s->is_closed)
        uv_idle_start(&s->idle, on_idle);
}

void http_server_wake(struct http_server *s)
{
    s->is_dirty = 1;
    http_server_stir(s);
}

uint64_t http_server_now(const struct http_server *s)
{
    return uv_now(s->loop);
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ---- Connections ----------------------------------------------------------------------------------------------------- */

/* 0, or the status that says which limit a new connection from here would exceed. */
static uint16_t limit_exceeded(const struct http_server *s, const struct http_address *peer)
{
    if (s->connection_count - s->over_limit_count >= s->limits.connections)
        return 503;
    /* A trusted proxy brings everybody's requests. */
    if (!http_cidr_match(s->proxies, s->proxy_count, peer) &&
        http_address_table_get(&s->addresses, peer) >= s->limits.connections_per_address)
        return 429;
    return 0;
}

static enum MHD_Result on_accept(void *server, const struct sockaddr *from, socklen_t len)
{
    struct http_server *s = server;
    struct http_address peer;

    (void)len;
    if (http_address_from(from, &peer) != 0)
        return MHD_NO;
    return limit_exceeded(s, &peer) == 0 || s->over_limit_count < OVER_LIMIT_CONNECTIONS ? MHD_YES : MHD_NO;
}

static void link_exchange(struct http_server *s, struct http_exchange *x)
{
    x->next = s->exchanges;
    if (s->exchanges)
        s->exchanges->prev = x;
    s->exchanges = x;
    s->connection_count++;
    if (x->over_limit)
        s->over_limit_count++;
    else
        x->is_counted = http_address_table_add(&s->addresses, &x->peer) == 0;
}

static void unlink_exchange(struct http_server *s, struct http_exchange *x)
{
    if (x->next)
        x->next->prev = x->prev;
    if (x->prev)
        x->prev->next = x->next;
    else
        s->exchanges = x->next;
    s->connection_count--;
    if (x->over_limit)
        s->over_limit_count--;
    if (x->is_counted)
        http_address_table_remove(&s->addresses, &x->peer);
}

static void connection_opened(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
    struct http_exchange *x = calloc(1, sizeof *x);

    *context = NULL;
    if (!x)
        return; /* its first request is dropped: exchange_on_target() finds no exchange */
    x->server = s;
    x->mhd = mhd;
    /* One after the other: from 1.0 on, libmicrohttpd answers every question in the same memory. */
    x->fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    if (http_address_from(MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
                          &x->peer) == 0)
        x->over_limit = limit_exceeded(s, &x->peer);
    x->peer_text_len = (uint8_t)http_address_format(&x->peer, x->peer_text);
    x->is_trusted = http_cidr_match(s->proxies, s->proxy_count, &x->peer) != 0;
    x->is_fresh = 1;
    x->fields = x->own_fields;
    x->field_capacity = EXCHANGE_FIELDS;
    x->deadline_ms = http_server_now(s) + (x->over_limit ? least(s->limits.header_timeout_ms, OVER_LIMIT_MS)
                                                         : s->limits.header_timeout_ms);
    link_exchange(s, x);
    http_deadline_start(s);
    *context = x;
}

static void connection_closed(struct http_server *s, struct http_exchange *x)
{
    if (!x)
        return;
    unlink_exchange(s, x);
    exchange_drop_answer(x);
    exchange_memory_clear(x);
    kanal_buffer_release(&x->body);
    kanal_buffer_release(&x->raw);
    if (x->fields != x->own_fields)
        free(x->fields);
    free(x);
}

static void on_connection(void *server, struct MHD_Connection *mhd, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_opened(server, mhd, context);
    else if (code == MHD_CONNECTION_NOTIFY_CLOSED)
        connection_closed(server, *context);
}

/* ---- Life ------------------------------------------------------------------------------------------------------------ */

static void or_default(uint32_t *value, uint32_t otherwise)
{
    if (*value == 0)
        *value = otherwise;
}

static void set_limits(struct http_server *s, const struct http_limits *given)
{
    struct http_limits *l = &s->limits;
    uint32_t shortest;

    *l = *given;
    or_default(&l->header_bytes, 16 * 1024);
    or_default(&l->header_timeout_ms, 10 * 1000);
    or_default(&l->body_timeout_ms, 30 * 1000);
    or_default(&l->idle_timeout_ms, 75 * 1000);
    or_default(&l->answer_timeout_ms, 35 * 1000);
    or_default(&l->connections, 4096);
    or_default(&l->connections_per_address, 256);
    s->ping_ms = 30 * 1000;
    s->close_ms = 5 * 1000;
    s->linger_ms = 5 * 1000;
    s->least_bytes_per_ms = 16;
    /* Deadlines are kept to a quarter of the shortest, and never looked at more often than 50 times a second. */
    shortest = least(least(l->header_timeout_ms, l->body_timeout_ms),
                     least(l->idle_timeout_ms, l->answer_timeout_ms));
    s->tick_ms = shortest / 4 > 250 ? 250 : shortest / 4 < 20 ? 20 : shortest / 4;
}

static int set_proxies(struct http_server *s, const kanal_str *texts, size_t count)
{
    if (count == 0)
        return 0;
    s->proxies = calloc(count, sizeof *s->proxies);
    if (!s->proxies)
        return KANAL_E_INTERNAL;
    s->proxy_count = count;
    for (size_t i = 0; i < count; i++)
        if (http_cidr_parse(texts[i], &s->proxies[i]) != 0)
            return KANAL_E_INVALID;
    return 0;
}

/* "192.0.2.1:80" or "[::1]:80". */
static int parse_listen(const char *listen, struct sockaddr_storage *ret_address, socklen_t *ret_len)
{
    const char *colon = strrchr(listen, ':');
    struct http_address address;
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    int64_t port;

    if (!colon || colon[1] < '0' || colon[1] > '9' || kanal_str_int(kanal_str_c(colon + 1), &port) != 0 ||
        port > 65535 || http_address_parse(kanal_str_c(listen), &address) != 0)
        return KANAL_E_INVALID;
    if (listen[0] == '[') {
        if (colon == listen || colon[-1] != ']')
            return KANAL_E_INVALID;
        memcpy(&in6.sin6_addr, address.bytes, 16);
        in6.sin6_port = htons((uint16_t)port);
        memcpy(ret_address, &in6, sizeof in6);
        *ret_len = sizeof in6;
        return 0;
    }
    if (strchr(listen, ':') != colon)
        return KANAL_E_INVALID; /* IPv6 without brackets: the port would be a guess */
    memcpy(&in.sin_addr, address.bytes + 12, 4);
    in.sin_port = htons((uint16_t)port);
    memcpy(ret_address, &in, sizeof in);
    *ret_len = sizeof in;
    return 0;
}

static uint16_t bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } bound;
    socklen_t len = sizeof bound;

    memset(&bound, 0, sizeof bound);
    if (getsockname(fd, &bound.any, &len) != 0)
        return 0;
    return ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
}

static int listen_on(struct http_server *s, const char *listen_text, int *ret_fd)
{
    struct sockaddr_storage address = { 0 };
    socklen_t len;
    int fd, saved, on = 1, off = 0;

    if (!listen_text || parse_listen(listen_text, &address, &len) != 0)
        return KANAL_E_INVALID;
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return KANAL_E_NETWORK;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6) /* "[::]" takes IPv4 too, whatever the system's default is */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
        saved = errno;
        close(fd);
        errno = saved;
        return KANAL_E_NETWORK;
    }
    s->port = bound_port(fd);
    *ret_fd = fd;
    return 0;
}

/* The path is decoded by request_read(), from the target as it was sent. */
static size_t no_unescape(void *server, struct MHD_Connection *mhd, char *text)
{
    (void)server;
    (void)mhd;
    return strlen(text);
}

static int start_daemon(struct http_server *s, int fd)
{
    /* A connection's memory in libmicrohttpd: the headers, a record for each, the answer's headers. All of it is cleared
     * after each request, so it is not made larger than it must be; what does not fit is answered 431 by libmicrohttpd. */
    size_t pool_bytes =
        (size_t)s->limits.header_bytes + (s->limits.header_bytes > 8192 ? s->limits.header_bytes / 2 : 4096);

    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE, 0, on_accept, s, exchange_on_request, s,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)(s->limits.connections + OVER_LIMIT_CONNECTIONS + 1), MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool_bytes, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
        MHD_OPTION_NOTIFY_COMPLETED, exchange_on_completed, s, MHD_OPTION_URI_LOG_CALLBACK,
        exchange_on_target, s, MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, s, MHD_OPTION_END);
    return s->daemon ? 0 : KANAL_E_INTERNAL;
}

static int start_handles(struct http_server *s)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    if (!info || uv_poll_init(s->loop, &s->poll, info->listen_fd) != 0)
        return KANAL_E_INTERNAL;
    uv_check_init(s->loop, &s->check);
    uv_idle_init(s->loop, &s->idle);
    uv_timer_init(s->loop, &s->tick);
    s->handles = 4;
    s->poll.data = s->check.data = s->idle.data = s->tick.data = s;
    uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->check);
    return uv_poll_start(&s->poll, UV_READABLE, on_poll) == 0 ? 0 : KANAL_E_INTERNAL;
}

static void release(struct http_server *s)
{
    response_cache_release(s);
    http_address_table_release(&s->addresses);
    free(s->proxies);
    free(s);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_server *s = handle->data;

    if (--s->handles == 0)
        release(s);
}

static void close_now(struct http_server *s)
{
    s->is_closing = s->is_closed = 1;
    socket_discard_all(s);
    /* libmicrohttpd aborts the process when it is stopped with suspended connections. */
    for (struct http_exchange *x = s->exchanges; x; x = x->next)
        exchange_resume(x);
    if (s->handles > 0) {
        uv_close((uv_handle_t *)&s->poll, on_handle_closed); /* before its descriptor is closed */
        uv_close((uv_handle_t *)&s->check, on_handle_closed);
        uv_close((uv_handle_t *)&s->idle, on_handle_closed);
        uv_close((uv_handle_t *)&s->tick, on_handle_closed);
    }
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    if (s->handles == 0)
        release(s);
}

void http_server_enter(struct http_server *s)
{
    s->busy++;
}

void http_server_leave(struct http_server *s)
{
    if (--s->busy == 0 && s->is_closing && !s->is_closed)
        close_now(s);
}

int http_server_new(struct http_server **ret_server, uv_loop_t *loop,
                    const struct http_server_options *options, const struct http_handler *handler, void *user)
{
    struct http_server *s = calloc(1, sizeof *s);
    int status, saved, fd = -1;

    if (!s)
        return KANAL_E_INTERNAL;
    s->loop = loop;
    s->handler = *handler;
    s->user = user;
    set_limits(s, &options->limits);
    status = set_proxies(s, options->trusted_proxies, options->trusted_proxy_count);
    if (status == 0)
        status = listen_on(s, options->listen, &fd);
    if (status == 0)
        status = start_daemon(s, fd);
    if (status == 0) {
        fd = -1; /* libmicrohttpd's now */
        status = start_handles(s);
    }
    if (status == 0) {
        *ret_server = s;
        return 0;
    }
    saved = errno;
    if (fd >= 0)
        close(fd);
    close_now(s);
    errno = saved;
    return status;
}

void http_server_free(struct http_server *s)
{
    if (!s || s->is_closing)
        return;
    s->is_closing = 1;
    http_server_enter(s);
    http_server_leave(s);
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_drain(struct http_server *s)
{
    int fd;

    if (s->is_draining || s->is_closing)
        return;
    s->is_draining = 1;
    fd = MHD_quiesce_daemon(s->daemon);
    if (fd >= 0)
        close(fd);
    http_server_wake(s);
}

size_t http_server_open(const struct http_server *s)
{
    return s->open_exchanges + s->open_sockets;
}
