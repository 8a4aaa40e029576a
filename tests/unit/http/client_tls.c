#include <criterion/criterion.h>
#include <stdio.h>
#include "client_rig.h"

static struct rig rig;
static struct answer answer;
static struct peer_tls files, foreign;

static void open_with(const char *ca_file)
{
    struct http_client_options options = { .ca_file = ca_file };

    rig_open(&rig, &options);
}

static void setup(void)
{
    peer_tls_make(&files);
    peer_tls_make(&foreign);
    open_with(files.ca_file);
}

static void teardown(void)
{
    answer_clear(&answer);
    rig_close(&rig);
    peer_tls_remove(&files);
    peer_tls_remove(&foreign);
}

TestSuite(tls, .init = setup, .fini = teardown, .timeout = 30);

/* Answers; what is POSTed to /drop is read and dropped. */
static void serve(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request) && strncmp(request.head, "POST /drop", 10) != 0)
        peer_answer(conn, 200, strncmp(request.head, "GET /close", 10) == 0 ? "close" : "ok");
}

static void serve_one(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    if (peer_read(conn, &request))
        peer_text(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
}

Test(tls, a_trusted_server_answers_on_one_connection)
{
    rig.peer = peer_start(serve, NULL, &files);
    for (int i = 0; i < 5; i++) {
        rig_fetch(&rig, "POST", peer_url(rig.peer, "/"), "x", &answer);
        cr_assert_eq(answer.status, KANAL_OK, "%s", answer.message);
        cr_assert_str_eq(answer.body, "ok");
        answer_clear(&answer);
    }
    cr_assert_eq(peer_connections(rig.peer), 1);
}

/* Also on a handle that has never seen the server: the one that has is taken by another request. */
Test(tls, every_further_connection_resumes_the_session)
{
    rig.peer = peer_start(serve_one, NULL, &files);
    for (unsigned i = 0; i < 3; i++) {
        struct http_out other = { .method = KANAL_LIT("GET"), .url = KANAL_LIT("http://127.0.0.1:1/") };
        struct answer refused = { 0 };
        http_client_send(rig.client, &other, answer_take, &refused);
        rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
        cr_assert_eq(answer.status, KANAL_OK, "%s", answer.message);
        answer_clear(&answer);
        answer_wait(&rig, &refused);
    }
    cr_assert_eq(peer_connections(rig.peer), 3);
    cr_assert_eq(peer_resumed(rig.peer), 2);
}

static void nothing_left(void)
{
    rig_fetch(&rig, "POST", peer_url(rig.peer, "/"), "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_NETWORK, "%d %s", answer.status, answer.message);
    cr_assert_neq(answer.message[0], '\0');
    cr_assert_eq(peer_requests(rig.peer), 0);
}

Test(tls, a_foreign_certificate_is_refused)
{
    rig.peer = peer_start(serve, NULL, &foreign);
    nothing_left();
}

Test(tls, a_certificate_that_the_system_does_not_know_is_refused)
{
    rig_close(&rig);
    open_with(NULL);
    rig.peer = peer_start(serve, NULL, &files);
    nothing_left();
}

static void plain(struct peer_conn *conn, void *user)
{
    (void)user;
    peer_text(conn, "HTTP/1.1 400 This is no TLS\r\n\r\n");
}

Test(tls, a_server_without_tls_gets_nothing)
{
    char url[64];

    rig.peer = peer_start(plain, NULL, NULL);
    snprintf(url, sizeof url, "https://127.0.0.1:%u/", (unsigned)peer_port(rig.peer));
    rig_fetch(&rig, "POST", strdup(url), "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_NETWORK, "%d %s", answer.status, answer.message);
}

Test(tls, a_dropped_request_is_maybe)
{
    rig.peer = peer_start(serve, NULL, &files);
    rig_fetch(&rig, "POST", peer_url(rig.peer, "/drop"), "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_MAYBE, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_requests(rig.peer), 1);
}

Test(tls, a_post_on_a_kept_connection_is_never_sent_again)
{
    rig.peer = peer_start(serve, NULL, &files);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/"), NULL, &answer);
    cr_assert_eq(answer.status, KANAL_OK);
    answer_clear(&answer);
    rig_fetch(&rig, "POST", peer_url(rig.peer, "/drop"), "x", &answer);
    cr_assert_eq(answer.status, KANAL_E_MAYBE, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_requests(rig.peer), 2);
    cr_assert_eq(peer_connections(rig.peer), 1);
}
