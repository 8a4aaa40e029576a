#include "private.h"

#include <stdio.h>
#include <string.h>

#define RETRY_FIRST_MS 100u
#define RETRY_MOST_MS 4000u
#define LOST_AFTER_PINGS 10u /* unanswered: the connection is given up */

uint64_t broker_random(struct broker *b)
{
    /* xorshift64*: jitter, no secrets */
    b->random ^= b->random >> 12;
    b->random ^= b->random << 25;
    b->random ^= b->random >> 27;
    return b->random * UINT64_C(2685821657736338717);
}

static void idle_cb(uv_idle_t *idle)
{
    (void)idle;
}

void broker_wake(struct broker *b)
{
    /* What is asked for after this turn's prepare (from another prepare callback) must not wait until the
     * loop wakes up for something else; an active idle handle keeps it from sleeping, and costs no system
     * call. */
    if (!b->closing && !uv_is_active((uv_handle_t *)&b->idle))
        uv_idle_start(&b->idle, idle_cb);
}

void broker_listen(struct broker *b, struct broker_listener *listener)
{
    listener->prev = NULL;
    listener->next = b->listeners;
    if (listener->next)
        listener->next->prev = listener;
    b->listeners = listener;
}

void broker_unlisten(struct broker *b, struct broker_listener *listener)
{
    if (listener->prev)
        listener->prev->next = listener->next;
    else if (b->listeners == listener)
        b->listeners = listener->next;
    if (listener->next)
        listener->next->prev = listener->prev;
    if (b->next_listener == listener)
        b->next_listener = listener->next;
    listener->next = listener->prev = NULL;
}

void broker_set_state(struct broker *b, enum broker_state state, const char *reason)
{
    int changed = state != b->state;

    if (!changed && strncmp(b->reason, reason, sizeof b->reason - 1) == 0)
        return;
    b->state = state;
    snprintf(b->reason, sizeof b->reason, "%s", reason);
    if (b->state_changed)
        b->state_changed(b->user, state, b->reason);
    for (struct broker_listener *l = changed ? b->listeners : NULL; l && b->state == state;
         l = b->next_listener) {
        b->next_listener = l->next;
        l->changed(l->user, state);
    }
    b->next_listener = NULL;
}

/* ---- Connecting ---- */

static void retry_cb(uv_timer_t *timer)
{
    broker_connect_start(timer->data);
}

/* Full jitter: many gateways lose the same broker at once. One round through the list of servers is one
 * step. */
static void schedule_retry(struct broker *b)
{
    uint32_t round = b->attempts / (b->servers.count ? b->servers.count : 1);
    uint64_t most = round < 6 ? (uint64_t)RETRY_FIRST_MS << round : RETRY_MOST_MS;

    if (most > RETRY_MOST_MS)
        most = RETRY_MOST_MS;
    if (b->attempts % (b->servers.count ? b->servers.count : 1) != 0)
        most = 20; /* the next server of the same round */
    uv_timer_start(&b->retry, retry_cb, 1 + broker_random(b) % most, 0);
}

static void drop_link(struct broker *b)
{
    b->linked = 0;
    b->unsent_bytes = 0;
    b->buffer_full = 0;
    b->server[0] = '\0';
    uv_timer_stop(&b->ping);
    broker_subscriptions_detach(b);
    broker_link_close(b->link);
    b->link = NULL;
}

static void link_failed(void *user, int refused, const char *reason)
{
    struct broker *b = user;
    char text[256];

    snprintf(text, sizeof text, "%.120s: %.130s", broker_link_server(b->link)->url, reason);
    drop_link(b);
    b->attempts++;
    b->refusals += refused ? 1 : 0;
    /* Refused by all of them from the start: a wrong configuration. Later it may be a key that is being
     * changed (credentials are read again each time), so that goes on. */
    if (!b->was_up && b->refusals >= b->servers.count) {
        broker_set_state(b, BROKER_CLOSED, text);
        return;
    }
    schedule_retry(b);
    broker_set_state(b, b->was_up ? BROKER_DOWN : BROKER_CONNECTING, text);
}

/* Servers that the cluster tells of are tried too when the connection is lost. */
static void learn_servers(struct broker *b, natsConnection *nc)
{
    struct broker_server teller = *broker_link_server(b->link);
    char **list = NULL;
    int count = 0;

    if (natsConnection_GetDiscoveredServers(nc, &list, &count) != NATS_OK)
        return;
    broker_servers_forget(&b->servers);
    for (int i = 0; i < count; i++) {
        broker_servers_learn(&b->servers, kanal_str_c(list[i]), &teller);
        free(list[i]);
    }
    free(list);
    explicit_bzero(&teller, sizeof teller);
}

