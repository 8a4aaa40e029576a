/* The limits and deadlines, the client that goes away, and the end of the server. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "http/server_private.h"
#include "kanal/sdk/str.h"
#include "site.h"
#include "wire.h"

#define END "Host: a\r\n\r\n"
#define LIMITS(...) (&(struct site_options){ .limits = { __VA_ARGS__ } })

/* ---- Size ------------------------------------------------------------------------------------------------------------------ */

static int ask_with_header(struct site *s, size_t bytes)
{
    struct wire_answer a = { 0 };
    struct wire w;
    char *value = malloc(bytes + 1);

    memset(value, 'v', bytes);
    value[bytes] = '\0';
    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\nX-Long: ");
    wire_text(&w, value);
    wire_text(&w, "\r\n" END);
    wire_answer(&w, &a, 2000);
    free(value);
    wire_close(&w, NULL);
    free(a.body);
    return a.code;
}

Test(limits, header_bytes)
{
    struct site *s = site_start(NULL);

    cr_assert_eq(ask_with_header(s, 15000), 200);
    cr_assert_eq(ask_with_header(s, 16 * 1024 - 45), 200);
    cr_assert_eq(ask_with_header(s, 16 * 1024), 431);
    cr_assert_eq(ask_with_header(s, 20 * 1024), 431);
    cr_assert_eq(ask_with_header(s, 500 * 1024), 431);
    site_stop(s);
    s = site_start(LIMITS(.header_bytes = 1000));
    cr_assert_eq(ask_with_header(s, 900), 200);
    cr_assert_eq(ask_with_header(s, 1000), 431);
    cr_assert_eq(atomic_load(&s->begun), 1);
    site_stop(s);
}

Test(limits, many_tiny_headers)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\n");
    for (int i = 0; i < 5000; i++)
        wire_text(&w, "a:b\r\n");
    wire_text(&w, END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 431);
    cr_assert_eq(atomic_load(&s->begun), 0);
    wire_close(&w, &a);
    site_stop(s);
}

/* The request line alone over the limit: 414 is what it is called then. */
Test(limits, a_long_target)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    char block[1000];

    memset(block, 't', sizeof block);
    wire_open(&w, s->port);
    wire_text(&w, "GET /");
    for (int i = 0; i < 100; i++)
        wire_send(&w, block, sizeof block);
    wire_text(&w, " HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 414);
    wire_close(&w, &a);
    site_stop(s);
}

