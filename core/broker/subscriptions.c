#include "private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void broker_give_back(struct broker *b);

/* broker_inbox is a subscription to a subject of our own making. */
struct broker_inbox {
    struct broker_subscription subscription;
};

static void unlink_subscription(struct broker_subscription *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        s->broker->subscriptions = s->next;
    if (s->next)
        s->next->prev = s->prev;
}

static void free_subscription(struct broker_subscription *s)
{
    natsSubscription_Destroy(s->sub);
    free(s->subject);
    free(s->queue);
    free(s);
}

static void attach(struct broker_subscription *s, natsConnection *nc)
{
    natsStatus status;

    if (s->sub || s->dead || !nc)
        return;
    if (s->queue)
        status = natsConnection_QueueSubscribeSync(&s->sub, nc, s->subject, s->queue);
    else
        status = natsConnection_SubscribeSync(&s->sub, nc, s->subject);
    /* Drained after each read: the limits of cnats would only drop messages. */
    if (status == NATS_OK)
        natsSubscription_SetPendingLimits(s->sub, -1, -1);
}

void broker_subscriptions_attach(struct broker *b)
{
    for (struct broker_subscription *s = b->subscriptions; s; s = s->next)
        attach(s, broker_link_connection(b->link));
}

void broker_subscriptions_detach(struct broker *b)
{
    broker_give_back(b);
    for (struct broker_subscription *s = b->subscriptions; s; s = s->next) {
        natsSubscription_Destroy(s->sub);
        s->sub = NULL;
    }
}

static int add(struct broker *b, kanal_str subject, const char *queue, broker_message_fn *fn, void *user,
               size_t size, struct broker_subscription **ret_subscription)
{
    struct broker_subscription *s;

    if (!broker_subject_valid(subject, 1) || (queue && !broker_subject_valid(kanal_str_c(queue), 0)))
        return KANAL_E_INVALID;
    s = calloc(1, size);
    if (!s)
        return KANAL_E_INTERNAL;
    s->broker = b;
    s->fn = fn;
    s->user = user;
    s->subject = kanal_str_dup(subject);
    s->queue = queue ? strdup(queue) : NULL;
    if (!s->subject || (queue && !s->queue)) {
        free_subscription(s);
        return KANAL_E_INTERNAL;
    }
    s->next = b->subscriptions;
    if (s->next)
        s->next->prev = s;
    b->subscriptions = s;
    if (b->linked)
        attach(s, broker_link_connection(b->link));
    *ret_subscription = s;
    return 0;
}

int broker_subscribe(struct broker *b, const char *subject, const char *queue, broker_message_fn *fn,
                     void *user, struct broker_subscription **ret_subscription)
{
    return add(b, kanal_str_c(subject), queue, fn, user, sizeof(struct broker_subscription),
               ret_subscription);
}

void broker_unsubscribe(struct broker_subscription *s)
{
    if (!s || s->dead)
        return;
    if (s->broker->draining) {
        s->dead = 1;
        return;
    }
    unlink_subscription(s);
    free_subscription(s);
}

int broker_inbox_open(struct broker *b, broker_message_fn *fn, void *user, struct broker_inbox **ret_inbox)
{
    char subject[BROKER_INBOX_BYTES + 24];
    struct broker_subscription *s = NULL;
    int r;

    /* Two tokens below the prefix, so that the subscription for answers ("*") does not match it. */
    snprintf(subject, sizeof subject, "%si.%llx", b->inbox, (unsigned long long)++b->inbox_ids);
    r = add(b, kanal_str_c(subject), NULL, fn, user, sizeof(struct broker_inbox), &s);
    if (r == 0)
        *ret_inbox = (struct broker_inbox *)s;
    return r;
}

const char *broker_inbox_subject(const struct broker_inbox *inbox)
{
    return inbox->subscription.subject;
}

void broker_inbox_close(struct broker_inbox *inbox)
{
    if (inbox)
        broker_unsubscribe(&inbox->subscription);
}

int broker_subscriptions_init(struct broker *b)
{
    char subject[BROKER_INBOX_BYTES + 2];
    struct broker_subscription *s;
    int r;

    snprintf(subject, sizeof subject, "%s*", b->inbox);
    r = add(b, kanal_str_c(subject), NULL, NULL, NULL, sizeof *s, &s);
    if (r == 0)
        s->is_inbox = 1;
    return r;
}

