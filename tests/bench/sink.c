#include "sink.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process.h"

#define REQUEST_BYTES 16384u

/* Serves as the answer to getMe too. */
static const char body[] =
    "{\"ok\":true,\"result\":{\"message_id\":123456,\"from\":{\"id\":77,\"is_bot\":true,\"first_name\":"
    "\"Shop\",\"username\":\"shop_bot\"},"
    "\"chat\":{\"id\":3527065,\"first_name\":\"Anna\",\"type\":\"private\"},\"date\":1795300008,\"id\":77,"
    "\"is_bot\":true,"
    "\"username\":\"shop_bot\",\"first_name\":\"Shop\",\"text\":\"Your order is on its way\"}}";

struct sink {
    int fd, epoll;
    uint16_t port;
    pthread_t thread;
    char answer[1024];
    size_t answer_bytes;
    _Atomic uint64_t messages;
    _Atomic double first_at, last_at;
};

struct connection {
    int fd;
    size_t have;
    char request[REQUEST_BYTES];
};

/* The length of the first whole request in the buffer, or 0: not all of it is there. */
static size_t request_length(const struct connection *c)
{
    const char *end = memmem(c->request, c->have, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t length = (size_t)(end + 4 - c->request);
    for (const char *line = c->request; line < end; line = (const char *)memchr(line, '\n', c->have) + 1)
        if (strncasecmp(line, "content-length:", 15) == 0)
            length += strtoul(line + 15, NULL, 10);
    return length <= c->have ? length : 0;
}

static void count(struct sink *sink, const struct connection *c)
{
    const char *line_end = memchr(c->request, '\r', c->have);
    if (!memmem(c->request, (size_t)(line_end - c->request), "/sendMessage", 12))
        return;
    double now = bench_seconds();
    if (atomic_fetch_add(&sink->messages, 1) == 0)
        sink->first_at = now;
    sink->last_at = now;
}

/* 0: the client has closed. */
static int serve(struct sink *sink, struct connection *c)
{
    ssize_t got = recv(c->fd, c->request + c->have, REQUEST_BYTES - c->have - 1, MSG_DONTWAIT);
    if (got <= 0)
        return 0;
    c->have += (size_t)got;
    c->request[c->have] = 0;
    for (size_t length; (length = request_length(c)) > 0;) {
        count(sink, c);
        if (send(c->fd, sink->answer, sink->answer_bytes, MSG_NOSIGNAL) < 0)
            return 0;
        c->have -= length;
        memmove(c->request, c->request + length, c->have + 1);
    }
    return c->have < REQUEST_BYTES - 1;
}

static int take_connection(struct sink *sink)
{
    int on = 1, fd = accept4(sink->fd, NULL, NULL, SOCK_CLOEXEC);
    struct connection *c = fd >= 0 ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return -1; /* shut down */
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
    c->fd = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void *run(void *user)
{
    struct sink *sink = user;
    struct epoll_event events[256];
    for (;;) {
        int ready = epoll_wait(sink->epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c && take_connection(sink) != 0)
                return NULL;
            if (c && !serve(sink, c)) {
                close(c->fd);
                free(c);
            }
        }
    }
}

struct sink *sink_start(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    struct sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        return NULL;
    sink->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sink->epoll = epoll_create1(EPOLL_CLOEXEC);
    sink->answer_bytes =
        (size_t)snprintf(sink->answer, sizeof sink->answer,
                         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                         sizeof body - 1, body);
    if (bind(sink->fd, (struct sockaddr *)&address, len) == 0 && listen(sink->fd, 512) == 0 &&
        getsockname(sink->fd, (struct sockaddr *)&address, &len) == 0 &&
        epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->fd, &event) == 0) {
        sink->port = ntohs(address.sin_port);
        if (pthread_create(&sink->thread, NULL, run, sink) == 0)
            return sink;
    }
    close(sink->fd);
    close(sink->epoll);
    free(sink);
    return NULL;
}

uint16_t sink_port(const struct sink *sink)
{
    return sink->port;
}

uint64_t sink_messages(const struct sink *sink)
{
    return sink->messages;
}

double sink_first_at(const struct sink *sink)
{
    return sink->first_at;
}

double sink_last_at(const struct sink *sink)
{
    return sink->last_at;
}

void sink_reset(struct sink *sink)
{
    sink->messages = 0;
}

void sink_stop(struct sink *sink)
{
    shutdown(sink->fd, SHUT_RDWR);
    pthread_join(sink->thread, NULL);
    close(sink->fd);
    close(sink->epoll);
    free(sink);
}
