#include "private.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 5000u

static uint64_t now_ms(struct broker *b)
{
    return uv_now(b->loop);
}

static void answer(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    asker->answer(asker, status, in);
}

void broker_defer(struct broker *b, const struct broker_asker *asker, kanal_status status)
{
    if (b->deaf)
        return;
    if (b->deferred_count == b->deferred_capacity) {
        size_t capacity = b->deferred_capacity ? b->deferred_capacity * 2 : 64;
        struct broker_deferred *grown = realloc(b->deferred, capacity * sizeof *grown);

        if (!grown) {
            /* Better told too early than never. */
            answer(asker, status, NULL);
            return;
        }
        b->deferred = grown;
        b->deferred_capacity = capacity;
    }
    b->deferred[b->deferred_count].asker = *asker;
    b->deferred[b->deferred_count++].status = status;
    broker_wake(b);
}

void broker_deferred_deliver(struct broker *b)
{
    struct broker_deferred *batch = b->deferred;
    size_t count = b->deferred_count, capacity = b->deferred_capacity;

    if (count == 0)
        return;
    /* What the callbacks ask for anew and fails again is told in the next turn. */
    b->deferred = NULL;
    b->deferred_count = b->deferred_capacity = 0;
    for (size_t i = 0; i < count; i++)
        answer(&batch[i].asker, batch[i].status, NULL);
    if (b->deferred || capacity > 65536) {
        free(batch);
    } else {
        b->deferred = batch;
        b->deferred_capacity = capacity;
    }
}

void broker_requests_fail(struct broker *b, kanal_status status)
{
    struct broker_asker asker;
    uint32_t cursor = 0;

    uv_timer_stop(&b->deadlines);
    while (broker_slots_pop(&b->slots, &cursor, &asker))
        answer(&asker, status, NULL);
}

void broker_deadlines_cb(uv_timer_t *timer)
{
    struct broker *b = timer->data;
    struct broker_asker asker;

    while (broker_slots_expired(&b->slots, now_ms(b), &asker))
        answer(&asker, KANAL_E_TIMEOUT, NULL);
    if (b->slots.used == 0)
        uv_timer_stop(timer);
}

void broker_request_nobody(struct broker *b)
{
    broker_slots_nobody(&b->slots);
}

/* Requests of which it is known by now that nobody answers them. */
static void tell_unanswered(struct broker *b)
{
    struct broker_asker asker;
    uint32_t cursor = 0;

    while (b->slots.nobody_count > 0 && broker_slots_unanswered(&b->slots, &cursor, &asker))
        answer(&asker, KANAL_E_NOT_FOUND, NULL);
}

void broker_request_answered(struct broker *b, kanal_str token, const struct broker_in *in)
{
    struct broker_asker asker;
    uint64_t number;

    if (in && token.len > 1 && token.ptr[0] == 'p') {
        if (broker_token_parse(kanal_str_from(token, 1), &number) == 0)
            broker_ping_answered(b, number);
    } else if (in && broker_token_parse(token, &number) == 0 &&
               broker_slots_give(&b->slots, number, &asker) == 0) {
        answer(&asker, KANAL_OK, in);
    }
    if (b->slots.nobody_count > 0)
        tell_unanswered(b);
}

void broker_ask(struct broker *b, const struct broker_out *out, uint32_t timeout_ms,
                const struct broker_asker *asker)
{
    char reply[BROKER_INBOX_BYTES + BROKER_TOKEN_BYTES];
    struct broker_asker taken;
    uint64_t token;
    int r;

    if (b->closing || b->state != BROKER_UP) {
        r = b->closing ? KANAL_E_CANCELLED : KANAL_E_NETWORK;
        broker_defer(b, asker, broker_publishable(out->subject) ? r : KANAL_E_INVALID);
        return;
    }
    r = broker_slots_take(&b->slots, asker, now_ms(b) + (timeout_ms ? timeout_ms : DEFAULT_TIMEOUT_MS),
                          &token);
    if (r == 0) {
        memcpy(reply, b->inbox, b->inbox_len);
        broker_token_format(token, reply + b->inbox_len);
        r = broker_send(b, out, reply);
        if (r != 0)
            (void)broker_slots_give(&b->slots, token, &taken);
    }
    if (r != 0)
        broker_defer(b, asker, r);
    else if (b->slots.used == 1)
        uv_timer_start(&b->deadlines, broker_deadlines_cb, BROKER_WHEEL_TICK_MS, BROKER_WHEEL_TICK_MS);
}

static void answer_reply(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    ((broker_reply_fn *)asker->fn)(asker->user, status, in);
}

void broker_request(struct broker *b, const struct broker_out *out, uint32_t timeout_ms, broker_reply_fn *fn,
                    void *user)
{
    struct broker_asker asker = { answer_reply, (void (*)(void))fn, user };

    broker_ask(b, out, timeout_ms, &asker);
}

size_t broker_pending(const struct broker *b)
{
    return b->slots.used;
}
