/* The WebSocket side, frame by frame. Against a client that others wrote: websocket_client.test.mjs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "http/server_private.h"
#include "kanal/sdk/str.h"
#include "site.h"
#include "wire.h"

#define UPGRADE                                                                                              \
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"               \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

enum { CONTINUED = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, FIN = 0x80 };

struct frame {
    int opcode; /* with FIN; -1: none came */
    size_t len;
    unsigned char payload[70000];
};

/* Writes a frame into out; returns its length. announced: what the header says; mask 0: not masked. */
static size_t put_frame(unsigned char *out, int opcode, const void *payload, size_t len, uint64_t announced,
                        int mask)
{
    static const unsigned char key[4] = { 0x11, 0x22, 0x33, 0x44 };
    const unsigned char *from = payload;
    size_t n = 0;

    out[n++] = (unsigned char)opcode;
    if (announced < 126) {
        out[n++] = (unsigned char)(announced | (mask ? 0x80 : 0));
    } else if (announced < 65536) {
        out[n++] = (unsigned char)(126 | (mask ? 0x80 : 0));
        out[n++] = (unsigned char)(announced >> 8);
        out[n++] = (unsigned char)announced;
    } else {
        out[n++] = (unsigned char)(127 | (mask ? 0x80 : 0));
        for (int i = 7; i >= 0; i--)
            out[n++] = (unsigned char)(announced >> 8 * i);
    }
    if (mask) {
        memcpy(out + n, key, 4);
        n += 4;
    }
    for (size_t i = 0; i < len; i++)
        out[n++] = mask ? (unsigned char)(from[i] ^ key[i % 4]) : from[i];
    return n;
}

static int send_frame(struct wire *w, int opcode, const void *payload, size_t len)
{
    static unsigned char out[80000];

    return wire_send(w, out, put_frame(out, opcode, payload, len, len, 1));
}

static void get_frame(struct wire *w, struct frame *f, int timeout_ms)
{
    unsigned char head[8];

    memset(f, 0, sizeof *f);
    f->opcode = -1;
    if (!wire_take(w, head, 2, timeout_ms))
        return;
    f->len = head[1];
    cr_assert_eq(head[1] & 0x80, 0, "a server does not mask");
    f->opcode = head[0];
    if (f->len == 126) {
        cr_assert(wire_take(w, head, 2, timeout_ms));
        f->len = (size_t)head[0] << 8 | head[1];
    } else if (f->len == 127) {
        cr_assert(wire_take(w, head, 8, timeout_ms));
        f->len = (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
    }
    cr_assert(f->len <= sizeof f->payload);
    cr_assert(wire_take(w, f->payload, f->len, timeout_ms));
}

static void open_socket(struct site *s, struct wire *w)
{
    struct wire_answer a = { 0 };

    wire_open(w, s->port);
    wire_text(w, UPGRADE);
    cr_assert_eq(wire_answer(w, &a, 2000), 101);
    cr_assert_str_eq(wire_header(&a, "sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    cr_assert_str_eq(wire_header(&a, "upgrade"), "websocket");
    cr_assert_str_eq(wire_header(&a, "connection"), "Upgrade");
    free(a.body);
}

static void expect_echo(struct wire *w, int opcode, const void *payload, size_t len)
{
    static struct frame f;

    get_frame(w, &f, 2000);
    cr_assert_eq(f.opcode, opcode | FIN, "%d", f.opcode);
    cr_assert_eq(f.len, len);
    cr_assert(memcmp(f.payload, payload, len) == 0);
}

/* The server closes with this code; the client says the same and is then disconnected. */
static void expect_close(struct wire *w, int code)
{
    static struct frame f;

    do
        get_frame(w, &f, 3000);
    while (f.opcode == (FIN | BINARY) || f.opcode == (FIN | TEXT));
    cr_assert_eq(f.opcode, CLOSE | FIN, "%d", f.opcode);
    cr_assert_geq(f.len, 2);
    cr_assert_eq(f.payload[0] << 8 | f.payload[1], code);
    send_frame(w, CLOSE | FIN, f.payload, 2);
    shutdown(w->fd, SHUT_WR);
    cr_assert(wire_is_closed(w, 2000));
}

Test(websocket, messages_of_every_length)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536 };
    struct site *s = site_start(NULL);
    static char bytes[65536];
    struct wire w;

    memset(bytes, 'm', sizeof bytes);
    open_socket(s, &w);
    site_wait(&s->opened, 1);
    cr_assert_eq(site_open(s), 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        send_frame(&w, TEXT | FIN, bytes, sizes[i]);
        expect_echo(&w, TEXT, bytes, sizes[i]);
        send_frame(&w, BINARY | FIN, bytes, sizes[i]);
        expect_echo(&w, BINARY, bytes, sizes[i]);
    }
    send_frame(&w, CLOSE | FIN, "\x03\xe8good bye", 10);
    expect_close(&w, 1000);
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1000);
    cr_assert_str_eq(s->close_reason, "good bye");
    cr_assert_eq(atomic_load(&s->gone), 0);
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, NULL);
    site_stop(s);
}