Test(limits, a_body_over_what_begin_allowed)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire w;
    char block[200];

    memset(block, 'b', sizeof block);
    wire_open(&w, s->port);
    wire_text(&w, "POST /small HTTP/1.1\r\nContent-Length: 100\r\n" END);
    wire_send(&w, block, 100);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    wire_text(&w, "POST /small HTTP/1.1\r\nContent-Length: 101\r\n" END);
    wire_send(&w, block, 101);
    cr_assert_eq(wire_answer(&w, &a, 2000), 413);
    cr_assert_eq(atomic_load(&s->gone), 1);
    /* It was small enough to be thrown away: the connection goes on. */
    wire_text(&w, "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "64\r\n");
    wire_send(&w, block, 100);
    wire_text(&w, "\r\n0\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    wire_text(&w, "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "64\r\n");
    wire_send(&w, block, 100);
    wire_text(&w, "\r\n1\r\nx\r\n0\r\n\r\n");
    cr_assert_eq(wire_answer(&w, &a, 2000), 413);
    wire_text(&w, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    cr_assert_eq(atomic_load(&s->ran), 3);
    cr_assert_eq(atomic_load(&s->gone), 2);
    wire_close(&w, &a);
    site_stop(s);
}

/* A client that sends and sends: it gets its answer, not a reset, and some time later the end. */
static void send_too_much(struct site *s, const char *head, unsigned refusals)
{
    struct timeval wait = { 1, 0 };
    struct wire_answer a = { 0 };
    static char block[65536];
    struct wire w;
    uint64_t started;

    memset(block, 'b', sizeof block);
    wire_open(&w, s->port);
    setsockopt(w.fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    wire_text(&w, head);
    for (int i = 0; i < 64; i++)
        cr_assert(wire_send(&w, block, sizeof block), "the connection was reset");
    cr_assert_eq(wire_answer(&w, &a, 2000), 413);
    cr_assert_str_eq(wire_header(&a, "connection"), "close");
    started = wire_now_ms();
    while (wire_now_ms() - started < 3000 && wire_send(&w, block, sizeof block))
        wire_sleep(5);
    cr_assert_lt(wire_now_ms() - started, 1500, "it may send for ever");
    cr_assert_eq(atomic_load(&s->gone), refusals);
    wire_close(&w, &a);
}

Test(limits, a_large_body_is_refused_and_the_answer_arrives)
{
    struct site *s = site_start(&(struct site_options){ .linger_ms = 500 });

    send_too_much(s, "POST /small HTTP/1.1\r\nContent-Length: 1000000000\r\n" END, 1);
    send_too_much(s, "POST /small HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "40000000\r\n", 2);
    cr_assert_eq(atomic_load(&s->ran), 0);
    cr_assert_eq(ask_with_header(s, 10), 200);
    site_stop(s);
}

/* ---- Time ------------------------------------------------------------------------------------------------------------------ */

/* Sends a byte each 50 ms; when does the connection end? */
static uint64_t drip(struct wire *w, char byte, unsigned limit_ms)
{
    uint64_t started = wire_now_ms();

    while (wire_now_ms() - started < limit_ms) {
        char c;

        if (recv(w->fd, &c, 1, MSG_DONTWAIT | MSG_PEEK) >= 0 || !wire_send(w, &byte, 1))
            break;
        wire_sleep(50);
    }
    return wire_now_ms() - started;
}

Test(deadlines, headers_that_drip)
{
    struct site *s = site_start(LIMITS(.header_timeout_ms = 400));
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t lasted;

    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\nX: ");
    lasted = drip(&w, 'x', 3000);
    cr_assert(lasted > 250 && lasted < 2000, "%llu ms", (unsigned long long)lasted);
    cr_assert_eq(wire_answer(&w, &a, 1000), 408);
    wire_close(&w, NULL);
    /* Within the request line libmicrohttpd tells nothing at all. */
    wire_open(&w, s->port);
    lasted = drip(&w, 'G', 3000);
    cr_assert(lasted > 250 && lasted < 2000, "%llu ms", (unsigned long long)lasted);
    cr_assert_eq(wire_answer(&w, &a, 1000), 408);
    wire_close(&w, &a);
    cr_assert_eq(atomic_load(&s->begun), 0);
    site_stop(s);
}

Test(deadlines, headers_that_drip_on_a_kept_connection)
{
    struct site *s = site_start(LIMITS(.header_timeout_ms = 400, .idle_timeout_ms = 60000));
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t lasted;

    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 1000), 200);
    wire_sleep(700); /* idle is allowed to be longer */
    lasted = drip(&w, 'G', 3000);
    cr_assert(lasted > 250 && lasted < 2000, "%llu ms", (unsigned long long)lasted);
    cr_assert_eq(wire_answer(&w, &a, 1000), 408);
    wire_close(&w, NULL);
    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 1000), 200);
    wire_text(&w, "GET /now HTTP/1.1\r\nX: ");
    lasted = drip(&w, 'x', 3000);
    cr_assert(lasted > 250 && lasted < 2000, "%llu ms", (unsigned long long)lasted);
    cr_assert_eq(wire_answer(&w, &a, 1000), 408);
    wire_close(&w, &a);
    site_stop(s);
}

Test(deadlines, a_connection_that_says_nothing)
{
    struct site *s = site_start(LIMITS(.header_timeout_ms = 300, .idle_timeout_ms = 500));
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t started = wire_now_ms();

    wire_open(&w, s->port);
    cr_assert(wire_is_closed(&w, 2000), "or something was sent to it");
    cr_assert_lt(wire_now_ms() - started, 1500);
    wire_close(&w, NULL);
    wire_open(&w, s->port);
    wire_text(&w, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 1000), 200);
    started = wire_now_ms();
    cr_assert(wire_is_closed(&w, 2000));
    cr_assert_gt(wire_now_ms() - started, 350);
    cr_assert_lt(wire_now_ms() - started, 1500);
    wire_close(&w, &a);
    site_stop(s);
}

