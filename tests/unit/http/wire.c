#include "wire.h"
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t wire_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void wire_sleep(int ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

    nanosleep(&t, NULL);
}

void wire_open_from(struct wire *w, uint16_t port, const char *address)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct sockaddr_in from = { .sin_family = AF_INET };
    int on = 1;

    memset(w, 0, sizeof *w);
    w->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(w->fd >= 0);
    if (address) {
        cr_assert(inet_pton(AF_INET, address, &from.sin_addr) == 1);
        cr_assert(bind(w->fd, (struct sockaddr *)&from, sizeof from) == 0, "%s", strerror(errno));
    }
    cr_assert(connect(w->fd, (struct sockaddr *)&to, sizeof to) == 0, "%s", strerror(errno));
    setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void wire_open(struct wire *w, uint16_t port)
{
    wire_open_from(w, port, NULL);
}

void wire_close(struct wire *w, struct wire_answer *a)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w->in);
    memset(w, 0, sizeof *w);
    w->fd = -1;
    if (a) {
        free(a->body);
        a->body = NULL;
    }
}

int wire_send(struct wire *w, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t sent = send(w->fd, at, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return 0;
        at += sent;
        len -= (size_t)sent;
    }
    return 1;
}

int wire_text(struct wire *w, const char *text)
{
    return wire_send(w, text, strlen(text));
}

/* Reads some more; 0: the time is up; -1: closed. */
static int more(struct wire *w, uint64_t until)
{
    struct pollfd p = { .fd = w->fd, .events = POLLIN };
    uint64_t now = wire_now_ms();
    ssize_t got;

    if (poll(&p, 1, now < until ? (int)(until - now) : 0) <= 0)
        return 0;
    if (w->in_capacity - w->in_len < 65536) {
        w->in_capacity = w->in_capacity * 2 + 65536;
        w->in = realloc(w->in, w->in_capacity + 1);
        cr_assert(w->in);
    }
    got = recv(w->fd, w->in + w->in_len, w->in_capacity - w->in_len, 0);
    if (got <= 0)
        return -1;
    w->in_len += (size_t)got;
    w->in[w->in_len] = '\0';
    return 1;
}

static void drop(struct wire *w, size_t len)
{
    w->in_len -= len;
    memmove(w->in, w->in + len, w->in_len + 1);
}

int wire_take(struct wire *w, void *out, size_t len, int timeout_ms)
{
    uint64_t until = wire_now_ms() + (uint64_t)timeout_ms;

    while (w->in_len < len)
        if (more(w, until) <= 0)
            return 0;
    memcpy(out, w->in, len);
    drop(w, len);
    return 1;
}

int wire_is_closed(struct wire *w, int timeout_ms)
{
    return more(w, wire_now_ms() + (uint64_t)timeout_ms) == -1 && w->in_len == 0;
}

const char *wire_header(const struct wire_answer *a, const char *name)
{
    static char value[1024];
    const char *line = strstr(a->head, "\r\n");

    while (line && line[2] != '\0') {
        size_t len = strlen(name);

        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            size_t n;

            line += len + 1;
            line += strspn(line, " ");
            n = strcspn(line, "\r");
            cr_assert(n < sizeof value);
            memcpy(value, line, n);
            value[n] = '\0';
            return value;
        }
        line = strstr(line, "\r\n");
    }
    return NULL;
}

static void add_body(struct wire *w, struct wire_answer *a, size_t len)
{
    if (a->body_len + len >= a->body_capacity) {
        a->body_capacity = (a->body_len + len) * 2 + 1;
        a->body = realloc(a->body, a->body_capacity);
        cr_assert(a->body);
    }
    memcpy(a->body + a->body_len, w->in, len);
    a->body_len += len;
    a->body[a->body_len] = '\0';
    drop(w, len);
}

static int read_length(struct wire *w, struct wire_answer *a, size_t len, uint64_t until)
{
    while (a->body_len < len) {
        size_t missing = len - a->body_len;

        if (w->in_len > 0)
            add_body(w, a, w->in_len < missing ? w->in_len : missing);
        else if (more(w, until) <= 0)
            return 0;
    }
    return 1;
}

static int read_chunks(struct wire *w, struct wire_answer *a, uint64_t until)
{
    for (;;) {
        char *end = w->in_len > 0 ? memmem(w->in, w->in_len, "\r\n", 2) : NULL;
        size_t size, done;

        if (!end) {
            if (more(w, until) <= 0)
                return 0;
            continue;
        }
        size = strtoul(w->in, NULL, 16);
        drop(w, (size_t)(end - w->in) + 2);
        done = a->body_len + size;
        if (!read_length(w, a, done, until))
            return 0;
        while (w->in_len < 2)
            if (more(w, until) <= 0)
                return 0;
        cr_assert(memcmp(w->in, "\r\n", 2) == 0, "a chunk without its end");
        drop(w, 2);
        if (size == 0)
            return 1;
    }
}

static int read_head(struct wire *w, struct wire_answer *a, uint64_t until)
{
    char *end;
    size_t len;

    free(a->body);
    memset(a, 0, sizeof *a);
    a->body = calloc(1, 1);
    while (!w->in || !(end = memmem(w->in, w->in_len, "\r\n\r\n", 4)))
        if (more(w, until) <= 0)
            return 0;
    len = (size_t)(end - w->in) + 2;
    cr_assert(len < sizeof a->head);
    memcpy(a->head, w->in, len);
    a->head[len] = '\0';
    drop(w, len + 2);
    cr_assert(strncmp(a->head, "HTTP/1.1 ", 9) == 0, "no answer: %s", a->head);
    a->code = (int)strtol(a->head + 9, NULL, 10);
    return 1;
}

int wire_answer_head(struct wire *w, struct wire_answer *a, int timeout_ms)
{
    return read_head(w, a, wire_now_ms() + (uint64_t)timeout_ms) ? a->code : 0;
}

int wire_answer(struct wire *w, struct wire_answer *a, int timeout_ms)
{
    uint64_t until = wire_now_ms() + (uint64_t)timeout_ms;
    const char *value;

    if (!read_head(w, a, until))
        return 0;
    if (a->code < 200 || a->code == 204 || a->code == 304)
        return a->code;
    if ((value = wire_header(a, "content-length")) != NULL) {
        a->is_cut = !read_length(w, a, strtoul(value, NULL, 10), until);
    } else if ((value = wire_header(a, "transfer-encoding")) != NULL) {
        cr_assert_str_eq(value, "chunked");
        a->is_cut = !read_chunks(w, a, until);
    } else {
        while (more(w, until) > 0)
            ;
        add_body(w, a, w->in_len);
    }
    return a->code;
}

int wire_ask(uint16_t port, const char *request, struct wire_answer *a)
{
    struct wire w;
    int code;

    wire_open(&w, port);
    wire_text(&w, request);
    code = wire_answer(&w, a, 5000);
    wire_close(&w, NULL);
    return code;
}