Test(websocket, bytes_that_came_with_the_handshake)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    static unsigned char out[9000];
    size_t len = strlen(UPGRADE);
    struct wire w;

    memcpy(out, UPGRADE, len);
    len += put_frame(out + len, TEXT | FIN, "first", 5, 5, 1);
    for (int i = 0; i < 300; i++)
        len += put_frame(out + len, BINARY | FIN, "abcdefghij", 10, 10, 1);
    len += put_frame(out + len, TEXT | FIN, "last", 4, 4, 1) - 2; /* cut within its payload */
    wire_open(&w, s->port);
    wire_send(&w, out, len);
    cr_assert_eq(wire_answer(&w, &a, 2000), 101);
    expect_echo(&w, TEXT, "first", 5);
    for (int i = 0; i < 300; i++)
        expect_echo(&w, BINARY, "abcdefghij", 10);
    wire_sleep(30);
    wire_send(&w, "\x40\x30", 2); /* "st", masked */
    expect_echo(&w, TEXT, "last", 4);
    wire_close(&w, &a);
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1006);
    site_stop(s);
}

/* More of them than may wait to be answered: the rest is read later, though no event on the connection tells of it. */
Test(websocket, pings_that_came_with_the_handshake)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    static unsigned char out[11000];
    static struct frame f;
    size_t len = strlen(UPGRADE);
    struct wire w;

    memcpy(out, UPGRADE, len);
    for (int i = 0; i < 1600; i++)
        len += put_frame(out + len, PING | FIN, "", 0, 0, 1);
    wire_open(&w, s->port);
    wire_send(&w, out, len);
    cr_assert_eq(wire_answer(&w, &a, 2000), 101);
    for (int i = 0; i < 1600; i++) {
        get_frame(&w, &f, 1000);
        cr_assert_eq(f.opcode, PONG | FIN, "after %d", i);
    }
    wire_close(&w, &a);
    site_stop(s);
}

/* With Nagle's algorithm on, each second small answer waits for an acknowledgement that the client delays by 40 ms. */
Test(websocket, small_messages_are_not_delayed)
{
    struct site *s = site_start(NULL);
    struct wire w;
    uint64_t started;

    open_socket(s, &w);
    started = wire_now_ms();
    for (int i = 0; i < 30; i++) {
        send_frame(&w, TEXT | FIN, "a", 1);
        send_frame(&w, TEXT | FIN, "b", 1);
        expect_echo(&w, TEXT, "a", 1);
        expect_echo(&w, TEXT, "b", 1);
    }
    cr_assert_lt(wire_now_ms() - started, 900);
    wire_close(&w, NULL);
    site_stop(s);
}

