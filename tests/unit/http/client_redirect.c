/* Redirects of streams: each asked about, few, without the headers where they lead elsewhere. */
#include <criterion/criterion.h>
#include <arpa/inet.h>
#include <stdio.h>
#include "client_rig.h"
#include "http/client_private.h"

static struct rig rig;
static struct peer *other; /* another origin */
static struct answer answer;

struct story { /* what the redirect callback was asked, and says */
    int asked, refuse_at;
    char urls[16][256];
    uint16_t denied_port; /* allow() refuses it after the first redirect */
    char heads[4096];     /* of every request, as the peers saw them */
    char body[64];
    int shown_code, heads_shown;
};

static struct story story;

static void setup(void)
{
    memset(&story, 0, sizeof story);
    rig_open(&rig, NULL);
}

static void teardown(void)
{
    answer_clear(&answer);
    if (other)
        peer_stop(other);
    other = NULL;
    rig_close(&rig);
}

TestSuite(redirect, .init = setup, .fini = teardown, .timeout = 30);

static void add(char *text, size_t size, const char *more, size_t len)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%.*s", (int)len, more);
}

/* "/to/CODE/REST" redirects to REST, "/loop" to itself, "/flood" with a body without end, "/bare" to nowhere. */
static void serve(struct peer_conn *conn, void *user)
{
    struct peer_request request;
    char path[1024] = "", location[1024];
    int code;

    (void)user;
    while (peer_read(conn, &request)) {
        add(story.heads, sizeof story.heads, request.head, request.head_len);
        sscanf(request.head, "GET %1000s", path);
        if (sscanf(path, "/to/%d/%1000s", &code, location) == 2)
            peer_text(conn, "HTTP/1.1 %d x\r\nLocation: %s\r\nContent-Length: 4\r\n\r\ngone", code, location);
        else if (strcmp(path, "/loop") == 0)
            peer_text(conn, "HTTP/1.1 302 x\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
        else if (strcmp(path, "/bare") == 0)
            peer_text(conn, "HTTP/1.1 302 x\r\nContent-Length: 0\r\n\r\n");
        else if (strcmp(path, "/flood") == 0) {
            peer_text(conn, "HTTP/1.1 302 x\r\nLocation: /end\r\n\r\n");
            while (peer_text(conn, "%01000d", 0) == 0)
                ;
            return;
        } else
            peer_answer(conn, 200, "the file");
    }
}

static int on_redirect(void *user, kanal_str url, void **ret_user)
{
    struct story *s = user;
    (void)ret_user;
    snprintf(s->urls[s->asked % 16], sizeof s->urls[0], "%.*s", (int)url.len, url.ptr);
    return ++s->asked != s->refuse_at;
}

static int on_allow(void *user, const struct sockaddr *address)
{
    const struct story *s = user;
    return s->asked == 0 ||
           ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port) != s->denied_port;
}

static void on_head(void *user, const struct http_in *in)
{
    (void)user;
    story.heads_shown++;
    story.shown_code = in->code;
}

static int on_data(void *user, kanal_str piece)
{
    (void)user;
    add(story.body, sizeof story.body, piece.ptr, piece.len);
    return 0;
}