static void link_connected(void *user)
{
    struct broker *b = user;
    natsConnection *nc = broker_link_connection(b->link);
    int64_t max_payload = natsConnection_GetMaxPayload(nc);

    b->max_payload = max_payload > 0 ? (uint64_t)max_payload : 1048576;
    snprintf(b->server, sizeof b->server, "%.255s", broker_link_server(b->link)->url);
    learn_servers(b, nc);
    b->linked = b->was_up = 1;
    b->attempts = b->refusals = 0;
    broker_subscriptions_attach(b);
    broker_ping_start(b);
    broker_set_state(b, BROKER_UP, "");
}

static void link_readable(void *user)
{
    struct broker *b = user;
    const char *text = NULL;

    broker_drain(b);
    if (!b->closing && b->linked &&
        natsConnection_GetLastError(broker_link_connection(b->link), &text) == NATS_NOT_PERMITTED && text)
        snprintf(b->violation, sizeof b->violation, "%s", text);
    if (!b->closing)
        broker_link_lost_check(b);
}

static void link_wants_write(void *user)
{
    broker_wake(user);
}

void broker_connect_start(struct broker *b)
{
    static const struct broker_link_events events = { link_connected, link_failed, link_readable,
                                                      link_wants_write };
    const struct broker_server *server = broker_servers_next(&b->servers);

    if (b->closing || b->link)
        return;
    if (broker_link_open(&b->link, b->loop, b->access, server, &events, b) != 0) {
        b->attempts++;
        schedule_retry(b);
    }
}

/* The connection is gone: everything under way may or may not have been stored. */
static void lost(struct broker *b, const char *reason)
{
    char text[256];

    snprintf(text, sizeof text, "%.120s: %.130s", b->server, reason);
    drop_link(b);
    schedule_retry(b);
    broker_set_state(b, BROKER_DOWN, text);
    if (!b->closing)
        broker_requests_fail(b, KANAL_E_MAYBE);
}

void broker_link_lost_check(struct broker *b)
{
    char reason[256];

    if (b->linked && broker_link_lost(b->link, reason))
        lost(b, reason);
}

/* ---- Is it there? ---- */

/* An echo: a message to our own inbox, every ping_ms. It takes the way of everything else, through buffers,
 * server and back; that the socket takes bytes says nothing about a broker that has stopped. Half a period after
 * each ping those without an answer are counted: two make the broker stalled, at most 2.5 periods after it
 * stopped. */
static void send_ping(struct broker *b)
{
    char subject[BROKER_INBOX_BYTES + BROKER_TOKEN_BYTES + 1];
    struct broker_out out = { 0 };

    memcpy(subject, b->inbox, b->inbox_len);
    subject[b->inbox_len] = 'p';
    out.subject = kanal_str_of(subject, b->inbox_len + 1 +
                                            broker_token_format(++b->ping_sent, subject + b->inbox_len + 1));
    (void)broker_send(b, &out, NULL);
}

static void judge(struct broker *b)
{
    if (b->ping_sent - b->ping_answered < 2)
        return;
    /* The answer may be here already and it was us who had no time. */
    broker_link_read(b->link);
    if (b->closing || !b->linked || b->ping_sent - b->ping_answered < 2)
        return;
    if (b->ping_sent - b->ping_answered >= LOST_AFTER_PINGS)
        lost(b, "no answer to pings: connection given up");
    else
        broker_set_state(b, BROKER_STALLED, "the broker does not answer pings");
}

void broker_ping_cb(uv_timer_t *timer)
{
    struct broker *b = timer->data;

    if (!b->linked || b->closing)
        return;
    if (b->ping_phase++ % 2 == 0)
        send_ping(b);
    else
        judge(b);
}

void broker_ping_start(struct broker *b)
{
    b->ping_answered = b->ping_sent;
    b->ping_phase = 0;
    uv_timer_start(&b->ping, broker_ping_cb, b->ping_ms / 2, b->ping_ms / 2);
}

void broker_ping_answered(struct broker *b, uint64_t number)
{
    if (number > b->ping_answered && number <= b->ping_sent)
        b->ping_answered = number;
    if (b->state == BROKER_STALLED && !b->buffer_full && b->ping_sent - b->ping_answered < 2)
        broker_set_state(b, BROKER_UP, "");
}
