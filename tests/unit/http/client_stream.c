#include <criterion/criterion.h>
#include <stdio.h>
#include "client_rig.h"
#include "http/client_private.h"

#define BODY_BYTES (8u << 20)

static struct rig rig;

struct reader {
    struct http_call *call;
    struct answer answer;
    int heads, code;
    char type[64];
    size_t bytes, pieces;
    uint32_t sum;
    size_t pause_each; /* pieces; 0: never */
    int cancel_at_head, cancel_at_data, send_at_data;
    struct answer other, third;
};

static struct reader reader;

static void setup(void)
{
    rig_open(&rig, NULL);
    memset(&reader, 0, sizeof reader);
}

static void teardown(void)
{
    answer_clear(&reader.answer);
    answer_clear(&reader.other);
    answer_clear(&reader.third);
    rig_close(&rig);
}

TestSuite(stream, .init = setup, .fini = teardown, .timeout = 30);

static uint32_t sum_of(uint32_t sum, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = sum * 31 + (unsigned char)bytes[i];
    return sum;
}

static void on_head(void *user, const struct http_in *in)
{
    struct reader *r = user;
    kanal_str type = kanal_field_get(in->headers, in->header_count, "content-type");

    r->heads++;
    r->code = in->code;
    snprintf(r->type, sizeof r->type, "%.*s", (int)type.len, type.ptr ? type.ptr : "");
    cr_assert_eq(in->body.len, 0);
    if (r->cancel_at_head)
        http_call_cancel(r->call);
}

static const struct http_stream_sink silent_sink = { NULL, NULL };

static int on_data(void *user, kanal_str piece)
{
    struct reader *r = user;

    cr_assert_eq(r->heads, 1);
    cr_assert_eq(r->answer.calls, 0);
    r->bytes += piece.len;
    r->pieces++;
    r->sum = sum_of(r->sum, piece.ptr, piece.len);
    if (r->cancel_at_data)
        http_call_cancel(r->call);
    if (r->send_at_data) {
        char *url = peer_url(rig.peer, "/small");
        struct http_out out = { .method = KANAL_LIT("GET"), .url = kanal_str_c(url) };
        r->send_at_data = 0;
        cr_assert_not_null(http_client_send(rig.client, &out, answer_take, &r->other));
        cr_assert_not_null(http_client_stream(rig.client, &out, &silent_sink, answer_take, &r->third));
        free(url);
    }
    return r->pause_each > 0 && r->pieces % r->pause_each == 0;
}

static void on_done(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    answer_take(&((struct reader *)user)->answer, status, in, message);
}

static const struct http_stream_sink sink = { on_head, on_data };

static void open_stream(const char *path, uint32_t timeout_ms, uint32_t max_response)
{
    char *url = peer_url(rig.peer, path);
    struct http_out out = { .method = KANAL_LIT("GET"),
                            .url = kanal_str_c(url),
                            .timeout_ms = timeout_ms,
                            .max_response = max_response };

    reader.call = http_client_stream(rig.client, &out, &sink, on_done, &reader);
    cr_assert_not_null(reader.call);
    free(url);
}

static char pattern(size_t i)
{
    return (char)(i * 131 + (i >> 9) * 7);
}

