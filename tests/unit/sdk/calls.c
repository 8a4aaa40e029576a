#include "expect.h"
#include "kanal/sdk/calls.h"

#define OPS_MAX 8

struct op { /* what a stand-in of the host has under way */
    kanal_response_fn *response;
    kanal_done_fn *timer;
    void *user;
    int is_cancelled;
};

struct host {
    kanal_host table;
    struct op ops[OPS_MAX + 1];
    kanal_op next;
    kanal_op finished;
};

static kanal_op on_send(const kanal_host *table, kanal_op cause, const kanal_http_request *request,
                        kanal_response_fn *response, void *user)
{
    struct host *host = table->impl;
    (void)cause, (void)request;
    host->ops[++host->next] = (struct op){ .response = response, .user = user };
    return host->next;
}

static kanal_op on_timer_set(const kanal_host *table, uint32_t delay_ms, kanal_done_fn *done, void *user)
{
    struct host *host = table->impl;
    cr_expect(delay_ms == KANAL_CALLS_DRAIN_MS || delay_ms == 700);
    host->ops[++host->next] = (struct op){ .timer = done, .user = user };
    return host->next;
}

static void on_cancel(const kanal_host *table, kanal_op op)
{
    ((struct host *)table->impl)->ops[op].is_cancelled = 1;
}

static void on_finish(const kanal_host *table, kanal_op op, kanal_status status, kanal_str reason)
{
    (void)reason;
    cr_expect_eq(status, KANAL_OK);
    cr_expect_eq(((struct host *)table->impl)->finished, 0, "finished twice");
    ((struct host *)table->impl)->finished = op;
}

static void host_init(struct host *host)
{
    memset(host, 0, sizeof *host);
    host->table = (kanal_host){ .struct_size = sizeof host->table,
                                .impl = host,
                                .http_send = on_send,
                                .timer = on_timer_set,
                                .cancel = on_cancel,
                                .finish = on_finish };
}

static void end(struct host *host, kanal_op number, kanal_status status)
{
    struct op op = host->ops[number];
    memset(&host->ops[number], 0, sizeof op);
    if (op.response)
        op.response(op.user, status, NULL);
    else
        op.timer(op.user, status);
}

static void count(void *user, kanal_status status, const kanal_http_response *response)
{
    (void)status, (void)response;
    ++*(int *)user;
}

Test(calls, stop_waits_for_what_is_under_way)
{
    struct host host;
    struct kanal_calls calls;
    int answered = 0;
    host_init(&host);
    kanal_calls_init(&calls, &host.table);
    kanal_http_request request = { .struct_size = sizeof request };
    for (int i = 0; i < 3; i++)
        cr_assert_not_null(kanal_calls_send(&calls, 0, &request, count, &answered));
    kanal_calls_hold(&calls);
    end(&host, 2, KANAL_OK);
    kanal_calls_stop(&calls, 99);
    end(&host, 1, KANAL_OK);
    end(&host, 3, KANAL_OK);
    cr_expect_eq(answered, 3);
    cr_expect_eq(host.finished, 0, "something is held");
    kanal_calls_let_go(&calls);
    cr_expect_eq(host.finished, 0, "the timer's callback is owed");
    cr_expect(host.ops[4].is_cancelled);
    end(&host, 4, KANAL_E_CANCELLED);
    cr_expect_eq(host.finished, 99);
}

Test(calls, what_takes_too_long_is_cut_off)
{
    struct host host;
    struct kanal_calls calls;
    int answered = 0;
    host_init(&host);
    kanal_calls_init(&calls, &host.table);
    kanal_http_request request = { .struct_size = sizeof request };
    kanal_calls_send(&calls, 0, &request, count, &answered);
    kanal_calls_send(&calls, 0, &request, count, &answered);
    kanal_calls_stop(&calls, 99);
    end(&host, 3, KANAL_OK); /* the timer */
    cr_expect(host.ops[1].is_cancelled && host.ops[2].is_cancelled);
    end(&host, 1, KANAL_E_CANCELLED);
    cr_expect_eq(host.finished, 0);
    kanal_calls_send(&calls, 0, &request, count, &answered);
    cr_expect(host.ops[4].is_cancelled, "it comes too late");
    end(&host, 2, KANAL_E_CANCELLED);
    cr_expect_eq(host.finished, 0);
    end(&host, 4, KANAL_E_CANCELLED);
    cr_expect_eq(host.finished, 99);
    cr_expect_eq(answered, 3);
}

