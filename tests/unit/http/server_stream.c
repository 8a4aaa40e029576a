/* Answers whose body comes in pieces. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "http/server_private.h"
#include "site.h"
#include "wire.h"

#define END "Host: a\r\n\r\n"

Test(stream, whole)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    for (int i = 0; i < 3; i++) {
        wire_text(&w, "GET /stream/length HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_str_eq(wire_header(&a, "content-length"), "10000");
        cr_assert_str_eq(wire_header(&a, "content-type"), "image/png");
        cr_assert_eq(a.body_len, 10000);
        cr_assert_not(a.is_cut);
        wire_text(&w, "GET /stream/chunked HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_null(wire_header(&a, "content-length"));
        cr_assert_eq(a.body_len, 10000);
        cr_assert_not(a.is_cut);
        wire_text(&w, "GET /stream/empty HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_str_eq(wire_header(&a, "content-length"), "0");
        wire_text(&w, "GET /stream/slow HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_eq(a.body_len, 10000);
        cr_assert_not(a.is_cut);
    }
    cr_assert_eq(atomic_load(&s->stream_gone), 0);
    cr_assert_eq(atomic_load(&s->gone), 0);
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, &a);
    site_stop(s);
}

static void cut(const char *kind)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /stream/");
    wire_text(&w, kind);
    wire_text(&w, " HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(a.is_cut, "%s looked whole", kind);
    cr_assert(wire_is_closed(&w, 1000) || w.in_len > 0);
    wire_close(&w, &a);
    cr_assert_eq(atomic_load(&s->stream_gone), 0, "it was the source that ended it");
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
}

Test(stream, broken_off)
{
    cut("broken");
    cut("cut");
    cut("short");
}

/* All bytes are written, but the end is not: the client does not take the answer for whole, and the exchange stays. */
Test(stream, the_last_byte_waits_for_the_end)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t started = wire_now_ms();
    static char bytes[20000];

    wire_open(&w, s->port);
    wire_text(&w, "GET /stream/complete HTTP/1.1\r\n" END);
    cr_assert(wire_take(&w, bytes, 9999, 1000));
    cr_assert_lt(wire_now_ms() - started, 90);
    wire_close(&w, NULL);
    wire_open(&w, s->port);
    started = wire_now_ms();
    wire_text(&w, "GET /stream/complete HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_eq(a.body_len, 10000);
    cr_assert_gt(wire_now_ms() - started, 80);
    wire_close(&w, &a);
    site_stop(s);
}

Test(stream, the_source_is_held_back)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    int small = 65536;
    unsigned long long written;

    wire_open(&w, s->port);
    setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    wire_text(&w, "GET /stream/endless HTTP/1.1\r\n" END);
    wire_sleep(200);
    written = atomic_load(&s->streamed);
    cr_assert_lt(written, 12 * 1024 * 1024, "nothing held it back");
    wire_sleep(100);
    cr_assert_eq(atomic_load(&s->streamed), written);
    cr_assert_eq(wire_answer(&w, &a, 5000), 200);
    cr_assert_eq(a.body_len, 16 * 1024 * 1024);
    cr_assert_not(a.is_cut);
    cr_assert_gt(atomic_load(&s->stream_resumed), 10);
    wire_close(&w, &a);
    site_stop(s);
}

Test(stream, the_client_leaves)
{
    struct site *s = site_start(NULL);
    char bytes[200];
    struct wire w;

    wire_open(&w, s->port); /* while it is being sent */
    wire_text(&w, "GET /stream/endless HTTP/1.1\r\n" END);
    cr_assert(wire_take(&w, bytes, 200, 1000));
    wire_close(&w, NULL);
    site_wait(&s->stream_gone, 1);
    wire_open(&w, s->port); /* while its source has nothing */
    wire_text(&w, "GET /stream/stall HTTP/1.1\r\n" END);
    cr_assert(wire_take(&w, bytes, 100, 1000));
    wire_close(&w, NULL);
    site_wait(&s->stream_gone, 2);
    wire_sleep(50);
    cr_assert_eq(atomic_load(&s->stream_gone), 2);
    cr_assert_eq(atomic_load(&s->gone), 0);
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
}

/* A client that takes nothing; a source that has nothing is no such client. */
Test(stream, the_client_stalls)
{
    struct site *s = site_start(&(struct site_options){ .limits = { .idle_timeout_ms = 400 } });
    struct wire w, patient;
    char bytes[100];

    wire_open(&patient, s->port);
    wire_text(&patient, "GET /stream/stall HTTP/1.1\r\n" END);
    cr_assert(wire_take(&patient, bytes, 100, 1000));
    wire_open(&w, s->port);
    wire_text(&w, "GET /stream/endless HTTP/1.1\r\n" END);
    site_wait(&s->stream_gone, 1);
    wire_sleep(600);
    cr_assert_eq(atomic_load(&s->stream_gone), 1);
    cr_assert_eq(site_open(s), 1);
    wire_close(&w, NULL);
    wire_close(&patient, NULL);
    site_stop(s);
}

Test(stream, head)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "HEAD /stream/length HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer_head(&w, &a, 2000), 200);
    cr_assert_str_eq(wire_header(&a, "content-length"), "10000");
    wire_text(&w, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(a.body, "now");
    wire_text(&w, "HEAD /stream/slow HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer_head(&w, &a, 2000), 200);
    cr_assert_null(wire_header(&a, "content-length"));
    cr_assert(wire_is_closed(&w, 1000), "something follows an answer to HEAD: %s", w.in);
    wire_sleep(50);
    cr_assert_geq(atomic_load(&s->stream_gone), 1, "the source goes on for nobody");
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, &a);
    site_stop(s);
}

Test(stream, http_1_0)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /stream/chunked HTTP/1.0\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_null(wire_header(&a, "transfer-encoding"));
    cr_assert_eq(a.body_len, 10000);
    wire_close(&w, &a);
    site_stop(s);
}
