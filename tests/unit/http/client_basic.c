#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include "client_rig.h"

static struct rig rig;
static struct answer answer;

static void setup(void)
{
    rig_open(&rig, NULL);
}

static void teardown(void)
{
    answer_clear(&answer);
    rig_close(&rig);
}

TestSuite(client, .init = setup, .fini = teardown, .timeout = 30);

/* Answers every request with itself. */
static void echo(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request)) {
        peer_text(conn, "HTTP/1.1 200 OK\r\nX-Mixed-Case: Value\r\nContent-Length: %zu\r\n\r\n",
                  request.head_len + request.body_len);
        peer_write(conn, request.head, request.head_len);
        peer_write(conn, request.body, request.body_len);
    }
}

static int head_has(const char *line)
{
    char *found = answer.body ? strcasestr(answer.body, line) : NULL;

    return found != NULL;
}

Test(client, a_post_arrives_as_it_was_given)
{
    kanal_field headers[] = { { KANAL_LIT("X-One"), KANAL_LIT("1") },
                              { KANAL_LIT("Content-Type"), KANAL_LIT("application/json") },
                              { KANAL_LIT("X-Empty"), KANAL_LIT("") } };
    struct http_out out = {
        .method = KANAL_LIT("POST"), .headers = headers, .header_count = 3, .body = KANAL_LIT("{\"a\":1}")
    };
    char *url;

    rig.peer = peer_start(echo, NULL, NULL);
    url = peer_url(rig.peer, "/a/../b?c=d#fragment");
    out.url = kanal_str_c(url);
    rig_fetch_out(&rig, &out, &answer);
    free(url);
    cr_assert_eq(answer.status, KANAL_OK);
    cr_assert_eq(answer.code, 200);
    cr_assert_str_eq(answer.message, "");
    cr_assert(kanal_str_starts(kanal_str_c(answer.body), "POST /a/../b?c=d HTTP/1.1\r\n"), "%s", answer.body);
    cr_assert(head_has("\r\nX-One: 1\r\n"));
    cr_assert(head_has("\r\nX-Empty:\r\n"));
    cr_assert(head_has("\r\nContent-Type: application/json\r\n"));
    cr_assert(head_has("\r\nContent-Length: 7\r\n"));
    cr_assert(head_has("\r\nUser-Agent: kanal/"));
    cr_assert(head_has("\r\n\r\n{\"a\":1}"));
    cr_assert_not(head_has("expect:"));
    cr_assert_not(head_has("accept-encoding:"));
    cr_assert_not(head_has("cookie:"));
    cr_assert_eq(answer.header_count, 2);
    cr_assert(kanal_str_starts(kanal_str_c(answer.headers), "x-mixed-case: Value\ncontent-length: "), "%s",
              answer.headers);
}

static void one_method(const char *method, const char *body, const char *first, int has_length)
{
    struct answer one;

    rig_fetch(&rig, method, peer_url(rig.peer, "/m"), body, &one);
    cr_assert_eq(one.status, KANAL_OK, "%s: %s", method, one.message);
    if (first) {
        cr_assert(kanal_str_starts(kanal_str_c(one.body), first), "%s", one.body);
        cr_assert_eq(strcasestr(one.body, "content-length:") != NULL, has_length, "%s", one.body);
        cr_assert_null(strcasestr(one.body, "content-type:"), "%s", one.body);
        cr_assert_str_eq(one.body + one.body_len - strlen(body), body);
    }
    answer_clear(&one);
}

Test(client, every_method_in_any_order_on_recycled_handles)
{
    rig.peer = peer_start(echo, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        one_method("GET", "", "GET /m HTTP/1.1\r\n", 0);
        one_method("POST", "abc", "POST /m HTTP/1.1\r\n", 1);
        one_method("PUT", "defg", "PUT /m HTTP/1.1\r\n", 1);
        one_method("GET", "", "GET /m HTTP/1.1\r\n", 0);
        one_method("DELETE", "", "DELETE /m HTTP/1.1\r\n", 0);
        one_method("POST", "", "POST /m HTTP/1.1\r\n", 1);
        one_method("DELETE", "x", "DELETE /m HTTP/1.1\r\n", 1);
        one_method("PATCH", "", "PATCH /m HTTP/1.1\r\n", 1);
        one_method("OPTIONS", "", "OPTIONS /m HTTP/1.1\r\n", 0);
        one_method("GET", "q", "GET /m HTTP/1.1\r\n", 1);
    }
    cr_assert_eq(peer_connections(rig.peer), 1, "a kept connection is used again");
}

