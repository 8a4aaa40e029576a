/* How messages get from libnats' thread to ours. */
#include <stdlib.h>
#include <time.h>

#include "cli/feed_inside.h"

#define CLOSE_S 3
#define WAITING_MAX 100000u /* plain messages that wait for being shown */

/* What a subscription's callback gets; freed when libnats has called back for the last time. */
struct inlet {
    struct source *source;
    uint32_t generation;
};

/* ---- Queues ---- */

void feed_queue_init(struct queue *q)
{
    *q = (struct queue){ .end = &q->first };
}

void feed_queue_put(struct queue *q, struct message *m)
{
    m->next = NULL;
    *q->end = m;
    q->end = &m->next;
    q->count++;
}

struct message *feed_queue_take(struct queue *q)
{
    struct message *m = q->first;

    if (!m)
        return NULL;
    q->first = m->next;
    if (!q->first)
        q->end = &q->first;
    q->count--;
    return m;
}

void feed_message_free(struct message *m)
{
    natsMsg_Destroy(m->msg);
    free(m);
}

void feed_queue_clear(struct queue *q)
{
    for (struct message *m; (m = feed_queue_take(q));)
        feed_message_free(m);
}

/* ---- What libnats' thread brings ---- */

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *msg, void *user)
{
    const struct inlet *inlet = user;
    struct feed *feed = inlet->source->feed;
    struct message *m = malloc(sizeof *m);

    (void)connection;
    (void)subscription;
    pthread_mutex_lock(&feed->lock);
    if (!m || (!inlet->source->stream[0] && feed->incoming.count >= WAITING_MAX)) {
        feed->dropped++;
        natsMsg_Destroy(msg);
        free(m);
    } else {
        *m = (struct message){ .msg = msg, .source = inlet->source, .generation = inlet->generation };
        feed_queue_put(&feed->incoming, m);
    }
    pthread_mutex_unlock(&feed->lock);
    client_wake(feed->client);
}

static void on_complete(void *user)
{
    struct inlet *inlet = user;
    struct feed *feed = inlet->source->feed;

    pthread_mutex_lock(&feed->lock);
    feed->inlets--;
    pthread_cond_signal(&feed->completed);
    pthread_mutex_unlock(&feed->lock);
    free(inlet);
}

natsStatus feed_subscribe(struct source *source, const char *subject)
{
    struct feed *feed = source->feed;
    struct inlet *inlet = calloc(1, sizeof *inlet);
    natsStatus s;

    if (!inlet)
        return NATS_NO_MEMORY;
    *inlet = (struct inlet){ source, source->generation };
    pthread_mutex_lock(&feed->lock);
    feed->inlets++;
    pthread_mutex_unlock(&feed->lock);
    s = natsConnection_Subscribe(&source->subscription, feed->client->connection, subject, on_message, inlet);
    if (s == NATS_OK)
        s = natsSubscription_SetPendingLimits(source->subscription, -1, -1); /* on_message() has its own */
    if (s == NATS_OK)
        s = natsSubscription_SetOnCompleteCB(source->subscription, on_complete, inlet);
    if (s == NATS_OK)
        return s;
    /* Nobody will call on_complete(). */
    natsSubscription_Destroy(source->subscription);
    source->subscription = NULL;
    on_complete(inlet);
    return s;
}

/* True when libnats is done with all subscriptions. */
int feed_wait_for_inlets(struct feed *feed)
{
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    pthread_mutex_lock(&feed->lock);
    while (feed->inlets > 0 && r == 0)
        r = pthread_cond_timedwait(&feed->completed, &feed->lock, &until);
    pthread_mutex_unlock(&feed->lock);
    return r == 0;
}