Test(websocket, fragments_and_pings_between_them)
{
    struct site *s = site_start(NULL);
    static struct frame f;
    struct wire w;

    open_socket(s, &w);
    send_frame(&w, TEXT, "one ", 4);
    send_frame(&w, PING | FIN, "hey", 3);
    get_frame(&w, &f, 2000);
    cr_assert_eq(f.opcode, PONG | FIN);
    cr_assert(f.len == 3 && memcmp(f.payload, "hey", 3) == 0);
    send_frame(&w, CONTINUED, "two \xd0", 5);
    send_frame(&w, CONTINUED | FIN, "\x90", 1);
    expect_echo(&w, TEXT, "one two \xd0\x90", 10);
    cr_assert_eq(atomic_load(&s->messages), 1);
    wire_close(&w, NULL);
    site_stop(s);
}

static void closes_with(const void *bytes, size_t len, int code)
{
    struct site *s = site_start(NULL);
    struct wire w;

    open_socket(s, &w);
    wire_send(&w, bytes, len);
    expect_close(&w, code);
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), (unsigned)code);
    cr_assert_eq(atomic_load(&s->messages), 0);
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, NULL);
    site_stop(s);
}

static void frame_closes_with(int opcode, const void *payload, size_t len, uint64_t announced, int mask,
                              int code)
{
    static unsigned char out[80000];

    closes_with(out, put_frame(out, opcode, payload, len, announced, mask), code);
}

Test(websocket, protocol_errors)
{
    frame_closes_with(TEXT | FIN, "a", 1, 1, 0, 1002);         /* not masked */
    frame_closes_with(CONTINUED | FIN, "a", 1, 1, 1, 1002);    /* continues nothing */
    frame_closes_with(3 | FIN, "a", 1, 1, 1, 1002);            /* no such opcode */
    frame_closes_with(TEXT | FIN | 0x40, "a", 1, 1, 1, 1002);  /* a reserved bit */
    frame_closes_with(CLOSE | FIN, "\x03\xed", 2, 2, 1, 1002); /* 1005 must not be sent */
}

Test(websocket, text_must_be_utf8)
{
    frame_closes_with(TEXT | FIN, "a\xff", 2, 2, 1, 1007);
    frame_closes_with(TEXT | FIN, "\xed\xa0\x80", 3, 3, 1, 1007);
    frame_closes_with(TEXT | FIN, "\xc0\xaf", 2, 2, 1, 1007);
    frame_closes_with(TEXT | FIN, "\xd0", 1, 1, 1, 1007);
}

Test(websocket, messages_over_the_limit)
{
    static char bytes[65537];

    frame_closes_with(BINARY | FIN, bytes, 100, 65537, 1, 1009);
    frame_closes_with(BINARY | FIN, bytes, sizeof bytes, sizeof bytes, 1, 1009);
    frame_closes_with(TEXT | FIN, "a", 1, UINT64_C(4) << 30, 1, 1009);
    frame_closes_with(TEXT | FIN, "a", 1, UINT64_MAX >> 1, 1, 1009);
}

Test(websocket, fragments_over_the_limit)
{
    static unsigned char out[80000];
    static char bytes[60000];
    size_t len = put_frame(out, BINARY, bytes, sizeof bytes, sizeof bytes, 1);

    len += put_frame(out + len, CONTINUED, bytes, 6000, 6000, 1);
    closes_with(out, len, 1009);
}

Test(websocket, the_server_closes)
{
    struct site *s = site_start(NULL);
    static struct frame f;
    struct wire w;

    open_socket(s, &w);
    send_frame(&w, TEXT | FIN, "close 4001", 10);
    get_frame(&w, &f, 2000);
    cr_assert_eq(f.opcode, CLOSE | FIN);
    cr_assert(f.len == 5 && memcmp(f.payload,
                                   "\x0f\xa1"
                                   "bye",
                                   5) == 0);
    send_frame(&w, TEXT | FIN, "too late", 8); /* a message on its way is not delivered any more */
    send_frame(&w, CLOSE | FIN, f.payload, 5);
    cr_assert(wire_is_closed(&w, 2000));
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 4001);
    cr_assert_str_eq(s->close_reason, "bye");
    cr_assert_eq(atomic_load(&s->messages), 1);
    wire_close(&w, NULL);
    site_stop(s);
}

