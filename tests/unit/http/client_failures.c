#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
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

TestSuite(failures, .init = setup, .fini = teardown, .timeout = 30);

/* A bound socket's port; nobody listens unless backlog is positive. */
static int bound_socket(int backlog, uint16_t *ret_port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    if (backlog >= 0)
        cr_assert_eq(listen(fd, backlog), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static char *url_of(uint16_t port)
{
    char *url = malloc(64);

    snprintf(url, 64, "http://127.0.0.1:%u/secret-path", (unsigned)port);
    return url;
}

static void post(unsigned timeout_ms)
{
    char *url = peer_url(rig.peer, "/");
    struct http_out out = { .method = KANAL_LIT("POST"),
                            .url = kanal_str_c(url),
                            .body = KANAL_LIT("hello"),
                            .timeout_ms = timeout_ms };

    answer_clear(&answer);
    rig_fetch_out(&rig, &out, &answer);
    free(url);
}

Test(failures, a_refused_connection_sent_nothing)
{
    uint16_t port;
    int fd = bound_socket(-1, &port);

    rig_fetch(&rig, "POST", url_of(port), "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_NETWORK);
    cr_assert_not(answer.has_in);
    cr_assert_neq(answer.message[0], '\0');
    cr_assert_null(strstr(answer.message, "secret-path"), "%s", answer.message);
    close(fd);
}

Test(failures, an_unknown_host_sent_nothing)
{
    rig_fetch(&rig, "POST", strdup("http://nonexistent.invalid/"), "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_NETWORK);
    cr_assert_not_null(strstr(answer.message, "nonexistent.invalid"), "%s", answer.message);
}

Test(failures, a_connection_that_does_not_come_about_times_out_unsent)
{
    uint16_t port;
    int fd = bound_socket(0, &port), fillers[8];
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct http_out out = { .method = KANAL_LIT("POST"), .timeout_ms = 200 };
    char *url = url_of(port);
    uint64_t start_ns = uv_hrtime();

    for (int i = 0; i < 8; i++) { /* a full backlog: further SYNs are dropped */
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    out.url = kanal_str_c(url);
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_TIMEOUT, "%d %s", answer.status, answer.message);
    cr_assert_geq((uv_hrtime() - start_ns) / 1000000, 190);
    cr_assert_lt((uv_hrtime() - start_ns) / 1000000, 2000);
    for (int i = 0; i < 8; i++)
        close(fillers[i]);
    close(fd);
    free(url);
}

static void answer_one(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    if (peer_read(conn, &request))
        peer_answer(conn, 200, "ok");
}

Test(failures, what_a_recycled_handle_sent_before_does_not_count)
{
    char *url;

    rig.peer = peer_start(answer_one, NULL, NULL);
    url = peer_url(rig.peer, "/");
    post(1000);
    cr_assert_eq(answer.status, KANAL_OK);
    answer_clear(&answer);
    peer_stop(rig.peer);
    rig.peer = NULL;
    rig_fetch(&rig, "POST", url, "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_NETWORK, "%d %s", answer.status, answer.message);
}

static void silent(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request))
        ;
}

Test(failures, no_answer_in_time_is_maybe)
{
    rig.peer = peer_start(silent, NULL, NULL);
    post(500);
    cr_assert_eq(answer.status, KANAL_E_MAYBE);
    cr_assert_not_null(strstr(answer.message, "500 ms"), "%s", answer.message);
    cr_assert_eq(peer_requests(rig.peer), 1);
}

Test(failures, what_waited_for_a_connection_was_not_sent)
{
    struct http_client_options one = { .connections_per_host = 1 };
    struct answer first = { 0 }, second = { 0 };
    struct http_out out = { .method = KANAL_LIT("POST"), .timeout_ms = 1000 };
    char *url;

    teardown();
    rig_open(&rig, &one);
    rig.peer = peer_start(silent, NULL, NULL);
    url = peer_url(rig.peer, "/");
    out.url = kanal_str_c(url);
    http_client_send(rig.client, &out, answer_take, &first);
    out.timeout_ms = 700;
    http_client_send(rig.client, &out, answer_take, &second);
    answer_wait(&rig, &second);
    answer_wait(&rig, &first);
    cr_assert_eq(first.status, KANAL_E_MAYBE);
    cr_assert_eq(second.status, KANAL_E_TIMEOUT);
    cr_assert_eq(peer_connections(rig.peer), 1);
    free(url);
}

/* What the peer does with a connection, chosen by the test. */
static void misbehave(struct peer_conn *conn, void *user)
{
    const char *how = user;
    struct peer_request request;

    if (strcmp(how, "drop at once") == 0)
        return;
    if (strcmp(how, "reset at once") == 0) {
        peer_reset(conn);
        return;
    }
    if (!peer_read(conn, &request))
        return;
    if (strcmp(how, "reset") == 0)
        peer_reset(conn);
    else if (strcmp(how, "drop") != 0)
        peer_text(conn, "%s", how);
}

static void maybe(const char *how)
{
    rig.peer = peer_start(misbehave, (void *)how, NULL);
    post(5000);
    cr_assert_eq(answer.status, KANAL_E_MAYBE, "%s: %d %s", how, answer.status, answer.message);
    cr_assert_not(answer.has_in);
    cr_assert_leq(peer_requests(rig.peer), 1, "%s", how);
    cr_assert_eq(peer_connections(rig.peer), 1, "%s", how);
    peer_stop(rig.peer);
    rig.peer = NULL;
}

Test(failures, no_whole_answer_is_maybe)
{
    maybe("drop at once");
    maybe("drop");
    maybe("reset");
    maybe("HTTP/1.1 200 OK\r\nContent-Le");
    maybe("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    maybe("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    maybe("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n");
    maybe("SSH-2.0-OpenSSH_9.2\r\n");
    maybe("HTTP/1.1 200 OK\r\nContent-Length: minus\r\nContent-Length: 7\r\n\r\n");
}

Test(failures, a_reset_before_the_request_is_one_or_the_other)
{
    rig.peer = peer_start(misbehave, "reset at once", NULL);
    post(5000);
    cr_assert(answer.status == KANAL_E_MAYBE || answer.status == KANAL_E_NETWORK, "%d", answer.status);
}

static void drip(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    if (!peer_read(conn, &request))
        return;
    peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (peer_text(conn, "x") == 0)
        peer_sleep_ms(10);
}

Test(failures, a_dripping_answer_ends_at_the_deadline)
{
    rig.peer = peer_start(drip, NULL, NULL);
    post(500);
    cr_assert_eq(answer.status, KANAL_E_MAYBE);
}

/* ---- Sizes ---- */

static void huge(struct peer_conn *conn, void *user)
{
    const char *how = user;
    struct peer_request request;
    char line[1024];

    if (!peer_read(conn, &request))
        return;
    memset(line, 'x', sizeof line);
    if (strcmp(how, "length") == 0) {
        peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n");
        peer_sleep_ms(3000);
    } else if (strcmp(how, "body") == 0) {
        peer_text(conn, "HTTP/1.1 200 OK\r\n\r\n");
        while (peer_write(conn, line, sizeof line) == 0)
            ;
    } else if (strcmp(how, "headers") == 0) {
        peer_text(conn, "HTTP/1.1 200 OK\r\n");
        memcpy(line, "X-Long: ", 8);
        memcpy(line + sizeof line - 2, "\r\n", 2);
        while (peer_write(conn, line, sizeof line) == 0)
            ;
    } else if (strcmp(how, "line") == 0) {
        peer_text(conn, "HTTP/1.1 200 OK\r\nX-Long: ");
        while (peer_write(conn, line, sizeof line) == 0)
            ;
    }
}

static void too_large(const char *how, const char *word)
{
    rig.peer = peer_start(huge, (void *)how, NULL);
    post(2500);
    cr_assert_eq(answer.status, KANAL_E_TOO_LARGE, "%s: %d %s", how, answer.status, answer.message);
    cr_assert_not_null(strstr(answer.message, word), "%s", answer.message);
    peer_stop(rig.peer);
    rig.peer = NULL;
}

Test(failures, an_endless_body)
{
    too_large("body", "body");
}

Test(failures, endless_headers)
{
    too_large("headers", "header");
}

Test(failures, an_endless_header_line)
{
    rig.peer = peer_start(huge, "line", NULL);
    post(2500);
    cr_assert_eq(answer.status, KANAL_E_TOO_LARGE, "%d %s", answer.status, answer.message);
}

static void exact(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request))
        peer_answer(conn, 200, "12345");
}

Test(failures, the_limit_itself_is_not_too_large)
{
    struct http_out out = { .method = KANAL_LIT("GET"), .max_response = 5 };
    char *url;

    rig.peer = peer_start(exact, NULL, NULL);
    url = peer_url(rig.peer, "/");
    out.url = kanal_str_c(url);
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_OK);
    answer_clear(&answer);
    out.max_response = 4;
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_TOO_LARGE);
    free(url);
}

