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
    _Atomic uint64_t messages, slow_messages, slow_chat;
    _Atomic int slow_ms;
    _Atomic double first_at, last_at;
    struct connection *held; /* whose answer has its time */
};

struct connection {
    struct connection *next; /* of those that are held */
    double due_at;           /* bench_seconds(); 0: not held */
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

static int is_slow(const struct sink *sink, const struct connection *c, size_t length)
{
    char chat[48];
    if (sink->slow_chat == 0)
        return 0;
    int bytes = snprintf(chat, sizeof chat, "\"chat_id\":%llu,", (unsigned long long)sink->slow_chat);
    return memmem(c->request, length, chat, (size_t)bytes) != NULL;
}

/* 1: it is answered later. */
static int hold(struct sink *sink, struct connection *c, size_t length)
{
    if (!is_slow(sink, c, length))
        return 0;
    atomic_fetch_add(&sink->slow_messages, 1);
    c->due_at = bench_seconds() + sink->slow_ms / 1000.0;
    c->next = sink->held;
    sink->held = c;
    return 1;
}

static void answer_held(struct sink *sink)
{
    double now = bench_seconds();
    for (struct connection **link = &sink->held, *c; (c = *link);) {
        if (c->due_at > now) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        c->due_at = 0;
        (void)!send(c->fd, sink->answer, sink->answer_bytes, MSG_NOSIGNAL);
    }
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
        if (!hold(sink, c, length) && send(c->fd, sink->answer, sink->answer_bytes, MSG_NOSIGNAL) < 0)
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
        int ready = epoll_wait(sink->epoll, events, 256, sink->held ? 20 : -1);
        answer_held(sink);
        for (int i = 0; i < ready; i++) {
            struct connection *c = events[i].data.ptr;
            if (!c && take_connection(sink) != 0)
                return NULL;
            if (c && c->due_at == 0 && !serve(sink, c)) {
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

void sink_slow_chat(struct sink *sink, uint64_t chat_id, int delay_ms)
{
    sink->slow_ms = delay_ms;
    sink->slow_messages = 0;
    sink->slow_chat = chat_id;
}

uint64_t sink_slow_messages(const struct sink *sink)
{
    return sink->slow_messages;
}

void sink_stop(struct sink *sink)
{
    shutdown(sink->fd, SHUT_RDWR);
    pthread_join(sink->thread, NULL);
    close(sink->fd);
    close(sink->epoll);
    free(sink);
}