static void serve(struct peer_conn *conn, void *user)
{
    struct peer_request request;
    static char block[65536];

    (void)user;
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = pattern(i);
    while (peer_read(conn, &request)) {
        if (strncmp(request.head, "GET /big", 8) == 0) {
            peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %u\r\n\r\n",
                      BODY_BYTES);
            for (size_t sent = 0; sent < BODY_BYTES; sent += sizeof block)
                peer_write(conn, block, sizeof block);
        } else if (strncmp(request.head, "GET /chunked", 12) == 0) {
            peer_text(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (size_t sent = 0; sent < BODY_BYTES; sent += sizeof block) {
                peer_text(conn, "%zx\r\n", sizeof block);
                peer_write(conn, block, sizeof block);
                peer_text(conn, "\r\n");
            }
            peer_text(conn, "0\r\n\r\n");
        } else if (strncmp(request.head, "GET /stall", 10) == 0) {
            peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        } else if (strncmp(request.head, "GET /drip", 9) == 0) {
            peer_text(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
            for (int i = 0; i < 10; i++) {
                peer_sleep_ms(50);
                peer_text(conn, "x");
            }
        } else if (strncmp(request.head, "GET /silent", 11) != 0) {
            peer_answer(conn, strncmp(request.head, "GET /404", 8) == 0 ? 404 : 200, "small");
        }
    }
}

static uint32_t body_sum(void)
{
    static char block[65536];
    uint32_t sum = 0;

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = pattern(i);
    for (size_t sent = 0; sent < BODY_BYTES; sent += sizeof block)
        sum = sum_of(sum, block, sizeof block);
    return sum;
}

static void whole(void)
{
    cr_assert_eq(reader.answer.status, KANAL_OK, "%s", reader.answer.message);
    cr_assert_eq(reader.answer.code, 200);
    cr_assert_eq(reader.answer.body_len, 0);
    cr_assert_eq(reader.heads, 1);
    cr_assert_eq(reader.bytes, BODY_BYTES);
    cr_assert_eq(reader.sum, body_sum());
}

Test(stream, a_body_comes_piece_by_piece)
{
    rig.peer = peer_start(serve, NULL, NULL);
    open_stream("/big", 0, 0);
    cr_assert_eq(http_client_pending(rig.client), 1);
    answer_wait(&rig, &reader.answer);
    whole();
    cr_assert_gt(reader.pieces, 10);
    cr_assert_str_eq(reader.type, "image/png");
}

Test(stream, any_code_has_a_body)
{
    rig.peer = peer_start(serve, NULL, NULL);
    open_stream("/404", 0, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_OK);
    cr_assert_eq(reader.code, 404);
    cr_assert_eq(reader.bytes, 5);
}

static void read_with_pauses(const char *path)
{
    rig.peer = peer_start(serve, NULL, NULL);
    reader.pause_each = 7;
    open_stream(path, 0, 0);
    while (reader.answer.calls == 0) {
        rig_turn_ms(&rig, 1);
        if (reader.pieces > 0 && reader.pieces % 7 == 0 && reader.answer.calls == 0) {
            size_t before = reader.pieces;
            rig_turn_ms(&rig, 2);
            if (reader.answer.calls == 0)
                cr_assert_eq(reader.pieces, before, "a piece came while it was paused");
            http_call_resume(reader.call);
        }
    }
    whole();
}

Test(stream, a_paused_body_waits)
{
    read_with_pauses("/big");
}

Test(stream, a_paused_chunked_body_waits)
{
    read_with_pauses("/chunked");
}

Test(stream, an_end_may_come_while_it_is_paused)
{
    rig.peer = peer_start(serve, NULL, NULL);
    reader.pause_each = 1;
    open_stream("/small", 0, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_OK);
    cr_assert_eq(reader.bytes, 5);
}

Test(stream, headers_have_a_deadline)
{
    rig.peer = peer_start(serve, NULL, NULL);
    open_stream("/silent", 500, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_E_MAYBE);
    cr_assert_eq(reader.heads, 0);
}

Test(stream, a_stalled_body_ends)
{
    rig.peer = peer_start(serve, NULL, NULL);
    rig.client->stream_idle_ms = 150;
    open_stream("/stall", 5000, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_E_MAYBE);
    cr_assert_eq(reader.bytes, 3);
}

Test(stream, a_slow_body_goes_on_past_the_deadline)
{
    rig.peer = peer_start(serve, NULL, NULL);
    rig.client->stream_idle_ms = 2000;
    open_stream("/drip", 200, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_OK, "%s", reader.answer.message);
    cr_assert_eq(reader.bytes, 10);
}

Test(stream, a_pause_is_not_idleness)
{
    rig.peer = peer_start(serve, NULL, NULL);
    rig.client->stream_idle_ms = 100;
    reader.pause_each = 1;
    open_stream("/big", 5000, 0);
    rig_until(&rig, &reader.pieces, 1);
    rig_turn_ms(&rig, 400);
    cr_assert_eq(reader.answer.calls, 0);
    cr_assert_eq(reader.pieces, 1);
    reader.pause_each = 0;
    http_call_resume(reader.call);
    answer_wait(&rig, &reader.answer);
    whole();
}

Test(stream, cancel_in_head_and_in_data)
{
    rig.peer = peer_start(serve, NULL, NULL);
    reader.cancel_at_head = 1;
    open_stream("/big", 0, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_E_CANCELLED);
    cr_assert_eq(reader.pieces, 0);

    memset(&reader, 0, sizeof reader);
    reader.cancel_at_data = 1;
    open_stream("/big", 0, 0);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_E_CANCELLED);
    cr_assert_eq(reader.pieces, 1);
}