void broker_subscriptions_free(struct broker *b)
{
    broker_give_back(b);
    for (struct broker_subscription *s = b->subscriptions, *next; s; s = next) {
        next = s->next;
        unlink_subscription(s);
        free_subscription(s);
    }
}

/* ---- Messages ---- */

/* Only messages without a payload are looked at: parsing headers costs more than all the rest. */
static int status_code(natsMsg *msg)
{
    const char *text = NULL;
    int64_t code;

    if (natsMsg_GetDataLength(msg) != 0 || natsMsgHeader_Get(msg, "Status", &text) != NATS_OK || !text)
        return 0;
    if (kanal_str_int(kanal_str_of(text, strnlen(text, 3)), &code) != 0 || code < 100)
        return 0;
    return (int)code;
}

kanal_str broker_in_header(const struct broker_in *in, const char *name)
{
    const char *value = NULL;

    if (!in->impl || natsMsgHeader_Get(in->impl, name, &value) != NATS_OK)
        return kanal_str_of(NULL, 0);
    return kanal_str_c(value);
}

static void deliver(struct broker *b, struct broker_subscription *s, natsMsg *msg)
{
    struct broker_in in = {
        .subject = kanal_str_c(natsMsg_GetSubject(msg)),
        .reply = kanal_str_c(natsMsg_GetReply(msg)),
        .payload = kanal_str_of(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg)),
        .code = status_code(msg),
        .impl = msg,
    };

    if (!s->is_inbox)
        s->fn(s->user, &in);
    else if (in.subject.len > b->inbox_len)
        broker_request_answered(b, kanal_str_from(in.subject, b->inbox_len), &in);
}

/* cnats turns such a message into a status and throws it away. */
static void deliver_nobody(struct broker *b, struct broker_subscription *s)
{
    struct broker_in in = { .subject = kanal_str_c(s->subject), .code = 503 };

    if (!s->is_inbox)
        s->fn(s->user, &in);
    else
        broker_request_nobody(b);
}

/* cnats frees messages on a thread of its own, which it wakes (a system call) for each one unless it is
 * busy already: so they are given back many at once. */
static void broker_give_back(struct broker *b)
{
    for (size_t i = 0; i < b->used_count; i++)
        natsMsg_Destroy(b->used[i]);
    b->used_count = b->used_bytes = 0;
}

void broker_done_with(struct broker *b, natsMsg *msg)
{
    if (!msg)
        return;
    b->used_bytes += (size_t)natsMsg_GetDataLength(msg);
    b->used[b->used_count++] = msg;
    if (b->used_count == BROKER_USED || b->used_bytes > BROKER_USED_BYTES)
        broker_give_back(b);
}

static void drain_one(struct broker *b, struct broker_subscription *s)
{
    int waiting = 0, nobody = 0;

    if (!s->sub || natsSubscription_GetPending(s->sub, &waiting, NULL) != NATS_OK)
        return;
    while (waiting-- > 0 && !s->dead && !b->closing && s->sub) {
        natsMsg *msg = NULL;
        natsStatus status = natsSubscription_NextMsg(&msg, s->sub, 0);

        if (status == NATS_OK) {
            deliver(b, s, msg);
            broker_done_with(b, msg);
        } else if (status == NATS_NO_RESPONDERS) {
            nobody = 1;
            deliver_nobody(b, s);
        } else {
            break;
        }
    }
    if (nobody && s->is_inbox && !b->closing)
        broker_request_answered(b, kanal_str_of(NULL, 0), NULL);
}

void broker_drain(struct broker *b)
{
    struct broker_subscription *next;

    if (b->draining)
        return;
    b->draining = 1;
    for (struct broker_subscription *s = b->subscriptions; s && !b->closing; s = s->next)
        drain_one(b, s);
    b->draining = 0;
    for (struct broker_subscription *s = b->subscriptions; s; s = next) {
        next = s->next;
        if (s->dead) {
            unlink_subscription(s);
            free_subscription(s);
        }
    }
}
