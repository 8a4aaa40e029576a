#include "client_rig.h"
#include <criterion/criterion.h>
#include <stdio.h>

#define WAIT_MS 15000u

void rig_open(struct rig *rig, const struct http_client_options *options)
{
    memset(rig, 0, sizeof *rig);
    cr_assert_eq(uv_loop_init(&rig->loop), 0);
    cr_assert_eq(http_client_new(&rig->client, &rig->loop, options), 0);
}

void rig_close(struct rig *rig)
{
    http_client_free(rig->client);
    cr_assert_eq(uv_run(&rig->loop, UV_RUN_DEFAULT), 0);
    cr_assert_eq(uv_loop_close(&rig->loop), 0, "handles are left in the loop");
    peer_stop(rig->peer);
}

void answer_take(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct answer *answer = user;

    answer->calls++;
    answer->status = status;
    answer->has_in = in != NULL;
    snprintf(answer->message, sizeof answer->message, "%s", message);
    if (!in)
        return;
    answer->code = in->code;
    answer->total_ms = in->total_ms;
    answer->header_count = in->header_count;
    answer->body = kanal_str_dup(in->body);
    answer->body_len = in->body.len;
    for (size_t i = 0, at = 0; i < in->header_count && at < sizeof answer->headers; i++)
        at += (size_t)snprintf(answer->headers + at, sizeof answer->headers - at, "%.*s: %.*s\n",
                               (int)in->headers[i].name.len, in->headers[i].name.ptr,
                               (int)in->headers[i].value.len, in->headers[i].value.ptr);
}

void answer_clear(struct answer *answer)
{
    free(answer->body);
    memset(answer, 0, sizeof *answer);
}

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void turn_until(struct rig *rig, const int *calls, unsigned ms)
{
    uint64_t end_ns = uv_hrtime() + (uint64_t)ms * 1000000;
    uv_timer_t timer;

    /* A turn runs the timers and then waits for sockets: the tick ends that wait when a timer brought the answer. */
    uv_timer_init(&rig->loop, &timer);
    uv_timer_start(&timer, on_tick, 2, 2);
    while (uv_hrtime() < end_ns && !(calls && *calls > 0))
        uv_run(&rig->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&rig->loop, UV_RUN_NOWAIT);
}

void answer_wait(struct rig *rig, struct answer *answer)
{
    turn_until(rig, &answer->calls, WAIT_MS);
    cr_assert_eq(answer->calls, 1, "done() was called %d times", answer->calls);
}

void rig_turn_ms(struct rig *rig, unsigned ms)
{
    turn_until(rig, NULL, ms);
}

void rig_until(struct rig *rig, const size_t *number, size_t least)
{
    for (unsigned waited_ms = 0; *number < least && waited_ms < WAIT_MS; waited_ms += 2)
        turn_until(rig, NULL, 2);
    cr_assert_geq(*number, least);
}

void rig_until_requests(struct rig *rig, unsigned least)
{
    size_t number = 0;

    for (unsigned waited_ms = 0; number < least && waited_ms < WAIT_MS; waited_ms += 2) {
        turn_until(rig, NULL, 2);
        number = peer_requests(rig->peer);
    }
    cr_assert_geq(number, least);
}

void rig_fetch_out(struct rig *rig, const struct http_out *out, struct answer *ret_answer)
{
    memset(ret_answer, 0, sizeof *ret_answer);
    cr_assert_not_null(http_client_send(rig->client, out, answer_take, ret_answer));
    cr_assert_eq(ret_answer->calls, 0, "done() ran inside the call that sends");
    answer_wait(rig, ret_answer);
}

void rig_fetch(struct rig *rig, const char *method, char *url, const char *body, struct answer *ret_answer)
{
    struct http_out out = { .method = kanal_str_c(method),
                            .url = kanal_str_c(url),
                            .body = kanal_str_c(body) };

    rig_fetch_out(rig, &out, ret_answer);
    free(url);
}