/* ---- Kept connections that die ---- */

/* The first connection answers once and drops the second request, read; later ones answer always. */
static void drop_second(struct peer_conn *conn, void *user)
{
    atomic_int *connections = user;
    struct peer_request request;
    int first = atomic_fetch_add(connections, 1) == 0;

    for (int i = 0; peer_read(conn, &request) && !(first && i == 1); i++)
        peer_answer(conn, 200, "ok");
}

static void second_on_a_dying_connection(const char *method)
{
    atomic_int connections = 0;

    rig.peer = peer_start(drop_second, &connections, NULL);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(answer.status, KANAL_OK);
    answer_clear(&answer);
    rig_fetch(&rig, method, peer_url(rig.peer, "/"), NULL, &answer);
}

Test(failures, a_post_that_was_sent_is_never_sent_again)
{
    second_on_a_dying_connection("POST");
    cr_assert_eq(answer.status, KANAL_E_MAYBE, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_requests(rig.peer), 2, "the peer saw it more than once");
    cr_assert_eq(peer_connections(rig.peer), 1);
}

Test(failures, a_patch_neither)
{
    second_on_a_dying_connection("PATCH");
    cr_assert_eq(answer.status, KANAL_E_MAYBE);
    cr_assert_eq(peer_requests(rig.peer), 2);
}