static void headless(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request)) {
        int is_head = strncmp(request.head, "HEAD ", 5) == 0;
        peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", is_head ? "" : "hello");
    }
}

Test(client, a_head_has_no_body_and_the_next_get_has_one)
{
    rig.peer = peer_start(headless, NULL, NULL);
    rig_fetch(&rig, "HEAD", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(answer.status, KANAL_OK);
    cr_assert_eq(answer.body_len, 0);
    answer_clear(&answer);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_str_eq(answer.body, "hello");
    cr_assert_eq(peer_connections(rig.peer), 1);
}

static void fail_500(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request))
        peer_text(conn, "HTTP/1.1 500 Oops\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nno");
}

Test(client, any_code_is_an_answer)
{
    rig.peer = peer_start(fail_500, NULL, NULL);
    rig_fetch(&rig, "POST", peer_url(rig.peer, "/"), "x", &answer);
    cr_assert_eq(answer.status, KANAL_OK);
    cr_assert_eq(answer.code, 500);
    cr_assert_str_eq(answer.body, "no");
    cr_assert_not_null(strstr(answer.headers, "retry-after: 7\n"));
}

static void redirect(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request))
        peer_text(conn, "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nSet-Cookie: "
                        "a=b\r\nContent-Length: 0\r\n\r\n");
}

Test(client, redirects_are_answers_and_cookies_are_not_kept)
{
    rig.peer = peer_start(redirect, NULL, NULL);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(answer.code, 302);
    cr_assert_not_null(strstr(answer.headers, "location: http://127.0.0.1:1/\n"));
    answer_clear(&answer);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(answer.code, 302);
    cr_assert_eq(peer_requests(rig.peer), 2);
}

static void chunked(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request)) {
        peer_text(
            conn,
            "HTTP/1.1 103 Early\r\nLink: l\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        peer_text(conn, "3\r\nabc\r\n");
        peer_sleep_ms(5);
        peer_text(conn, "2\r\nde\r\n0\r\nTrailer: t\r\n\r\n");
    }
}

Test(client, chunked_answers_with_interim_heads_and_trailers)
{
    rig.peer = peer_start(chunked, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
        cr_assert_eq(answer.status, KANAL_OK);
        cr_assert_str_eq(answer.body, "abcde");
        cr_assert_eq(answer.header_count, 1);
        answer_clear(&answer);
    }
    cr_assert_eq(peer_connections(rig.peer), 1);
}

Test(client, a_large_body_goes_out_whole_and_without_asking)
{
    size_t len = 3u << 20;
    char *body = malloc(len);
    struct http_out out = { .method = KANAL_LIT("POST"), .max_response = 8u << 20 };
    char *url;

    for (size_t i = 0; i < len; i++)
        body[i] = (char)(i * 7 + (i >> 12));
    rig.peer = peer_start(echo, NULL, NULL);
    url = peer_url(rig.peer, "/");
    out.url = kanal_str_c(url);
    out.body = kanal_str_of(body, len);
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_OK, "%s", answer.message);
    cr_assert_geq(answer.body_len, len);
    cr_assert_eq(memcmp(answer.body + answer.body_len - len, body, len), 0);
    cr_assert_not(head_has("expect:"));
    free(url);
    free(body);
}

#define PARALLEL 200
static struct answer parallel[PARALLEL];

