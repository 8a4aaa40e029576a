#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include "client_rig.h"

#define MIB (1024u * 1024)

static struct rig rig;
static struct answer answer;
static struct peer *media; /* serves the sources; rig.peer takes the forms */
static atomic_ulong media_sent;

/* What came last. */
static struct {
    char *head, *body;
    size_t body_len;
    int chunked;
} form;

static void setup(void)
{
    rig_open(&rig, NULL);
}

static void teardown(void)
{
    answer_clear(&answer);
    rig_close(&rig);
    peer_stop(media);
    free(form.head);
    free(form.body);
}

TestSuite(parts, .init = setup, .fini = teardown, .timeout = 60);

static char pattern(size_t i)
{
    return (char)(i * 2654435761u >> 24);
}

static void send_bytes(struct peer_conn *conn, size_t len, int chunked, unsigned pause_ms)
{
    static _Thread_local char block[16384];

    for (size_t sent = 0; sent < len;) {
        size_t size = len - sent < sizeof block ? len - sent : sizeof block;
        for (size_t i = 0; i < size; i++)
            block[i] = pattern(sent + i);
        if (chunked)
            peer_text(conn, "%zx\r\n", size);
        if (peer_write(conn, block, size) != 0)
            return;
        if (chunked)
            peer_text(conn, "\r\n");
        sent += size;
        atomic_fetch_add(&media_sent, size);
        if (pause_ms)
            peer_sleep_ms(pause_ms);
    }
}

/* GET /length/N, /chunked/N, /slow/N (in small pieces), /short/N (half of it), /endless, /404, /silent */
static void serve_media(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request)) {
        char *slash = strchr(request.head + 5, '/');
        size_t len = slash ? strtoul(slash + 1, NULL, 10) : 0;
        int cut = strncmp(request.head, "GET /short", 10) == 0;
        cr_assert(strncmp(request.head, "GET ", 4) == 0);
        if (strncmp(request.head, "GET /404", 8) == 0) {
            peer_answer(conn, 404, "no");
        } else if (strncmp(request.head, "GET /silent", 11) == 0) {
            peer_sleep_ms(400);
        } else if (strncmp(request.head, "GET /chunked", 12) == 0) {
            peer_text(conn,
                      "HTTP/1.1 200 OK\r\nContent-Type: image/webp\r\nTransfer-Encoding: chunked\r\n\r\n");
            send_bytes(conn, len, 1, 0);
            peer_text(conn, "0\r\n\r\n");
        } else if (strncmp(request.head, "GET /endless", 12) == 0) {
            peer_text(conn, "HTTP/1.1 200 OK\r\n\r\n");
            send_bytes(conn, 1u << 30, 0, 0);
        } else {
            peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %zu\r\n\r\n",
                      len);
            send_bytes(conn, cut ? len / 2 : len, 0, strncmp(request.head, "GET /slow", 9) == 0 ? 5 : 0);
            if (cut)
                return;
        }
    }
}

static void take_form(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    (void)user;
    while (peer_read(conn, &request)) {
        free(form.head);
        free(form.body);
        form.head = strdup(request.head);
        form.body = malloc(request.body_len + 1);
        memcpy(form.body, request.body, request.body_len + 1);
        form.body_len = request.body_len;
        form.chunked = request.chunked;
        peer_answer(conn, 200, "{\"ok\":true}");
    }
}

static void send_parts(const struct http_out_part *parts, size_t count, uint32_t timeout_ms)
{
    char *url = peer_url(rig.peer, "/form");
    struct http_out out = { .method = KANAL_LIT("POST"),
                            .url = kanal_str_c(url),
                            .parts = parts,
                            .part_count = count,
                            .timeout_ms = timeout_ms };

    answer_clear(&answer);
    rig_fetch_out(&rig, &out, &answer);
    free(url);
}

static struct http_out_part source_part(const char *name, char *url, uint64_t max_bytes)
{
    struct http_out_part part = { .name = kanal_str_c(name),
                                  .filename = KANAL_LIT("photo"),
                                  .source_url = kanal_str_c(url),
                                  .max_bytes = max_bytes };

    return part;
}

/* One source beside a plain field, and the text field after it. */
static void send_source(const char *path, uint64_t max_bytes, uint32_t timeout_ms)
{
    char *url;

    if (!media)
        media = peer_start(serve_media, NULL, NULL);
    if (!rig.peer)
        rig.peer = peer_start(take_form, NULL, NULL);
    url = peer_url(media, path);
    struct http_out_part parts[] = { { .name = KANAL_LIT("chat_id"), .data = KANAL_LIT("42") },
                                     source_part("photo", url, max_bytes),
                                     { .name = KANAL_LIT("caption"), .data = KANAL_LIT("end") } };
    send_parts(parts, 3, timeout_ms);
    free(url);
}

