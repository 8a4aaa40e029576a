/* What a client sees of requests and answers. Limits and deadlines: server_limits.c. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kanal/sdk/str.h"
#include "site.h"
#include "wire.h"

#define HOST "Host: a\r\n"
#define END HOST "\r\n"

static int has(const struct wire_answer *a, const char *text)
{
    return strstr(a->body, text) != NULL;
}

/* The request is refused with this code. */
static void refused(struct site *s, const char *request, int code)
{
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, request);
    cr_assert_eq(wire_answer(&w, &a, 2000), code, "%.60s gave %d", request, a.code);
    cr_assert_eq(atomic_load(&s->begun), 0, "the handler saw %.60s", request);
    wire_close(&w, &a);
}

Test(server, answers_at_once_and_later)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };

    cr_assert_eq(wire_ask(s->port, "GET /now HTTP/1.1\r\n" END, &a), 200);
    cr_assert_str_eq(a.body, "now");
    cr_assert(wire_header(&a, "date"));
    cr_assert_eq(wire_ask(s->port, "POST /later HTTP/1.1\r\nContent-Length: 3\r\n" END "abc", &a), 200);
    cr_assert_str_eq(a.body, "later");
    cr_assert_eq(atomic_load(&s->begun), 2);
    cr_assert_eq(atomic_load(&s->gone), 0);
    free(a.body);
    site_stop(s);
}

Test(server, hands_over_the_request)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "POST /a%20b/c?q=%2F&r=+ HTTP/1.1\r\nX-Thing: one\r\nCONTENT-TYPE:text/plain \t\r\n"
                  "x-thing: \xd0\x90\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Empty:\r\n"
                  "Content-Length: 4\r\n" END);
    wire_send(&w, "b\0dy", 4);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "method=POST\n"));
    cr_assert(has(&a, "target=/a%20b/c?q=%2F&r=+\n"));
    cr_assert(has(&a, "path=/a b/c\n"));
    cr_assert(has(&a, "query=q=%2F&r=+\n"));
    cr_assert(has(&a, "remote=127.0.0.1\n"));
    cr_assert(has(&a, "header x-thing=one\nheader content-type=text/plain\nheader x-thing=\xd0\x90\n"));
    cr_assert(has(&a, "header x-empty=\n"));
    cr_assert(memmem(a.body, a.body_len, "body=b\0dy\n", 10));
    cr_assert_not(has(&a, "forwarded"), "anybody can write these");
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, a_trusted_proxy_says_who_the_client_is)
{
    static const kanal_str proxies[] = { { "127.0.0.2/32", 12 }, { "10.0.0.0/8", 10 } };
    struct site *s = site_start(&(struct site_options){ .proxies = proxies, .proxy_count = 2 });
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open_from(&w, s->port, "127.0.0.2");
    wire_text(&w,
              "GET /echo HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\nX-Forwarded-For: 10.1.1.1\r\n"
              "X-Forwarded-Proto: https\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "remote=203.0.113.9\n"));
    cr_assert(has(&a, "header x-forwarded-proto=https\n"));
    wire_close(&w, NULL);
    wire_open_from(&w, s->port, "127.0.0.3");
    wire_text(&w, "GET /echo HTTP/1.1\r\nX-Forwarded-For: 203.0.113.9\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "remote=127.0.0.3\n"));
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, many_headers)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    char text[64];

    wire_open(&w, s->port);
    for (int round = 0; round < 3; round++) {
        wire_text(&w, "GET /echo HTTP/1.1\r\n" HOST);
        for (int i = 0; i < 70; i++) {
            snprintf(text, sizeof text, "X-Some-Longer-Header-Name-%d: value-%d-%d\r\n", i, round, i);
            wire_text(&w, text);
        }
        wire_text(&w, "\r\n");
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        for (int i = 0; i < 70; i++) {
            snprintf(text, sizeof text, "header x-some-longer-header-name-%d=value-%d-%d\n", i, round, i);
            cr_assert(has(&a, text), "%s", text);
        }
    }
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, keeps_the_connection_and_takes_pipelined_requests)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    for (int i = 0; i < 50; i++) {
        wire_text(&w, i % 2 ? "GET /now HTTP/1.1\r\n" END
                            : "POST /later HTTP/1.1\r\nContent-Length: 1\r\n" END "x");
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_str_eq(a.body, i % 2 ? "now" : "later");
    }
    wire_text(&w, "POST /later HTTP/1.1\r\nContent-Length: 1\r\n" END "xGET /now HTTP/1.1\r\n" END
                  "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "3\r\nabc\r\n0\r\n\r\n"
                  "GET /later HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(a.body, "later");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(a.body, "now");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "body=abc\n"));
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(a.body, "later");
    wire_close(&w, &a);
    site_stop(s);
}

/* A request whose answer is given from another descriptor's callback, or from outside a turn's polling, must not wait for
 * the next event on some connection. */
Test(server, an_answer_leaves_without_another_event)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t started;

    wire_open(&w, s->port);
    for (int i = 0; i < 5; i++) {
        wire_text(&w, "GET /hold HTTP/1.1\r\n" END);
        site_wait(&s->ran, (unsigned)i + 1);
        wire_sleep(30);
        started = wire_now_ms();
        site_answer_held(s);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_str_eq(a.body, "held 0");
        cr_assert_lt(wire_now_ms() - started, 200);
    }
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, sleeps_when_there_is_nothing_to_do)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w[3];
    double before;

    for (int i = 0; i < 3; i++)
        wire_open(&w[i], s->port);
    wire_text(&w[0], "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w[0], &a, 2000), 200);
    wire_text(&w[1], "GET /hold HTTP/1.1\r\n" END);
    wire_text(&w[2], "POST /echo HTTP/1.1\r\nContent-Length: 5\r\n" END "ab");
    site_wait(&s->begun, 3);
    wire_sleep(50);
    before = site_cpu_ms(s);
    wire_sleep(500);
    cr_assert_lt(site_cpu_ms(s) - before, 100);
    site_answer_held(s);
    cr_assert_eq(wire_answer(&w[1], &a, 2000), 200);
    for (int i = 0; i < 3; i++)
        wire_close(&w[i], i == 0 ? &a : NULL);
    site_stop(s);
}