Test(websocket, a_close_frame_without_a_code)
{
    struct site *s = site_start(NULL);
    static struct frame f;
    struct wire w;

    open_socket(s, &w);
    send_frame(&w, CLOSE | FIN, "", 0);
    get_frame(&w, &f, 2000);
    cr_assert_eq(f.opcode, CLOSE | FIN);
    cr_assert(wire_is_closed(&w, 2000));
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1005);
    wire_close(&w, NULL);
    site_stop(s);
}

/* The client does not take part in the close handshake. */
Test(websocket, the_close_handshake_has_a_deadline)
{
    struct site *s = site_start(&(struct site_options){ .close_ms = 300 });
    struct wire w;
    uint64_t started;
    static struct frame f;

    open_socket(s, &w);
    send_frame(&w, TEXT | FIN, "close 1000", 10);
    started = wire_now_ms();
    get_frame(&w, &f, 2000);
    cr_assert_eq(f.opcode, CLOSE | FIN);
    for (int i = 0; i < 5; i++)
        send_frame(&w, PING | FIN, "still here", 10);
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1006);
    cr_assert_lt(wire_now_ms() - started, 2000);
    cr_assert_gt(wire_now_ms() - started, 200);
    wire_close(&w, NULL);
    /* After an error of its own it goes on sending. */
    open_socket(s, &w);
    send_frame(&w, TEXT | FIN, "\xff", 1);
    started = wire_now_ms();
    while (wire_now_ms() - started < 1500 && send_frame(&w, TEXT | FIN, "more", 4))
        wire_sleep(10);
    site_wait(&s->closed, 2);
    cr_assert_eq(atomic_load(&s->close_code), 1007);
    cr_assert_lt(wire_now_ms() - started, 1400);
    wire_close(&w, NULL);
    site_stop(s);
}

Test(websocket, the_client_disappears)
{
    struct site *s = site_start(NULL);
    struct linger reset = { 1, 0 };
    struct wire w;

    open_socket(s, &w);
    site_wait(&s->opened, 1);
    wire_close(&w, NULL);
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1006);
    open_socket(s, &w);
    site_wait(&s->opened, 2);
    setsockopt(w.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    wire_close(&w, NULL);
    site_wait(&s->closed, 2);
    cr_assert_eq(atomic_load(&s->close_code), 1006);
    wire_sleep(20);
    cr_assert_eq(site_open(s), 0);
    cr_assert_eq(atomic_load(&s->closed), 2);
    site_stop(s);
}

Test(websocket, unanswered_pings)
{
    struct site *s =
        site_start(&(struct site_options){ .limits = { .header_timeout_ms = 200 }, .ping_ms = 200 });
    static struct frame f;
    struct wire w, good;

    open_socket(s, &w);
    open_socket(s, &good);
    for (int i = 0; i < 6; i++) {
        get_frame(&good, &f, 1000);
        cr_assert_eq(f.opcode, PING | FIN);
        send_frame(&good, PONG | FIN, f.payload, f.len);
    }
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1006);
    for (int i = 0; i < 2; i++) {
        get_frame(&w, &f, 100);
        cr_assert_eq(f.opcode, PING | FIN);
    }
    cr_assert(wire_is_closed(&w, 1000));
    cr_assert_eq(atomic_load(&s->closed), 1);
    cr_assert_eq(site_open(s), 1);
    wire_close(&w, NULL);
    wire_close(&good, NULL);
    site_stop(s);
}

Test(websocket, a_client_that_does_not_read)
{
    struct site *s = site_start(&(struct site_options){ .close_ms = 300 });
    struct wire w;
    int small = 4096;

    open_socket(s, &w);
    setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    send_frame(&w, TEXT | FIN, "flood", 5);
    site_wait(&s->closed, 1);
    cr_assert_eq(atomic_load(&s->close_code), 1013);
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, NULL);
    /* One that reads gets the reason in the close frame. */
    open_socket(s, &w);
    send_frame(&w, TEXT | FIN, "flood", 5);
    expect_close(&w, 1013);
    wire_close(&w, NULL);
    site_stop(s);
}

