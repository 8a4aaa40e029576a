#include "kanal/sdk/calls.h"

#include <stdlib.h>

#define ANSWER_MS 500 /* what is left of a delivery's time to answer it */
#define TIMEOUT_MIN_MS 1000

struct kanal_call {
    struct kanal_call *next, **link;
    struct kanal_calls *calls;
    kanal_op op;
    kanal_response_fn *done;
    void *user;
};

void kanal_calls_init(struct kanal_calls *calls, const kanal_host *host)
{
    memset(calls, 0, sizeof *calls);
    calls->host = host;
}

static void settle(struct kanal_calls *calls)
{
    kanal_op op = calls->stopping;
    if (op == 0 || calls->first || calls->held > 0)
        return;
    if (calls->timer != 0) { /* nothing is left that it would have to cut off; its callback settles */
        calls->host->cancel(calls->host, calls->timer);
        return;
    }
    calls->stopping = 0;
    calls->host->finish(calls->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct kanal_call *call = (struct kanal_call *)user;
    struct kanal_calls *calls = call->calls;
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    calls->held++; /* the callback may end others */
    call->done(call->user, status, response);
    free(call);
    kanal_calls_let_go(calls);
}

struct kanal_call *kanal_calls_send(struct kanal_calls *calls, kanal_op cause,
                                    const kanal_http_request *request, kanal_response_fn *done, void *user)
{
    struct kanal_call *call = (struct kanal_call *)calloc(1, sizeof *call);
    if (!call)
        return NULL;
    call->calls = calls;
    call->done = done;
    call->user = user;
    call->next = calls->first;
    call->link = &calls->first;
    if (call->next)
        call->next->link = &call->next;
    calls->first = call;
    call->op = calls->host->http_send(calls->host, cause, request, on_response, call);
    if (calls->stopping != 0 && calls->timer == 0) /* its time is over already */
        kanal_calls_cancel(calls, call);
    return call;
}

uint32_t kanal_call_timeout_ms(const kanal_host *host, int64_t deadline_ms, uint32_t limit_ms)
{
    int64_t left = deadline_ms > 0 ? deadline_ms - host->now_ms(host) - ANSWER_MS : limit_ms;
    return (uint32_t)(left > limit_ms ? limit_ms : left < TIMEOUT_MIN_MS ? TIMEOUT_MIN_MS : left);
}

void kanal_calls_cancel(struct kanal_calls *calls, struct kanal_call *call)
{
    if (call)
        calls->host->cancel(calls->host, call->op);
}

void kanal_calls_hold(struct kanal_calls *calls)
{
    calls->held++;
}

void kanal_calls_let_go(struct kanal_calls *calls)
{
    calls->held--;
    settle(calls);
}

static void on_drained(void *user, kanal_status status)
{
    struct kanal_calls *calls = (struct kanal_calls *)user;
    (void)status; /* whoever ended it: nobody would end the rest */
    calls->timer = 0;
    for (struct kanal_call *call = calls->first; call; call = call->next)
        kanal_calls_cancel(calls, call);
    settle(calls);
}

void kanal_calls_stop(struct kanal_calls *calls, kanal_op op)
{
    calls->stopping = op;
    if (calls->first || calls->held > 0)
        calls->timer = calls->host->timer(calls->host, KANAL_CALLS_DRAIN_MS, on_drained, calls);
    settle(calls);
}

/* ---- Waiting ---- */

static void on_timer(void *user, kanal_status status)
{
    struct kanal_timer *timer = (struct kanal_timer *)user;
    struct kanal_calls *calls = timer->calls;
    timer->op = 0;
    if (status == KANAL_OK && timer->fired)
        timer->fired(timer->user);
    kanal_calls_let_go(calls);
}

void kanal_timer_set(struct kanal_timer *timer, struct kanal_calls *calls, uint32_t delay_ms,
                     void (*fired)(void *user), void *user)
{
    if (calls->stopping != 0 || timer->op != 0)
        return;
    timer->calls = calls;
    timer->fired = fired;
    timer->user = user;
    timer->op = calls->host->timer(calls->host, delay_ms, on_timer, timer);
    if (timer->op != 0)
        kanal_calls_hold(calls);
}

void kanal_timer_cancel(struct kanal_timer *timer)
{
    if (timer->op != 0)
        timer->calls->host->cancel(timer->calls->host, timer->op);
    timer->fired = NULL;
}

uint32_t kanal_backoff_ms(const kanal_host *host, uint32_t failures, uint32_t min_ms, uint32_t max_ms)
{
    uint32_t delay = min_ms, random = 0;
    for (uint32_t i = 0; i < failures && delay < max_ms; i++)
        delay *= 2;
    if (delay > max_ms)
        delay = max_ms;
    host->random(host, &random, sizeof random);
    return delay / 2 + random % (delay / 2 + 1);
}