/* The bytes of a part of the received form; checks that they are the pattern's. */
static void has_source(size_t len, const char *type)
{
    char mark[128], *start;

    cr_assert_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_assert_str_eq(answer.body, "{\"ok\":true}");
    snprintf(mark, sizeof mark,
             "Content-Disposition: form-data; name=\"photo\"; filename=\"photo\"\r\nContent-Type: %s\r\n\r\n",
             type);
    start = memmem(form.body, form.body_len, mark, strlen(mark));
    cr_assert_not_null(start, "%.400s", form.body);
    start += strlen(mark);
    cr_assert_geq((size_t)(form.body + form.body_len - start), len);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(start[i], pattern(i), "byte %zu of %zu is wrong", i, len);
    cr_assert_eq(strncmp(start + len, "\r\n--", 4), 0);
    cr_assert_not_null(strstr(start + len, "name=\"caption\"\r\n\r\nend\r\n"), "%.300s", start + len);
}

Test(parts, fields_and_files_of_given_bytes)
{
    struct http_out_part parts[] = {
        { .name = KANAL_LIT("chat_id"), .data = KANAL_LIT("42") },
        { .name = KANAL_LIT("empty") },
        { .name = KANAL_LIT("doc"),
          .filename = KANAL_LIT("a \"b\".bin"),
          .content_type = KANAL_LIT("application/x-thing"),
          .data = KANAL_LIT("\0\1\2") },
    };

    rig.peer = peer_start(take_form, NULL, NULL);
    send_parts(parts, 3, 0);
    cr_assert_eq(answer.status, KANAL_OK, "%s", answer.message);
    cr_assert_eq(strncmp(form.head, "POST /form HTTP/1.1\r\n", 21), 0);
    cr_assert_not_null(strcasestr(form.head, "\r\nContent-Type: multipart/form-data; boundary="));
    cr_assert_null(strcasestr(form.head, "expect:"));
    cr_assert_not(form.chunked);
    cr_assert_not_null(strstr(form.body, "name=\"chat_id\"\r\n\r\n42\r\n"), "%s", form.body);
    cr_assert_not_null(strstr(form.body, "name=\"empty\"\r\n\r\n\r\n"), "%s", form.body);
    cr_assert_not_null(memmem(form.body, form.body_len, "application/x-thing\r\n\r\n\0\1\2\r\n--", 30));
    /* The handle goes on as if nothing had been. */
    answer_clear(&answer);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/next"), NULL, &answer);
    cr_assert_eq(strncmp(form.head, "GET /next", 9), 0);
    cr_assert_null(strcasestr(form.head, "content-type"));
    cr_assert_eq(peer_connections(rig.peer), 1);
}

Test(parts, a_source_with_a_length)
{
    send_source("/length/100000", MIB, 0);
    has_source(100000, "image/jpeg");
    cr_assert_not(form.chunked);
}

Test(parts, an_empty_source)
{
    send_source("/length/0", MIB, 0);
    has_source(0, "image/jpeg");
    send_source("/chunked/0", MIB, 0);
    has_source(0, "image/webp");
}

Test(parts, a_source_exactly_as_large_as_allowed)
{
    send_source("/length/65536", 65536, 0);
    has_source(65536, "image/jpeg");
    send_source("/chunked/65536", 65536, 0);
    has_source(65536, "image/webp");
}

Test(parts, a_large_source_is_streamed)
{
    send_source("/length/25000000", 32 * MIB, 0);
    has_source(25000000, "image/jpeg");
    cr_assert_not(form.chunked);
}

Test(parts, a_slow_source)
{
    send_source("/slow/400000", MIB, 0);
    has_source(400000, "image/jpeg");
}

Test(parts, a_source_of_unknown_length_is_measured_first)
{
    send_source("/chunked/3000000", 32 * MIB, 0);
    has_source(3000000, "image/webp");
    cr_assert_not(form.chunked);
    cr_assert_not_null(strcasestr(form.head, "\r\ncontent-length:"));
}

Test(parts, a_long_source_of_unknown_length_goes_out_chunked)
{
    send_source("/chunked/20000000", 32 * MIB, 0);
    has_source(20000000, "image/webp");
    cr_assert(form.chunked);
}

Test(parts, the_parts_own_type_counts)
{
    media = peer_start(serve_media, NULL, NULL);
    rig.peer = peer_start(take_form, NULL, NULL);
    char *url = peer_url(media, "/length/10");
    struct http_out_part part = source_part("photo", url, MIB);
    part.content_type = KANAL_LIT("image/own");
    send_parts(&part, 1, 0);
    cr_assert_not_null(strstr(form.body, "Content-Type: image/own\r\n"), "%s", form.body);
    cr_assert_null(strstr(form.body, "image/jpeg"));
    free(url);
}