Test(client, two_hundred_at_once_on_at_most_64_connections)
{
    char url[96], body[32];

    rig.peer = peer_start(echo, NULL, NULL);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", (unsigned)peer_port(rig.peer));
    for (int i = 0; i < PARALLEL; i++) {
        snprintf(body, sizeof body, "<%d>", i);
        struct http_out out = { .method = KANAL_LIT("POST"),
                                .url = kanal_str_c(url),
                                .body = kanal_str_c(body) };
        cr_assert_not_null(http_client_send(rig.client, &out, answer_take, &parallel[i]));
    }
    cr_assert_eq(http_client_pending(rig.client), PARALLEL);
    for (int i = 0; i < PARALLEL; i++) {
        answer_wait(&rig, &parallel[i]);
        snprintf(body, sizeof body, "<%d>", i);
        cr_assert_eq(parallel[i].status, KANAL_OK, "%s", parallel[i].message);
        cr_assert_str_eq(strchr(parallel[i].body, '<'), body);
        answer_clear(&parallel[i]);
    }
    cr_assert_eq(http_client_pending(rig.client), 0);
    cr_assert_leq(peer_connections(rig.peer), 64);
    cr_assert_gt(peer_connections(rig.peer), 1);
}

struct chain {
    char url[96];
    int left;
    struct answer last;
};

static void on_chain(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct chain *chain = user;
    struct http_out out = { .method = KANAL_LIT("GET"), .url = kanal_str_c(chain->url) };

    cr_assert_eq(status, KANAL_OK);
    if (--chain->left > 0)
        cr_assert_not_null(http_client_send(rig.client, &out, on_chain, chain));
    else
        answer_take(&chain->last, status, in, message);
}

Test(client, done_may_send_the_next)
{
    struct chain chain = { .left = 50 };
    struct http_out out = { .method = KANAL_LIT("GET"), .url = { 0 } };

    rig.peer = peer_start(echo, NULL, NULL);
    snprintf(chain.url, sizeof chain.url, "http://127.0.0.1:%u/", (unsigned)peer_port(rig.peer));
    out.url = kanal_str_c(chain.url);
    cr_assert_not_null(http_client_send(rig.client, &out, on_chain, &chain));
    answer_wait(&rig, &chain.last);
    answer_clear(&chain.last);
    cr_assert_eq(peer_requests(rig.peer), 50);
    cr_assert_eq(peer_connections(rig.peer), 1);
}

static void refused(kanal_str method, kanal_str url, const kanal_field *headers, size_t count,
                    const char *word)
{
    struct http_out out = { .method = method, .url = url, .headers = headers, .header_count = count };

    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_INVALID, "%.*s: %d", (int)url.len, url.ptr, answer.status);
    cr_assert_not(answer.has_in);
    cr_assert_not_null(strstr(answer.message, word), "%s", answer.message);
    answer_clear(&answer);
}

Test(client, malformed_requests_end_in_the_next_turn)
{
    kanal_str get = KANAL_LIT("GET"), url = KANAL_LIT("http://127.0.0.1:1/");
    static char long_url[9000] = "http://127.0.0.1:1/";
    kanal_field bad[] = { { KANAL_LIT("A B"), KANAL_LIT("c") },
                          { KANAL_LIT("A"), KANAL_LIT("b\r\nX: y") },
                          { KANAL_LIT("A"), KANAL_LIT("b\0c") },
                          { KANAL_LIT(""), KANAL_LIT("c") },
                          { KANAL_LIT("Host"), KANAL_LIT("other") },
                          { KANAL_LIT("transfer-encoding"), KANAL_LIT("chunked") },
                          { KANAL_LIT("Content-Length"), KANAL_LIT("1") } };

    memset(long_url + 19, 'a', sizeof long_url - 19);
    refused(get, KANAL_LIT("ftp://127.0.0.1/"), NULL, 0, "neither http");
    refused(get, KANAL_LIT("file:///etc/passwd"), NULL, 0, "http");
    refused(get, KANAL_LIT("127.0.0.1/"), NULL, 0, "http");
    refused(get, KANAL_LIT(""), NULL, 0, "http");
    refused(get, kanal_str_of(NULL, 0), NULL, 0, "http");
    refused(get, KANAL_LIT("http://127.0.0.1:1/a b"), NULL, 0, "space");
    refused(get, KANAL_LIT("http://127.0.0.1:1/a\tb"), NULL, 0, "control");
    refused(get, KANAL_LIT("http://127.0.0.1:1/\r\nX: y"), NULL, 0, "control");
    refused(get, KANAL_LIT("http://127.0.0.1:1/\0x"), NULL, 0, "control");
    refused(get, kanal_str_of(long_url, sizeof long_url), NULL, 0, "8 KiB");
    refused(get, KANAL_LIT("http://127.0.0.1:99999/"), NULL, 0, "");
    refused(get, KANAL_LIT("http:///nohost"), NULL, 0, "host");
    refused(get, KANAL_LIT("http://"), NULL, 0, "host");
    refused(get, KANAL_LIT("http://granted.example@127.0.0.1:1/"), NULL, 0, "host");
    refused(get, KANAL_LIT("http://127.0.0.1:1\\@granted.example/"), NULL, 0, "host");
    refused(get, KANAL_LIT("http://%31%32%37.0.0.1:1/"), NULL, 0, "host");
    refused(KANAL_LIT("GET /"), url, NULL, 0, "method");
    refused(KANAL_LIT(""), url, NULL, 0, "method");
    refused(KANAL_LIT("CONNECT"), url, NULL, 0, "method");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refused(get, url, &bad[i], 1, "header");
}

