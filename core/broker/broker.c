#include "private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WINDOW 16384u
#define DEFAULT_BUFFER_BYTES (8u << 20)
#define DEFAULT_PING_MS 2000u
#define FLUSH_AT_END_MS 1000u

enum broker_state broker_get_state(const struct broker *b)
{
    return b->state;
}

const char *broker_server(const struct broker *b)
{
    return b->server;
}

uint64_t broker_max_payload(const struct broker *b)
{
    return b->max_payload;
}

const char *broker_violation(const struct broker *b)
{
    return b->violation;
}

/* A full buffer makes the broker count as away at once; half empty again, it is back. */
static void judge_buffer(struct broker *b)
{
    if (!b->linked || !b->buffer_full)
        return;
    if (b->unsent_bytes <= b->buffer_bytes / 2) {
        b->buffer_full = 0;
        if (b->state == BROKER_STALLED && b->ping_sent - b->ping_answered < 2)
            broker_set_state(b, BROKER_UP, "");
    } else if (b->state == BROKER_UP) {
        broker_set_state(b, BROKER_STALLED, "the broker does not take what is sent: the buffer is full");
    }
}

/* The end of the turn: what failed is told, then all that was published leaves in one write. */
static void prepare_cb(uv_prepare_t *prepare)
{
    struct broker *b = prepare->data;

    uv_idle_stop(&b->idle);
    broker_deferred_deliver(b);
    if (!b->linked || b->closing)
        return;
    broker_link_flush(b->link);
    if (b->unsent_bytes > 0)
        b->unsent_bytes = broker_link_unsent(b->link);
    judge_buffer(b);
    if (!b->closing)
        broker_link_lost_check(b);
}

static void handle_closed(uv_handle_t *handle)
{
    struct broker *b = handle->data;

    if (--b->handles > 0)
        return;
    broker_subscriptions_free(b);
    broker_slots_release(&b->slots);
    broker_servers_release(&b->servers);
    broker_access_release(b->access);
    kanal_buffer_release(&b->scratch);
    free(b->deferred);
    free(b->known);
    free(b);
}

static void init_handles(struct broker *b)
{
    uv_prepare_init(b->loop, &b->prepare);
    uv_idle_init(b->loop, &b->idle);
    uv_timer_init(b->loop, &b->deadlines);
    uv_timer_init(b->loop, &b->retry);
    uv_timer_init(b->loop, &b->ping);
    b->prepare.data = b->idle.data = b->deadlines.data = b->retry.data = b->ping.data = b;
    b->handles = 5;
    uv_prepare_start(&b->prepare, prepare_cb);
    /* The link's socket keeps the loop alive, or else the retry timer. */
    uv_unref((uv_handle_t *)&b->prepare);
}

static void close_handles(struct broker *b)
{
    uv_close((uv_handle_t *)&b->prepare, handle_closed);
    uv_close((uv_handle_t *)&b->idle, handle_closed);
    uv_close((uv_handle_t *)&b->deadlines, handle_closed);
    uv_close((uv_handle_t *)&b->retry, handle_closed);
    uv_close((uv_handle_t *)&b->ping, handle_closed);
}

static int make_inbox(struct broker *b)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    unsigned char random[22 + sizeof b->random];
    size_t n = 0;

    if (uv_random(NULL, NULL, random, sizeof random, 0, NULL) != 0)
        return -1;
    memcpy(b->inbox, "_INBOX.", 7);
    for (n = 0; n < 22; n++)
        b->inbox[7 + n] = digits[random[n] % 62];
    b->inbox[29] = '.';
    b->inbox[30] = '\0';
    b->inbox_len = 30;
    memcpy(&b->random, random + 22, sizeof b->random);
    b->random |= 1;
    return 0;
}

static int add_servers(struct broker *b, const struct broker_options *o, char reason[256])
{
    int r = o->url_count > 0 ? 0 : KANAL_E_INVALID;

    if (r != 0)
        snprintf(reason, 256, "broker url: none given");
    for (size_t i = 0; r == 0 && i < o->url_count; i++)
        r = broker_servers_add(&b->servers, kanal_str_c(o->urls[i]), reason);
    return r;
}

int broker_new(struct broker **ret_broker, uv_loop_t *loop, const struct broker_options *o,
               broker_state_fn *state_changed, void *user, char reason[256])
{
    struct broker *b = calloc(1, sizeof *b);
    int r = KANAL_E_INTERNAL;

    snprintf(reason, 256, "out of memory");
    if (!b)
        return r;
    b->loop = loop;
    b->state_changed = state_changed;
    b->user = user;
    b->buffer_bytes = o->buffer_bytes ? o->buffer_bytes : DEFAULT_BUFFER_BYTES;
    b->ping_ms = o->ping_ms ? o->ping_ms : DEFAULT_PING_MS;
    broker_servers_init(&b->servers);
    broker_slots_init(&b->slots, o->window ? o->window : DEFAULT_WINDOW, uv_now(loop));
    if (make_inbox(b) != 0 || broker_subscriptions_init(b) != 0)
        goto failed;
    r = add_servers(b, o, reason);
    if (r == 0)
        r = broker_access_new(&b->access, o, reason);
    if (r != 0)
        goto failed;
    reason[0] = '\0';
    init_handles(b);
    broker_connect_start(b);
    *ret_broker = b;
    return 0;
failed:
    broker_subscriptions_free(b);
    broker_slots_release(&b->slots);
    broker_servers_release(&b->servers);
    free(b);
    return r;
}

void broker_shut(struct broker *b)
{
    if (!b || b->closing)
        return;
    if (b->linked && b->state != BROKER_STALLED)
        broker_link_drain(b->link, FLUSH_AT_END_MS);
    b->closing = 1;
    b->linked = 0;
    b->state = BROKER_CLOSED;
    broker_requests_fail(b, KANAL_E_CANCELLED);
    while (b->deferred_count > 0)
        broker_deferred_deliver(b);
    b->deaf = 1;
}

void broker_free(struct broker *b)
{
    /* Twice is fine as long as the loop has not turned: a callback may free what its caller is about to
     * free. */
    if (!b || b->freed)
        return;
    b->freed = 1;
    broker_shut(b);
    broker_link_close(b->link);
    b->link = NULL;
    close_handles(b);
}