Test(parts, ten_sources_in_one_form)
{
    struct http_out_part parts[10];
    char *urls[10], path[32];
    size_t total = 0;

    media = peer_start(serve_media, NULL, NULL);
    rig.peer = peer_start(take_form, NULL, NULL);
    for (size_t i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "/%s/%zu", i % 2 ? "chunked" : "length", 300000 + i * 1000);
        urls[i] = peer_url(media, path);
        parts[i] = source_part("photo", urls[i], MIB);
        total += 300000 + i * 1000;
    }
    send_parts(parts, 10, 0);
    cr_assert_eq(answer.status, KANAL_OK, "%s", answer.message);
    cr_assert_gt(form.body_len, total);
    cr_assert_lt(form.body_len, total + 5000);
    for (size_t i = 0; i < 10; i++)
        free(urls[i]);
}

/* ---- Sources that fail ---- */

static void fails(const char *path, uint64_t max_bytes, kanal_status status, const char *word)
{
    send_source(path, max_bytes, strcmp(path, "/silent") == 0 ? 300 : 5000);
    cr_assert_eq(answer.status, status, "%s: %d %s", path, answer.status, answer.message);
    cr_assert_not_null(strstr(answer.message, word), "%s", answer.message);
    cr_assert_null(strstr(answer.message, "://"), "%s", answer.message);
}

Test(parts, a_source_that_is_not_there)
{
    fails("/404", MIB, KANAL_E_NOT_FOUND, "part 2 (photo): its source answered 404");
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(parts, a_source_that_does_not_answer)
{
    fails("/silent", MIB, KANAL_E_TIMEOUT, "300 ms");
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(parts, a_source_that_cannot_be_reached)
{
    char *url;

    rig.peer = peer_start(take_form, NULL, NULL);
    media = peer_start(serve_media, NULL, NULL);
    url = peer_url(media, "/length/1");
    peer_stop(media);
    media = NULL;
    struct http_out_part part = source_part("photo", url, MIB);
    send_parts(&part, 1, 0);
    cr_assert_eq(answer.status, KANAL_E_NOT_FOUND, "%d %s", answer.status, answer.message);
    cr_assert_not_null(strstr(answer.message, "part 1 (photo): "), "%s", answer.message);
    free(url);
}

Test(parts, a_source_that_says_it_is_too_large)
{
    fails("/slow/100001", 100000, KANAL_E_TOO_LARGE, "part 2 (photo)");
    cr_assert_lt(atomic_load(&media_sent), 65536, "it was read although its length was known");
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(parts, a_source_that_turns_out_too_large)
{
    fails("/chunked/100001", 100000, KANAL_E_TOO_LARGE, "part 2 (photo)");
    fails("/endless", 100000, KANAL_E_TOO_LARGE, "part 2 (photo)");
    cr_assert_eq(peer_connections(rig.peer), 0);
}

Test(parts, an_endless_source_within_a_chunked_form)
{
    send_source("/endless", 12 * MIB, 5000);
    cr_assert_eq(answer.status, KANAL_E_TOO_LARGE, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_requests(rig.peer), 0, "the form looked whole");
}

Test(parts, a_source_that_ends_too_early)
{
    send_source("/short/3000000", 8 * MIB, 5000);
    cr_assert_eq(answer.status, KANAL_E_NOT_FOUND, "%d %s", answer.status, answer.message);
    cr_assert_eq(peer_requests(rig.peer), 0);
}

static int deny_port(void *user, const struct sockaddr *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port) != *(uint16_t *)user;
}

Test(parts, a_denied_source)
{
    uint16_t port;
    char *url, *source;

    rig.peer = peer_start(take_form, NULL, NULL);
    media = peer_start(serve_media, NULL, NULL);
    port = peer_port(media);
    url = peer_url(rig.peer, "/");
    source = peer_url(media, "/length/5");
    struct http_out_part part = source_part("photo", source, MIB);
    part.allow_user = &port; /* the source is asked about with its own, the form with another */
    struct http_out out = { .method = KANAL_LIT("POST"),
                            .url = kanal_str_c(url),
                            .parts = &part,
                            .part_count = 1,
                            .allow = deny_port,
                            .allow_user = &(uint16_t){ 0 } };
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_DENIED, "%d %s", answer.status, answer.message);
    rig_turn_ms(&rig, 20);
    cr_assert_eq(peer_connections(media), 0);
    cr_assert_eq(peer_connections(rig.peer), 0);
    free(url);
    free(source);
}

Test(parts, malformed_parts)
{
    struct http_out_part good = { .name = KANAL_LIT("a"), .data = KANAL_LIT("b") }, many[65], bad[4];
    kanal_field type = { KANAL_LIT("Content-Type"), KANAL_LIT("multipart/form-data") };
    struct http_out out = { .method = KANAL_LIT("POST"),
                            .url = KANAL_LIT("http://127.0.0.1:1/"),
                            .part_count = 1 };

    for (size_t i = 0; i < 65; i++)
        many[i] = good;
    for (size_t i = 0; i < 4; i++)
        bad[i] = good;
    bad[0].name = KANAL_LIT("a\r\nX: y");
    bad[1].content_type = KANAL_LIT("a\nb");
    bad[2].source_url = KANAL_LIT("http://127.0.0.1:1/");
    bad[3].data = kanal_str_of(NULL, 0);
    bad[3].source_url = KANAL_LIT("file:///etc/passwd");
    for (size_t i = 0; i < 4; i++) {
        out.parts = &bad[i];
        rig_fetch_out(&rig, &out, &answer);
        cr_assert_eq(answer.status, KANAL_E_INVALID, "%zu: %d %s", i, answer.status, answer.message);
    }
    out.parts = many;
    out.part_count = 65;
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_INVALID);
    out.part_count = 1;
    out.headers = &type;
    out.header_count = 1;
    rig_fetch_out(&rig, &out, &answer);
    cr_assert_eq(answer.status, KANAL_E_INVALID);
}