Test(client, cancel_ends_soon_and_once)
{
    struct http_out out = { .method = KANAL_LIT("GET"), .url = KANAL_LIT("http://127.0.0.1:1/") };
    struct http_call *call = http_client_send(rig.client, &out, answer_take, &answer);

    http_call_cancel(call);
    http_call_cancel(call);
    cr_assert_eq(answer.calls, 0);
    answer_wait(&rig, &answer);
    cr_assert_eq(answer.status, KANAL_E_CANCELLED);
}

static void silent(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request))
        ;
}

Test(client, cancel_under_way)
{
    struct http_out out = { .method = KANAL_LIT("GET") };
    struct http_call *call;
    char *url;

    rig.peer = peer_start(silent, NULL, NULL);
    url = peer_url(rig.peer, "/");
    out.url = kanal_str_c(url);
    call = http_client_send(rig.client, &out, answer_take, &answer);
    rig_until_requests(&rig, 1);
    http_call_cancel(call);
    answer_wait(&rig, &answer);
    cr_assert_eq(answer.status, KANAL_E_CANCELLED);
    free(url);
}

Test(client, free_cancels_what_is_under_way)
{
    struct answer answers[80] = { 0 };
    struct http_out out = { .method = KANAL_LIT("GET") };
    char *url;

    rig.peer = peer_start(silent, NULL, NULL);
    url = peer_url(rig.peer, "/");
    out.url = kanal_str_c(url);
    for (int i = 0; i < 80; i++) /* more than the connections to one host: some still wait */
        http_client_send(rig.client, &out, answer_take, &answers[i]);
    rig_until_requests(&rig, 64);
    http_client_send(rig.client, &out, answer_take, &answer); /* not even started */
    http_client_free(rig.client);
    rig.client = NULL;
    cr_assert_eq(answer.calls, 1);
    cr_assert_eq(answer.status, KANAL_E_CANCELLED);
    for (int i = 0; i < 80; i++) {
        cr_assert_eq(answers[i].calls, 1);
        cr_assert_eq(answers[i].status, KANAL_E_CANCELLED);
    }
    free(url);
}

Test(client, the_environments_proxy_is_not_used)
{
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
    rig.peer = peer_start(echo, NULL, NULL);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(answer.status, KANAL_OK);
}

Test(client, kept_connections_do_not_keep_the_loop_alive)
{
    rig.peer = peer_start(echo, NULL, NULL);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(uv_run(&rig.loop, UV_RUN_DEFAULT), 0);
}

/* Workers and the embedded broker are started from this process. */
Test(client, sockets_are_not_inherited)
{
    int seen = 0;

    rig.peer = peer_start(echo, NULL, NULL);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    for (int fd = 3; fd < 256; fd++) {
        struct sockaddr_in address;
        socklen_t len = sizeof address;
        if (getpeername(fd, (struct sockaddr *)&address, &len) != 0 ||
            ntohs(address.sin_port) != peer_port(rig.peer))
            continue;
        seen++;
        cr_assert_neq(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    cr_assert_eq(seen, 1);
}