Test(server, bodies)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    static char block[300000];

    wire_open(&w, s->port);
    wire_text(&w, "POST /echo HTTP/1.1\r\nContent-Length: 0\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "body=\n"));
    memset(block, 'z', sizeof block);
    wire_text(&w, "POST /echo HTTP/1.1\r\nContent-Length: 300000\r\n" END);
    wire_send(&w, block, sizeof block);
    cr_assert_eq(wire_answer(&w, &a, 5000), 200);
    cr_assert_gt(a.body_len, sizeof block);
    wire_text(&w, "POST /echo HTTP/1.1\r\ntransfer-encoding: Chunked\r\n" END "5\r\nhello\r\n1\r\n \r\n");
    wire_sleep(20);
    wire_text(&w, "A");
    wire_sleep(20);
    wire_text(&w, "\r\nworld89012\r\n0\r\nTrailer: x\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "body=hello world89012\n"));
    cr_assert_not(has(&a, "trailer"));
    wire_text(&w, "GET /big HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 5000), 200);
    cr_assert_eq(a.body_len, 1024 * 1024);
    cr_assert_eq(strspn(a.body, "b"), 1024 * 1024);
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, head_has_no_body)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "HEAD /now HTTP/1.1\r\n" END "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer_head(&w, &a, 2000), 200);
    cr_assert_str_eq(wire_header(&a, "content-length"), "3");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(a.body, "now");
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, codes)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /code/201 HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 201);
    cr_assert_str_eq(a.body, "coded");
    wire_text(&w, "GET /code/204 HTTP/1.1\r\n" END "GET /code/599 HTTP/1.1\r\n" END
                  "GET /code/304 HTTP/1.1\r\n" END "GET /code/100 HTTP/1.1\r\n" END
                  "GET /code/600 HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 204);
    cr_assert_eq(wire_answer(&w, &a, 2000), 599);
    cr_assert_eq(wire_answer(&w, &a, 2000), 304);
    cr_assert_eq(wire_answer(&w, &a, 2000), 500);
    cr_assert_eq(wire_answer(&w, &a, 2000), 500);
    cr_assert_str_eq(a.body, "coded");
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, headers_of_an_answer)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    for (int i = 0; i < 3; i++) { /* the later ones from the cache */
        wire_text(&w, "GET /header HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_str_eq(a.body, "{}");
        cr_assert_str_eq(wire_header(&a, "content-length"), "2");
        cr_assert_str_eq(wire_header(&a, "content-type"), "application/json");
        cr_assert_str_eq(wire_header(&a, "x-utf8"), "\xc3\xa9");
        cr_assert(strstr(a.head, "set-cookie: a=1\r\nset-cookie: b=2\r\n"));
        cr_assert_str_neq(wire_header(&a, "date"), "never");
        cr_assert_null(wire_header(&a, "connection"));
        cr_assert_null(wire_header(&a, "transfer-encoding"));
        cr_assert_null(strstr(a.head, "evil"));
        cr_assert_null(strstr(a.head, "x-b"));
        cr_assert_null(strstr(a.head, "x-nul"));
    }
    wire_close(&w, &a);
    site_stop(s);
}