/* Each ping makes a pong; a client that reads none of them must not fill the memory. */
Test(websocket, a_flood_of_pings)
{
    struct site *s = site_start(NULL);
    static unsigned char pings[131 * 500];
    struct wire w;
    int small = 4096;
    size_t len = 0, sent = 0;

    for (int i = 0; i < 500; i++)
        len += put_frame(pings + len, PING | FIN, pings, 125, 125, 1);
    open_socket(s, &w);
    setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (uint64_t started = wire_now_ms(); wire_now_ms() - started < 1000;) {
        ssize_t n = send(w.fd, pings + sent % len, len - sent % len, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0)
            sent += (size_t)n;
        else
            wire_sleep(5);
    }
    cr_assert_lt(sent, 32 * 1024 * 1024, "it was read for ever: %zu", sent);
    cr_assert_eq(site_open(s), 1);
    wire_close(&w, NULL);
    site_stop(s);
}

static void refused(const char *request, int code)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };

    cr_assert_eq(wire_ask(s->port, request, &a), code, "%s gave %d", request, a.code);
    if (code == 426)
        cr_assert_str_eq(wire_header(&a, "sec-websocket-version"), "13");
    cr_assert_eq(atomic_load(&s->opened), 0);
    free(a.body);
    site_stop(s);
}

Test(websocket, handshakes_that_are_refused)
{
    refused("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n",
            426);
    refused("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\nSec-WebSocket-Version: 13\r\n\r\n",
            400);
    refused(
        "POST /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 1\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\nx",
        400);
    /* Not an upgrade at all: an ordinary request. */
    refused("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", 200);
    refused("GET /ws HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            200);
}

/* An upgrade request that the handler answers as any other. */
Test(websocket, an_upgrade_that_is_answered_with_a_page)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                  "GET /now HTTP/1.1\r\nHost: a\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    wire_close(&w, &a);
    site_stop(s);
}

static void push(struct site *s, void *unused)
{
    (void)unused;
    for (int i = 0; i < 3; i++)
        cr_assert_eq(http_socket_send(s->socket, 1, KANAL_LIT("pushed")), 0);
}

/* Messages that the server sends of itself, with nothing coming in. */
Test(websocket, pushes)
{
    struct site *s = site_start(NULL);
    struct wire w;
    double cpu;

    open_socket(s, &w);
    site_wait(&s->opened, 1);
    for (int i = 0; i < 5; i++) {
        uint64_t started = wire_now_ms();

        wire_sleep(20);
        site_call(s, push, NULL);
        for (int n = 0; n < 3; n++)
            expect_echo(&w, TEXT, "pushed", 6);
        cr_assert_lt(wire_now_ms() - started, 200);
    }
    cpu = site_cpu_ms(s);
    wire_sleep(400);
    cr_assert_lt(site_cpu_ms(s) - cpu, 80, "an open socket keeps the loop busy");
    wire_close(&w, NULL);
    site_stop(s);
}

Test(websocket, free_with_open_sockets)
{
    struct site *s = site_start(NULL);
    struct wire w[4];

    for (int i = 0; i < 3; i++)
        open_socket(s, &w[i]);
    wire_open(&w[3], s->port);
    wire_text(&w[3], UPGRADE);
    send_frame(&w[0], TEXT | FIN, "close 1000", 10);
    send_frame(&w[1], TEXT | FIN, "flood", 5);
    site_wait(&s->messages, 2);
    site_stop(s);
    for (int i = 0; i < 4; i++)
        wire_close(&w[i], NULL);
}

Test(websocket, connections_come_and_go)
{
    struct site *s = site_start(NULL);
    struct wire w;

    for (unsigned i = 1; i <= 300; i++) {
        open_socket(s, &w);
        send_frame(&w, TEXT | FIN, i % 3 == 0 ? "close 1000" : "hello", i % 3 == 0 ? 10 : 5);
        if (i % 2)
            send_frame(&w, CLOSE | FIN, "\x03\xe8", 2);
        wire_close(&w, NULL);
    }
    site_wait(&s->closed, 300);
    wire_sleep(50);
    cr_assert_eq(atomic_load(&s->closed), atomic_load(&s->opened));
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
}