static void drip_body(struct site *s, const char *head, unsigned gone)
{
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t lasted;

    wire_open(&w, s->port);
    wire_text(&w, head);
    lasted = drip(&w, 'b', 3000);
    cr_assert(lasted > 250 && lasted < 2000, "%llu ms", (unsigned long long)lasted);
    cr_assert_eq(wire_answer(&w, &a, 1000), 408);
    site_wait(&s->gone, gone);
    wire_close(&w, &a);
}

Test(deadlines, bodies_that_drip)
{
    struct site *s = site_start(LIMITS(.body_timeout_ms = 400));

    drip_body(s, "POST /echo HTTP/1.1\r\nContent-Length: 100\r\n" END, 1);
    drip_body(s, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END "100\r\n", 2);
    wire_sleep(50);
    cr_assert_eq(atomic_load(&s->gone), 2);
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
}

/* A refused body that does not come: the answer is not withheld for ever. */
Test(deadlines, a_refused_body_that_drips)
{
    struct site *s = site_start(LIMITS(.body_timeout_ms = 400));
    struct wire_answer a = { 0 };
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "POST /refuse HTTP/1.1\r\nContent-Length: 100\r\n" END "a");
    cr_assert_eq(wire_answer(&w, &a, 2000), 401);
    cr_assert_str_eq(a.body, "refused");
    cr_assert(wire_is_closed(&w, 3000));
    wire_close(&w, &a);
    site_stop(s);
}