/* Answers that fit into the cache, more of them than it has places. */
Test(server, different_small_answers_stay_different)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    char text[128];

    wire_open(&w, s->port);
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "GET /echo/%d HTTP/1.1\r\n" END, i % 13);
        wire_text(&w, text);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        snprintf(text, sizeof text, "path=/echo/%d\n", i % 13);
        cr_assert(has(&a, text));
        wire_text(&w, "GET /now HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w, &a, 2000), 200);
        cr_assert_str_eq(a.body, "now");
    }
    wire_close(&w, &a);
    site_stop(s);
}

/* Many answers of one turn push each other out of the cache before libmicrohttpd has taken them. */
Test(server, many_answers_at_once)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w[40];
    char text[32];

    for (unsigned i = 0; i < 40; i++) {
        wire_open(&w[i], s->port);
        wire_text(&w[i], "GET /hold HTTP/1.1\r\n" END);
        site_wait(&s->ran, i + 1);
    }
    site_answer_held(s);
    for (unsigned i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "held %u", i);
        cr_assert_eq(wire_answer(&w[i], &a, 2000), 200);
        cr_assert_str_eq(a.body, text);
        wire_close(&w[i], NULL);
    }
    free(a.body);
    site_stop(s);
}

Test(server, http_1_0)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /later HTTP/1.0\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(a.body, "later");
    cr_assert(wire_is_closed(&w, 1000));
    wire_close(&w, NULL);
    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    wire_text(&w, "GET /now HTTP/1.0\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(wire_is_closed(&w, 1000));
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, connection_close)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /later HTTP/1.1\r\nConnection: close\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_str_eq(wire_header(&a, "connection"), "close");
    cr_assert(wire_is_closed(&w, 1000));
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, expect_100_continue)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 100);
    wire_text(&w, "abc");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert(has(&a, "body=abc\n"));
    /* Refused: the client is not asked for the body. */
    wire_text(&w, "POST /small HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 101\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 413);
    cr_assert(wire_is_closed(&w, 1000));
    wire_close(&w, NULL);
    wire_open(&w, s->port);
    wire_text(&w, "POST /refuse HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 401);
    wire_close(&w, &a);
    cr_assert_eq(atomic_load(&s->ran), 1);
    site_stop(s);
}

Test(server, begin_refuses)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /refuse HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 401);
    cr_assert_str_eq(a.body, "refused");
    /* A small body is thrown away, and the connection kept. */
    wire_text(&w, "POST /refuse HTTP/1.1\r\nContent-Length: 5\r\n" END "abcde");
    cr_assert_eq(wire_answer(&w, &a, 2000), 401);
    wire_text(&w, "POST /refuse HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "5\r\nabcde\r\n0\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 401);
    wire_text(&w, "GET /mute HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 500);
    wire_text(&w, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_eq(atomic_load(&s->begun), 5);
    cr_assert_eq(atomic_load(&s->ran), 1);
    cr_assert_eq(atomic_load(&s->gone), 0, "a handler that has refused needs no gone()");
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, ambiguous_framing_is_refused)
{
    struct site *s = site_start(NULL);

    refused(s, "POST /now HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n",
            400);
    refused(s, "POST /now HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n" END "0\r\n\r\n",
            400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n" END "abc", 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n" END "abc", 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length: 3, 3\r\n" END "abc", 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length: -1\r\n" END, 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length: +3\r\n" END "abc", 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length: abc\r\n" END, 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length:\r\n" END, 400);
    refused(s,
            "POST /now HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" END
            "0\r\n\r\n",
            400);
    refused(s, "POST /now HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END "0\r\n\r\n", 400);
    refused(s, "POST /now HTTP/1.1\r\nContent-Length : 3\r\n" END "abc", 400);
    refused(s, "POST /now HTTP/1.1\r\nTransfer-Encoding : chunked\r\n" END "0\r\n\r\n", 400);
    site_stop(s);
}

/* libmicrohttpd 1.0 refuses these itself, with 400. */
Test(server, unknown_codings_are_refused)
{
    struct site *s = site_start(NULL);
    static const char *const codings[] = { "gzip, chunked", "chunked, chunked", "identity", "xchunked",
                                           "chunked;q=1" };
    char text[256];

    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++) {
        struct wire_answer a = { 0 };

        snprintf(text, sizeof text, "POST /now HTTP/1.1\r\nTransfer-Encoding: %s\r\n" END "0\r\n\r\n",
                 codings[i]);
        wire_ask(s->port, text, &a);
        cr_assert(a.code == 501 || a.code == 400, "%s gave %d", codings[i], a.code);
        free(a.body);
    }
    cr_assert_eq(atomic_load(&s->begun), 0);
    site_stop(s);
}

Test(server, nothing_behind_an_ambiguous_request_is_heard)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "POST /now HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n" END
                  "0\r\n\r\nGET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 400);
    cr_assert_str_eq(wire_header(&a, "connection"), "close");
    cr_assert(wire_is_closed(&w, 3000));
    cr_assert_eq(atomic_load(&s->begun), 0);
    wire_close(&w, &a);
    site_stop(s);
}

Test(server, bad_chunks_are_refused)
{
    struct site *s = site_start(NULL);
    static const char *const bad[] = { "x\r\n",
                                       "-1\r\n",
                                       "3\r\nabcd\r\n0\r\n\r\n",
                                       "3\r\nabcXY",
                                       "10000000000000000\r\n",
                                       "\r\n",
                                       "0x3\r\nabc\r\n0\r\n\r\n",
                                       " 3\r\nabc\r\n0\r\n\r\n" };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wire_answer a = { 0 };
        struct wire w;

        wire_open(&w, s->port);
        wire_text(&w, "POST /now HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END);
        wire_text(&w, bad[i]);
        wire_answer(&w, &a, 2000);
        cr_assert(a.code == 400 || a.code == 413, "%s gave %d", bad[i], a.code);
        cr_assert(wire_is_closed(&w, 2000));
        wire_close(&w, &a);
    }
    cr_assert_eq(atomic_load(&s->ran), 0);
    site_wait(&s->gone, 8);
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
}

Test(server, bad_targets_are_refused)
{
    struct site *s = site_start(NULL);
    static const char nul[] = "GET /no\0w HTTP/1.1\r\n" END;
    struct wire_answer a = { 0 };
    struct wire w;

    refused(s, "GET http://a/now HTTP/1.1\r\n" END, 400);
    refused(s, "GET a HTTP/1.1\r\n" END, 400);
    refused(s, "OPTIONS * HTTP/1.1\r\n" END, 400);
    refused(s, "CONNECT a:80 HTTP/1.1\r\n" END, 400);
    refused(s, "GET /a/../now HTTP/1.1\r\n" END, 400);
    refused(s, "GET /%2e%2e/now HTTP/1.1\r\n" END, 400);
    refused(s, "GET /a%2fnow HTTP/1.1\r\n" END, 400);
    refused(s, "GET /%00 HTTP/1.1\r\n" END, 400);
    refused(s, "GET //now HTTP/1.1\r\n" END, 400);
    refused(s, "GET /now?a=%00 HTTP/1.1\r\n" END, 400);
    refused(s, "GET /now#a HTTP/1.1\r\n" END, 400);
    refused(s, "GET /no\xc3\xa9 HTTP/1.1\r\n" END, 400);
    refused(s, "get /now HTTP/1.1\r\n" END, 400);
    refused(s, "G(T /now HTTP/1.1\r\n" END, 400);
    wire_open(&w, s->port);
    wire_send(&w, nul, sizeof nul - 1);
    wire_answer(&w, &a, 2000);
    cr_assert(a.code == 400 || (a.code == 0 && wire_is_closed(&w, 0))); /* libmicrohttpd 1.0 says nothing */
    wire_close(&w, &a);
    cr_assert_eq(atomic_load(&s->begun), 0, "a NUL hid a part of the target");
    site_stop(s);
}

Test(server, bad_headers_are_refused)
{
    struct site *s = site_start(NULL);

    refused(s, "GET /now HTTP/1.1\r\n\r\n", 400);
    refused(s, "GET /now HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    refused(s, "GET /now HTTP/1.1\r\nno colon\r\n" END, 400);
    refused(s, "GET /now HTTP/1.1\r\nX Y: z\r\n" END, 400);
    refused(s, "GET /now HTTP/1.1\r\nX-A: b\x01\r\n" END, 400);
    refused(s, "GET /now HTTP/1.1\r\nX-A: b\x7f\r\n" END, 400);
    refused(s, "GET /now HTTP/1.1\r\nX\xc3\xa9: b\r\n" END, 400);
    site_stop(s);
}