Test(failures, an_idempotent_request_is_sent_again)
{
    second_on_a_dying_connection("PUT");
    cr_assert_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_requests(rig.peer), 3);
    cr_assert_eq(peer_connections(rig.peer), 2);
}

Test(failures, a_connection_that_was_closed_meanwhile_is_not_used)
{
    rig.peer = peer_start(answer_one, NULL, NULL);
    for (unsigned i = 1; i <= 5; i++) {
        post(2000);
        cr_assert_eq(answer.status, KANAL_OK, "%s", answer.message);
        cr_assert_eq(peer_connections(rig.peer), i);
        rig_turn_ms(&rig, 30);
    }
    cr_assert_eq(peer_requests(rig.peer), 5);
}

/* ---- Uploads ---- */

static void answer_early(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    if (!peer_read_head(conn, &request))
        return;
    peer_text(conn, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
    peer_sleep_ms(300);
}

static void read_slowly(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    if (!peer_read_head(conn, &request))
        return;
    peer_sleep_ms(1500); /* the socket's buffers are full long before */
    peer_read(conn, &request);
    peer_answer(conn, 200, "ok");
}

static void upload(peer_fn *serve, unsigned timeout_ms)
{
    size_t len = 8u << 20;
    char *body = calloc(1, len), *url;
    struct http_out out = { .method = KANAL_LIT("POST"), .timeout_ms = timeout_ms };

    rig.peer = peer_start(serve, NULL, NULL);
    url = peer_url(rig.peer, "/");
    out.url = kanal_str_c(url);
    out.body = kanal_str_of(body, len);
    rig_fetch_out(&rig, &out, &answer);
    free(url);
    free(body);
}

Test(failures, an_answer_before_the_body_was_read_counts)
{
    upload(answer_early, 5000);
    cr_assert_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_assert_eq(answer.code, 413);
    cr_assert_str_eq(answer.body, "big");
}

Test(failures, half_an_upload_is_maybe)
{
    upload(read_slowly, 1000);
    cr_assert_eq(answer.status, KANAL_E_MAYBE);
}