Test(deadlines, an_answer_that_does_not_come)
{
    struct site *s = site_start(LIMITS(.answer_timeout_ms = 300));
    struct wire_answer a = { 0 };
    struct wire w;
    uint64_t started = wire_now_ms();

    wire_open(&w, s->port);
    wire_text(&w, "GET /hold HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w, &a, 2000), 503);
    cr_assert(wire_header(&a, "retry-after"));
    cr_assert_gt(wire_now_ms() - started, 250);
    cr_assert_lt(wire_now_ms() - started, 1500);
    cr_assert_eq(atomic_load(&s->gone), 1);
    wire_text(&w, "GET /now HTTP/1.1\r\n" END); /* the connection is none the worse for it */
    cr_assert_eq(wire_answer(&w, &a, 2000), 200);
    wire_sleep(400);
    cr_assert_eq(atomic_load(&s->gone), 1);
    cr_assert_eq(site_open(s), 0);
    wire_close(&w, &a);
    site_stop(s);
}

/* How long a client that takes nothing keeps its exchange. */
static uint64_t never_read(struct site *s)
{
    uint64_t started = wire_now_ms();
    struct wire w;
    int small = 4096;

    wire_open(&w, s->port);
    setsockopt(w.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 20; i++) /* more than all buffers between us hold */
        wire_text(&w, "GET /big HTTP/1.1\r\n" END);
    site_wait(&s->ran, 1);
    while (site_open(s) > 0 && wire_now_ms() - started < 1500)
        wire_sleep(10);
    wire_close(&w, NULL);
    for (int i = 0; i < 500 && site_open(s) > 0; i++)
        wire_sleep(2);
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
    return wire_now_ms() - started;
}

Test(deadlines, an_answer_that_is_not_taken)
{
    struct site_options patient = { .limits = { .idle_timeout_ms = 300 } };
    struct site_options impatient = { .limits = { .idle_timeout_ms = 300 }, .least_bytes_per_ms = 10000 };

    cr_assert_lt(never_read(site_start(&impatient)), 1200);
    cr_assert_geq(never_read(site_start(&patient)), 1500); /* 1 MiB may take a minute */
}

/* ---- Clients that leave --------------------------------------------------------------------------------------------------------- */

Test(leaving, during_the_body)
{
    struct site *s = site_start(NULL);
    struct wire w;

    wire_open(&w, s->port);
    wire_text(&w, "POST /echo HTTP/1.1\r\nContent-Length: 100\r\n" END "abc");
    site_wait(&s->begun, 1);
    wire_close(&w, NULL);
    site_wait(&s->gone, 1);
    cr_assert_eq(atomic_load(&s->ran), 0);
    cr_assert_eq(site_open(s), 0);
    site_stop(s);
}

Test(leaving, while_suspended)
{
    struct site *s = site_start(NULL);
    struct wire w[3];
    struct linger reset = { 1, 0 };

    for (int i = 0; i < 3; i++) {
        wire_open(&w[i], s->port);
        wire_text(&w[i], "GET /hold HTTP/1.1\r\n" END);
    }
    site_wait(&s->ran, 3);
    wire_close(&w[0], NULL);
    setsockopt(w[1].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    wire_close(&w[1], NULL);
    site_wait(&s->gone, 2);
    wire_sleep(50);
    cr_assert_eq(atomic_load(&s->gone), 2);
    cr_assert_eq(site_open(s), 1);
    site_answer_held(s);
    wire_close(&w[2], NULL);
    wire_sleep(50);
    cr_assert_eq(site_open(s), 0);
    cr_assert_eq(atomic_load(&s->gone), 2);
    site_stop(s);
}

/* The answer comes before anybody has noticed that the client left: nobody is told. */
Test(leaving, just_before_the_answer)
{
    struct site *s = site_start(NULL);
    struct wire w;

    for (unsigned i = 1; i <= 20; i++) {
        wire_open(&w, s->port);
        wire_text(&w, "GET /later HTTP/1.1\r\n" END);
        site_wait(&s->ran, i);
        wire_close(&w, NULL);
    }
    wire_sleep(100);
    cr_assert_eq(site_open(s), 0);
    cr_assert_eq(atomic_load(&s->gone), 0);
    site_stop(s);
}

/* ---- Connections ------------------------------------------------------------------------------------------------------------------ */

Test(connections, in_all)
{
    struct site *s = site_start(LIMITS(.connections = 3));
    struct wire_answer a = { 0 };
    struct wire w[3], more;

    for (int i = 0; i < 3; i++)
        wire_open(&w[i], s->port);
    cr_assert_eq(wire_ask(s->port, "GET /now HTTP/1.1\r\n" END, &a), 503);
    cr_assert(wire_header(&a, "retry-after"));
    cr_assert_eq(wire_ask(s->port, "POST /now HTTP/1.1\r\nContent-Length: 3\r\n" END "abc", &a), 503);
    cr_assert_eq(atomic_load(&s->begun), 0);
    wire_open(&more, s->port);
    wire_text(&w[0], "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w[0], &a, 1000), 200);
    wire_close(&w[0], NULL);
    wire_sleep(50);
    /* It was one too many when it came, and that is what it is told. */
    wire_text(&more, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&more, &a, 1000), 503);
    cr_assert(wire_is_closed(&more, 1000));
    wire_close(&more, NULL);
    cr_assert_eq(wire_ask(s->port, "GET /now HTTP/1.1\r\n" END, &a), 200);
    wire_close(&w[1], NULL);
    wire_close(&w[2], &a);
    site_stop(s);
}

Test(connections, of_one_address)
{
    static const kanal_str proxies[] = { { "127.0.0.9", 9 } };
    struct site *s = site_start(&(struct site_options){
        .limits = { .connections_per_address = 2 }, .proxies = proxies, .proxy_count = 1 });
    struct wire_answer a = { 0 };
    struct wire w[4];

    wire_open_from(&w[0], s->port, "127.0.0.2");
    wire_open_from(&w[1], s->port, "127.0.0.2");
    wire_open_from(&w[2], s->port, "127.0.0.2");
    wire_open_from(&w[3], s->port, "127.0.0.3");
    wire_text(&w[2], "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w[2], &a, 1000), 429);
    cr_assert(wire_is_closed(&w[2], 1000));
    wire_text(&w[3], "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w[3], &a, 1000), 200);
    wire_text(&w[1], "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&w[1], &a, 1000), 200);
    for (int i = 0; i < 4; i++)
        wire_close(&w[i], NULL);
    wire_sleep(50);
    /* A trusted proxy is not one client. */
    for (int i = 0; i < 4; i++) {
        wire_open_from(&w[i], s->port, "127.0.0.9");
        wire_text(&w[i], "GET /now HTTP/1.1\r\n" END);
        cr_assert_eq(wire_answer(&w[i], &a, 1000), 200);
    }
    for (int i = 0; i < 4; i++)
        wire_close(&w[i], i == 0 ? &a : NULL);
    site_stop(s);
}

/* Only so many are told; beyond, a connection is closed without a word. None of them stays. */
Test(connections, a_flood_of_connections)
{
    struct site *s = site_start(LIMITS(.connections = 4, .header_timeout_ms = 300));
    struct wire_answer a = { 0 };
    static struct wire w[200];

    for (int i = 0; i < 200; i++)
        wire_open(&w[i], s->port);
    wire_sleep(700);
    cr_assert_eq(wire_ask(s->port, "GET /now HTTP/1.1\r\n" END, &a), 200);
    for (int i = 0; i < 200; i++) {
        cr_assert(wire_is_closed(&w[i], 100));
        wire_close(&w[i], NULL);
    }
    free(a.body);
    site_stop(s);
}

/* ---- The end ------------------------------------------------------------------------------------------------------------------------ */

Test(end, drain_closes_idle_connections_and_finishes_the_others)
{
    struct site *s = site_start(NULL);
    struct wire_answer a = { 0 };
    struct wire idle, held, body, refused;

    wire_open(&idle, s->port);
    wire_text(&idle, "GET /now HTTP/1.1\r\n" END);
    cr_assert_eq(wire_answer(&idle, &a, 1000), 200);
    wire_open(&held, s->port);
    wire_text(&held, "GET /hold HTTP/1.1\r\n" END);
    wire_open(&body, s->port);
    wire_text(&body, "POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" END "a");
    site_wait(&s->begun, 3);
    site_drain(s);
    cr_assert(wire_is_closed(&idle, 1500));
    refused.fd = socket(AF_INET, SOCK_STREAM, 0);
    {
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(s->port),
                                  .sin_addr = { htonl(INADDR_LOOPBACK) } };

        cr_assert(connect(refused.fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == ECONNREFUSED);
        close(refused.fd);
    }
    wire_text(&body, "bc");
    cr_assert_eq(wire_answer(&body, &a, 1000), 200);
    cr_assert_str_eq(wire_header(&a, "connection"), "close");
    cr_assert(wire_is_closed(&body, 1000));
    cr_assert_eq(site_open(s), 1);
    site_answer_held(s);
    cr_assert_eq(wire_answer(&held, &a, 1000), 200);
    cr_assert_str_eq(a.body, "held 0");
    cr_assert(wire_is_closed(&held, 1000));
    cr_assert_eq(site_open(s), 0);
    site_drain(s);
    wire_close(&idle, NULL);
    wire_close(&held, NULL);
    wire_close(&body, &a);
    site_stop(s);
}

Test(end, free_in_every_state)
{
    struct site *s = site_start(NULL);
    struct wire w[9];
    static const char *const texts[] = { "",
                                         "GET /n",
                                         "GET /now HTTP/1.1\r\nHost",
                                         "POST /echo HTTP/1.1\r\nContent-Length: 3\r\n" END "a",
                                         "POST /refuse HTTP/1.1\r\nContent-Length: 300000\r\n" END "a",
                                         "GET /hold HTTP/1.1\r\n" END,
                                         "GET /stream/slow HTTP/1.1\r\n" END,
                                         "GET /stream/stall HTTP/1.1\r\n" END,
                                         "GET /stream/endless HTTP/1.1\r\n" END };

    for (int i = 0; i < 9; i++) {
        wire_open(&w[i], s->port);
        wire_text(&w[i], texts[i]);
    }
    site_wait(&s->begun, 6);
    site_wait(&s->ran, 4);
    wire_sleep(50);
    site_stop(s);
    for (int i = 0; i < 9; i++)
        wire_close(&w[i], NULL);
}

static void free_inside(void *user, struct http_exchange *x, const struct http_request *r)
{
    struct http_server **server = user;

    (void)r;
    http_respond(x, 200, NULL, 0, KANAL_LIT("the last one"));
    http_server_free(*server);
    http_server_free(*server);
    *server = NULL;
}

static void free_in_gone(void *user, struct http_exchange *x)
{
    (void)user;
    (void)x;
    cr_assert_fail("the handler is not called any more");
}

static int64_t take_all(void *user, struct http_exchange *x, const struct http_request *r)
{
    (void)user;
    (void)x;
    (void)r;
    return 1000;
}

Test(end, free_inside_a_callback)
{
    static const struct http_handler handler = { take_all, free_inside, free_in_gone };
    struct http_server_options options = { .listen = "127.0.0.1:0" };
    struct http_server *server;
    struct wire w, other;
    uv_loop_t loop;

    uv_loop_init(&loop);
    cr_assert_eq(http_server_new(&server, &loop, &options, &handler, &server), 0);
    wire_open(&w, http_server_port(server));
    wire_open(&other, http_server_port(server));
    wire_text(&other, "POST / HTTP/1.1\r\nContent-Length: 5\r\n" END "ab");
    wire_text(&w, "GET / HTTP/1.1\r\n" END);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_null(server);
    cr_assert_eq(uv_loop_close(&loop), 0);
    wire_close(&w, NULL);
    wire_close(&other, NULL);
}

static int try_listen(const char *listen, const kanal_str *proxies, size_t count, int *ret_errno)
{
    struct http_server_options options = { .listen = listen,
                                           .trusted_proxies = proxies,
                                           .trusted_proxy_count = count };
    struct http_server *server = NULL;
    uv_loop_t loop;
    int status;

    uv_loop_init(&loop);
    errno = 0;
    status = http_server_new(&server, &loop, &options, &site_handler, NULL);
    *ret_errno = errno;
    cr_assert_eq(status == 0, server != NULL);
    if (server) {
        cr_assert_neq(http_server_port(server), 0);
        http_server_free(server);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
    return status;
}

Test(start, listen)
{
    static const char *const bad[] = {
        "",      "localhost:80", "127.0.0.1",    "127.0.0.1:",   "127.0.0.1:65536", ":80",    "::1:80",
        "[::1]", "[::1:80",      "127.0.0.1:-1", "127.0.0.1:8x", "[127.0.0.1]:1",   "[::1]80"
    };
    static const kanal_str proxies[] = { { "10.0.0.0/8", 10 }, { "nonsense", 8 } };
    struct site *s = site_start(NULL);
    char text[64];
    int error;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(try_listen(bad[i], NULL, 0, &error), KANAL_E_INVALID, "%s was accepted", bad[i]);
    cr_assert_eq(try_listen(NULL, NULL, 0, &error), KANAL_E_INVALID);
    cr_assert_eq(try_listen("127.0.0.1:0", proxies, 2, &error), KANAL_E_INVALID);
    cr_assert_eq(try_listen("127.0.0.1:0", proxies, 1, &error), 0);
    cr_assert_eq(try_listen("0.0.0.0:0", NULL, 0, &error), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", s->port);
    cr_assert_eq(try_listen(text, NULL, 0, &error), KANAL_E_NETWORK);
    cr_assert_eq(error, EADDRINUSE);
    cr_assert_eq(try_listen("192.0.2.1:0", NULL, 0, &error), KANAL_E_NETWORK);
    cr_assert_eq(error, EADDRNOTAVAIL);
    http_server_free(NULL);
    site_stop(s);
}

Test(start, ipv6_takes_ipv4_too)
{
    struct wire_answer a = { 0 };
    struct site *s;
    int error;

    if (try_listen("[::1]:0", NULL, 0, &error) == KANAL_E_NETWORK)
        cr_skip("no IPv6 here");
    s = site_start(&(struct site_options){ .listen = "[::]:0" });
    cr_assert_eq(wire_ask(s->port, "GET /echo HTTP/1.1\r\n" END, &a), 200);
    cr_assert(strstr(a.body, "remote=127.0.0.1\n"));
    free(a.body);
    site_stop(s);
}