Test(calls, nothing_under_way_stops_at_once)
{
    struct host host;
    struct kanal_calls calls;
    host_init(&host);
    kanal_calls_init(&calls, &host.table);
    kanal_calls_stop(&calls, 99);
    cr_expect_eq(host.finished, 99);
    cr_expect_eq(host.next, 0, "no timer was set");
}

static int64_t noon(const kanal_host *table)
{
    (void)table;
    return 100000;
}

Test(calls, a_request_ends_before_its_delivery)
{
    const kanal_host host = { .now_ms = noon };
    cr_expect_eq(kanal_call_timeout_ms(&host, 0, 30000), 30000);
    cr_expect_eq(kanal_call_timeout_ms(&host, 130600, 30000), 30000);
    cr_expect_eq(kanal_call_timeout_ms(&host, 110500, 30000), 10000);
    cr_expect_eq(kanal_call_timeout_ms(&host, 101000, 30000), 1000, "too late for more than a try");
    cr_expect_eq(kanal_call_timeout_ms(&host, 1, 30000), 1000);
}

static void fired(void *user)
{
    ++*(int *)user;
}

Test(calls, a_timer_keeps_stop_waiting)
{
    struct host host;
    struct kanal_calls calls;
    struct kanal_timer timer = { 0 };
    int count_fired = 0;
    host_init(&host);
    kanal_calls_init(&calls, &host.table);
    kanal_timer_cancel(&timer);
    kanal_timer_set(&timer, &calls, 700, fired, &count_fired);
    kanal_timer_set(&timer, &calls, 700, fired, &count_fired);
    cr_expect_eq(host.next, 1, "it is set already");
    end(&host, 1, KANAL_OK);
    cr_expect(count_fired == 1 && timer.op == 0);
    kanal_timer_set(&timer, &calls, 700, fired, &count_fired);
    kanal_timer_cancel(&timer);
    cr_expect(host.ops[2].is_cancelled);
    kanal_calls_stop(&calls, 99);
    cr_expect_eq(host.finished, 0, "the cancelled timer's callback is owed");
    end(&host, 2, KANAL_OK); /* it was on its way already */
    cr_expect_eq(count_fired, 1);
    end(&host, 3, KANAL_E_CANCELLED);
    cr_expect_eq(host.finished, 99);
}

Test(calls, no_timer_is_set_while_stopping)
{
    struct host host;
    struct kanal_calls calls;
    struct kanal_timer timer = { 0 };
    int count_fired = 0;
    host_init(&host);
    kanal_calls_init(&calls, &host.table);
    kanal_calls_hold(&calls);
    kanal_calls_stop(&calls, 99);
    kanal_timer_set(&timer, &calls, 700, fired, &count_fired);
    cr_expect(timer.op == 0 && host.next == 1);
    kanal_calls_let_go(&calls);
    end(&host, 1, KANAL_E_CANCELLED);
    cr_expect(host.finished == 99 && count_fired == 0);
}

static void most(const kanal_host *table, void *out, size_t len)
{
    (void)table;
    memset(out, 0xff, len);
}

static void least(const kanal_host *table, void *out, size_t len)
{
    (void)table;
    memset(out, 0, len);
}

Test(calls, pauses_double_and_have_a_limit)
{
    static const uint32_t halves[] = { 500, 1000, 2000, 4000, 5000, 5000 };
    const kanal_host low = { .random = least }, high = { .random = most };
    for (uint32_t i = 0; i < sizeof halves / sizeof halves[0]; i++) {
        uint32_t some = kanal_backoff_ms(&high, i, 1000, 10000);
        cr_expect_eq(kanal_backoff_ms(&low, i, 1000, 10000), halves[i], "%u", i);
        cr_expect(some >= halves[i] && some <= 2 * halves[i], "%u", i);
    }
}