/* ---- Memory, cancel, early answers ---- */

static void read_head_and_wait(struct peer_conn *conn, void *user)
{
    struct peer_request request;

    if (!peer_read_head(conn, &request))
        return;
    if (user)
        peer_text(conn, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig");
    peer_sleep_ms(400);
}

Test(parts, a_source_is_held_back_while_the_request_is_not_read)
{
    unsigned long sent;

    rig.peer = peer_start(read_head_and_wait, NULL, NULL);
    send_source("/length/60000000", 64 * MIB, 5000);
    sent = atomic_load(&media_sent);
    cr_assert_eq(answer.status, KANAL_E_MAYBE, "%d %s", answer.status, answer.message);
    cr_assert_lt(sent, 24 * MIB, "%lu bytes were read ahead",
                 sent); /* the sockets' buffers hold some megabytes */
    cr_assert_gt(sent, MIB / 4);
}

Test(parts, an_answer_before_the_source_ended_counts)
{
    rig.peer = peer_start(read_head_and_wait, "413", NULL);
    send_source("/length/60000000", 64 * MIB, 5000);
    cr_assert_eq(answer.status, KANAL_OK, "%d %s", answer.status, answer.message);
    cr_assert_eq(answer.code, 413);
    cr_assert_eq(http_client_pending(rig.client), 0);
}

Test(parts, cancel_while_a_source_is_read)
{
    struct http_out out = { .method = KANAL_LIT("POST"), .part_count = 1 };
    char *url, *source;

    media = peer_start(serve_media, NULL, NULL);
    for (unsigned wait_ms = 0; wait_ms <= 40; wait_ms += 10) {
        struct http_call *call;
        rig.peer = peer_start(take_form, NULL, NULL);
        url = peer_url(rig.peer, "/");
        source = peer_url(media, "/slow/4000000");
        struct http_out_part part = source_part("photo", source, 8 * MIB);
        out.url = kanal_str_c(url);
        out.parts = &part;
        answer_clear(&answer);
        call = http_client_send(rig.client, &out, answer_take, &answer);
        cr_assert_eq(http_client_pending(rig.client), 1, "a source counts as a call of its own");
        rig_turn_ms(&rig, wait_ms);
        http_call_cancel(call);
        answer_wait(&rig, &answer);
        cr_assert_eq(answer.status, KANAL_E_CANCELLED);
        free(url);
        free(source);
        peer_stop(rig.peer);
    }
    rig.peer = NULL;
}

Test(parts, free_while_a_source_is_read)
{
    char *url, *source;

    media = peer_start(serve_media, NULL, NULL);
    rig.peer = peer_start(take_form, NULL, NULL);
    url = peer_url(rig.peer, "/");
    source = peer_url(media, "/slow/4000000");
    struct http_out_part part = source_part("photo", source, 8 * MIB);
    struct http_out out = {
        .method = KANAL_LIT("POST"), .url = kanal_str_c(url), .parts = &part, .part_count = 1
    };
    http_client_send(rig.client, &out, answer_take, &answer);
    rig_turn_ms(&rig, 30);
    http_client_free(rig.client);
    rig.client = NULL;
    cr_assert_eq(answer.calls, 1);
    cr_assert_eq(answer.status, KANAL_E_CANCELLED);
    free(url);
    free(source);
}