static void fetch(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fetch(const char *format, ...)
{
    static const struct http_stream_sink sink = { on_head, on_data };
    kanal_field headers[] = { { KANAL_LIT("Authorization"), KANAL_LIT("Bearer secret") },
                              { KANAL_LIT("X-Key"), KANAL_LIT("k") } };
    char path[512];
    va_list arguments;

    if (!rig.peer)
        rig.peer = peer_start(serve, NULL, NULL);
    if (!other)
        other = peer_start(serve, NULL, NULL);
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    char *url = peer_url(rig.peer, path);
    struct http_out out = { .method = KANAL_LIT("GET"),
                            .url = kanal_str_c(url),
                            .headers = headers,
                            .header_count = 2,
                            .timeout_ms = 5000,
                            .allow = on_allow,
                            .allow_user = &story,
                            .redirects = 3,
                            .redirect = on_redirect };
    answer_clear(&answer);
    cr_assert_not_null(http_client_stream(rig.client, &out, &sink, answer_take, &answer));
    answer_wait(&rig, &answer);
    free(url);
}

static unsigned times(const char *text)
{
    unsigned count = 0;
    for (const char *at = story.heads; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

Test(redirect, is_followed_and_only_the_end_is_shown)
{
    static const int codes[] = { 301, 302, 303, 307, 308 };
    for (size_t i = 0; i < 5; i++) {
        memset(&story, 0, sizeof story);
        fetch("/to/%d//end#top", codes[i]);
        cr_expect_eq(answer.status, KANAL_OK, "%d: %d %s", codes[i], answer.status, answer.message);
        cr_expect_eq(story.shown_code, 200);
        cr_expect_eq(story.heads_shown, 1);
        cr_expect_str_eq(story.body, "the file");
        cr_expect_eq(story.asked, 1);
        cr_expect(strstr(story.urls[0], "/end") && !strchr(story.urls[0], '#'), "%s", story.urls[0]);
        cr_expect_eq(times("Authorization: Bearer secret"), 2, "to the same origin the headers go along");
    }
}

Test(redirect, to_another_origin_no_header_goes_along)
{
    fetch("/start"); /* starts the peers */
    memset(&story, 0, sizeof story);
    fetch("/to/302/http://127.0.0.1:%u/end", peer_port(other));
    cr_expect_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_expect_eq(peer_requests(other), 1);
    cr_expect_eq(times("Bearer secret"), 1, "%s", story.heads);
    cr_expect_eq(times("X-Key"), 1);
    memset(&story, 0, sizeof story);
    fetch("/to/302/http://127.0.0.1:%u/to/302/http://127.0.0.1:%u/end", peer_port(other),
          peer_port(rig.peer));
    cr_expect_eq(answer.status, KANAL_OK);
    cr_expect_eq(times("Bearer secret"), 1, "they do not come back either");
}

Test(redirect, that_is_not_granted_is_not_followed)
{
    fetch("/start");
    story.refuse_at = 1;
    fetch("/to/302/http://127.0.0.1:%u/end", peer_port(other));
    cr_expect_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_expect(strstr(answer.message, "not granted"), "%s", answer.message);
    cr_expect_eq(peer_connections(other), 0);
    cr_expect_eq(story.heads_shown, 1, "the refused answer is not shown");
}

Test(redirect, leads_to_an_address_that_is_asked_about)
{
    fetch("/start");
    memset(&story, 0, sizeof story);
    story.denied_port = peer_port(other);
    fetch("/to/302/http://127.0.0.1:%u/end", peer_port(other));
    cr_expect_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_expect_eq(peer_connections(other), 0);
    /* Also where a connection was kept from another request. */
    memset(&story, 0, sizeof story);
    fetch("/to/302/http://127.0.0.1:%u/end", peer_port(other));
    cr_assert_eq(answer.status, KANAL_OK);
    memset(&story, 0, sizeof story);
    story.denied_port = peer_port(other);
    fetch("/to/302/http://127.0.0.1:%u/end", peer_port(other));
    cr_expect_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_expect_eq(peer_requests(other), 1);
}

Test(redirect, from_https_to_http_is_refused)
{
    struct peer_tls files;
    struct http_client_options options = { .ca_file = files.ca_file };

    rig_close(&rig);
    peer_tls_make(&files);
    rig_open(&rig, &options);
    rig.peer = peer_start(serve, NULL, &files);
    fetch("/to/302//end");
    cr_expect_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    memset(&story, 0, sizeof story);
    fetch("/to/302/http://127.0.0.1:%u/end", peer_port(other));
    cr_expect_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_expect_eq(story.asked, 0);
    cr_expect_eq(peer_connections(other), 0);
    peer_tls_remove(&files);
}

Test(redirect, has_an_end)
{
    fetch("/loop");
    cr_expect_eq(answer.status, KANAL_E_DENIED);
    cr_expect(strstr(answer.message, "too many redirects"), "%s", answer.message);
    cr_expect_eq(story.asked, 3);
    cr_expect_eq(peer_requests(rig.peer), 4);
}

Test(redirect, with_a_body_without_end_is_not_waited_for)
{
    fetch("/flood");
    cr_expect_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_expect_str_eq(story.body, "the file");
}

Test(redirect, to_what_is_no_web_page_is_refused)
{
    static const char *const targets[] = { "file:///etc/passwd",
                                           "ftp://127.0.0.1/",
                                           "gopher://127.0.0.1:1/",
                                           "http://user@127.0.0.1/",
                                           "http://127.0.0.1\\@evil/",
                                           "//",
                                           "http://" };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        memset(&story, 0, sizeof story);
        fetch("/to/302/%s", targets[i]);
        cr_expect(answer.status == KANAL_E_DENIED || answer.status == KANAL_E_INVALID, "%s: %d %s",
                  targets[i], answer.status, answer.message);
        cr_expect_eq(story.heads_shown, 0);
        cr_expect_eq(story.asked, 0, "%s", targets[i]);
    }
}

Test(redirect, to_nowhere_is_an_answer)
{
    fetch("/bare");
    cr_expect_eq(answer.status, KANAL_OK);
    cr_expect_eq(story.shown_code, 302);
}

Test(redirect, of_what_is_no_stream_is_an_answer)
{
    rig.peer = peer_start(serve, NULL, NULL);
    char *url = peer_url(rig.peer, "/to/302//end");
    struct http_out out = { .method = KANAL_LIT("GET"),
                            .url = kanal_str_c(url),
                            .redirects = 3,
                            .redirect = on_redirect,
                            .allow_user = &story };
    rig_fetch_out(&rig, &out, &answer);
    cr_expect_eq(answer.status, KANAL_OK);
    cr_expect_eq(answer.code, 302);
    cr_expect_eq(story.asked, 0);
    free(url);
}

Test(redirect, of_a_source_is_followed_into_the_form)
{
    rig.peer = peer_start(serve, NULL, NULL);
    other = peer_start(serve, NULL, NULL);
    char *url = peer_url(rig.peer, "/form"), *source = peer_url(other, "/to/302//end");
    struct http_out_part part = { .name = KANAL_LIT("file"),
                                  .source_url = kanal_str_c(source),
                                  .allow_user = &story };
    struct http_out out = { .method = KANAL_LIT("POST"),
                            .url = kanal_str_c(url),
                            .parts = &part,
                            .part_count = 1,
                            .redirects = 3,
                            .redirect = on_redirect };
    rig_fetch_out(&rig, &out, &answer);
    cr_expect_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_expect_eq(story.asked, 1);
    cr_expect_eq(peer_requests(other), 2);
    answer_clear(&answer);
    story.refuse_at = 2;
    rig_fetch_out(&rig, &out, &answer);
    cr_expect_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    cr_expect_eq(peer_requests(rig.peer), 1, "the form was not sent");
    free(url);
    free(source);
}