Test(stream, cancel_while_it_is_paused)
{
    rig.peer = peer_start(serve, NULL, NULL);
    reader.pause_each = 3;
    open_stream("/big", 0, 0);
    rig_until(&rig, &reader.pieces, 3);
    cr_assert_eq(reader.pieces, 3);
    http_call_resume(reader.call);
    http_call_cancel(reader.call);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_E_CANCELLED);
    cr_assert_eq(reader.pieces, 3);
}

Test(stream, a_request_may_be_sent_from_within)
{
    rig.peer = peer_start(serve, NULL, NULL);
    reader.send_at_data = 1;
    open_stream("/big", 0, 0);
    answer_wait(&rig, &reader.answer);
    answer_wait(&rig, &reader.other);
    whole();
    cr_assert_eq(reader.other.status, KANAL_OK);
    cr_assert_str_eq(reader.other.body, "small");
    answer_wait(&rig, &reader.third);
    cr_assert_eq(reader.third.status, KANAL_OK, "%s", reader.third.message);
}

Test(stream, a_limit_holds_for_a_stream_too)
{
    rig.peer = peer_start(serve, NULL, NULL);
    open_stream("/big", 0, 100000);
    answer_wait(&rig, &reader.answer);
    cr_assert_eq(reader.answer.status, KANAL_E_TOO_LARGE);
    cr_assert_leq(reader.bytes, 100000);
}

Test(stream, free_ends_a_paused_stream)
{
    rig.peer = peer_start(serve, NULL, NULL);
    reader.pause_each = 1;
    open_stream("/big", 0, 0);
    rig_until(&rig, &reader.pieces, 1);
    http_client_free(rig.client);
    rig.client = NULL;
    cr_assert_eq(reader.answer.calls, 1);
    cr_assert_eq(reader.answer.status, KANAL_E_CANCELLED);
}

/* 70 paused streams to a host leave its ordinary requests their connections. */
Test(stream, slow_readers_do_not_hold_up_requests)
{
    static struct reader many[70];
    struct answer answer;

    rig.peer = peer_start(serve, NULL, NULL);
    for (size_t i = 0; i < 70; i++) {
        char *url = peer_url(rig.peer, "/big");
        struct http_out out = { .method = KANAL_LIT("GET"), .url = kanal_str_c(url) };
        many[i].pause_each = 1;
        many[i].call = http_client_stream(rig.client, &out, &sink, on_done, &many[i]);
        free(url);
    }
    for (size_t i = 0; i < 70; i++)
        rig_until(&rig, &many[i].pieces, 1);
    rig_fetch(&rig, "GET", peer_url(rig.peer, "/small"), NULL, &answer);
    cr_assert_eq(answer.status, KANAL_OK);
    answer_clear(&answer);
    for (size_t i = 0; i < 70; i++) {
        cr_assert_eq(many[i].pieces, 1);
        http_call_cancel(many[i].call);
    }
    for (size_t i = 0; i < 70; i++)
        answer_wait(&rig, &many[i].answer);
}
