#include "cli/feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/feed_inside.h"
#include "kanal/sdk/str.h"

#define LOOK_EVERY 64
#define RESUBSCRIBE_MS 2000

/* ---- Setting up ---- */

/* Live subscriptions must stand, and be allowed, before the caller goes on. */
static int settle(struct feed *feed, char *reason)
{
    natsStatus s = natsConnection_FlushTimeout(feed->client->connection, 5000);
    const char *words = NULL;

    /* The error's callback comes later, from another thread. */
    if (natsConnection_GetLastError(feed->client->connection, &words) == NATS_NOT_PERMITTED) {
        snprintf(reason, API_REASON, "the broker does not allow it: %s", words ? words : "");
        return CLI_FAILED;
    }
    if (s == NATS_OK)
        return CLI_OK;
    snprintf(reason, API_REASON, "the broker at %s does not answer: %s", feed->client->server,
             natsStatus_GetText(s));
    return CLI_BROKER;
}

int feed_new(struct feed **ret_feed, struct client *client, const struct feed_options *options, char *reason)
{
    struct feed *feed = calloc(1, sizeof *feed);
    int code = CLI_OK;

    snprintf(reason, API_REASON, "out of memory");
    if (!feed)
        return CLI_FAILED;
    feed->client = client;
    feed->since_ms = options->since_ms;
    feed->plain = options->since_ms == FEED_SINCE_NOW;
    feed->stored_only = options->stored_only;
    pthread_mutex_init(&feed->lock, NULL);
    pthread_cond_init(&feed->completed, NULL);
    feed_queue_init(&feed->incoming);
    for (size_t i = 0; code == CLI_OK && i < options->source_count && i < FEED_SOURCES; i++) {
        const struct feed_source *what = &options->sources[i];
        struct source *source = &feed->sources[feed->source_count];
        int stored = !feed->plain && filter_branch_stream(what->branch) != NULL;

        if (!stored && feed->stored_only)
            continue;
        feed->source_count++;
        source->feed = feed;
        source->branch = what->branch;
        snprintf(source->filter, sizeof source->filter, "%.*s", (int)what->filter.len, what->filter.ptr);
        feed_queue_init(&source->queue);
        code = feed_source_open(source, stored, reason);
    }
    if (code == CLI_OK)
        code = settle(feed, reason);
    if (code == CLI_OK)
        *ret_feed = feed;
    else
        feed_free(feed);
    return code;
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->source_count; i++) {
        feed_source_drop(&feed->sources[i]);
        natsSubscription_Destroy(feed->sources[i].subscription);
    }
    natsConnection_FlushTimeout(feed->client->connection, 1000);
    if (!feed_wait_for_inlets(feed))
        return; /* libnats still holds on to it: rather lost than used after its end */
    for (size_t i = 0; i < feed->source_count; i++)
        feed_queue_clear(&feed->sources[i].queue);
    feed_queue_clear(&feed->incoming);
    natsMsg_Destroy(feed->shown);
    pthread_cond_destroy(&feed->completed);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

/* ---- Reading ---- */

static kanal_str subject_of(const struct message *m)
{
    return kanal_str_c(natsMsg_GetSubject(m->msg));
}

/* Filters may overlap: an event belongs to the first source that matches it. */
static int is_others(const struct message *m)
{
    const struct feed *feed = m->source->feed;

    for (const struct source *s = feed->sources; s < m->source; s++)
        if (filter_covers(kanal_str_c(s->filter), subject_of(m)))
            return 1;
    return 0;
}

/* From libnats' thread into the sources' queues. */
static void sort_in(struct feed *feed)
{
    struct queue arrived;

    pthread_mutex_lock(&feed->lock);
    arrived = feed->incoming;
    if (!arrived.first)
        arrived.end = &arrived.first;
    feed_queue_init(&feed->incoming);
    pthread_mutex_unlock(&feed->lock);
    for (struct message *m; (m = feed_queue_take(&arrived));) {
        struct source *source = m->source;
        int old = m->generation != source->generation;

        if (old || feed_source_take_status(source, m->msg)) {
            feed_message_free(m);
            continue;
        }
        source->asked -= source->asked > 0;
        feed_queue_put(&source->queue, m);
    }
}

/* The source whose first event is the oldest; NULL: none is there, or an older one may still come from a source that is behind. */
static struct source *oldest(struct feed *feed)
{
    struct source *best = NULL;
    int64_t best_ns = 0;
    int behind = 0;

    for (size_t i = 0; i < feed->source_count; i++)
        behind |= feed->sources[i].behind;
    for (size_t i = 0; i < feed->source_count; i++) {
        struct source *s = &feed->sources[i];
        struct place place = { .time_ns = INT64_MAX };

        if (s->behind && !s->queue.first)
            return NULL;
        if (!s->queue.first || (behind && !s->stream[0]))
            continue;
        (void)feed_place_of(s->queue.first, &place);
        if (!best || place.time_ns < best_ns) {
            best = s;
            best_ns = place.time_ns;
        }
    }
    return best;
}

/* The next event, or NULL. */
static struct message *take_event(struct feed *feed)
{
    struct source *source;

    while ((source = oldest(feed))) {
        struct message *m = feed_queue_take(&source->queue);
        struct place place;

        if (source->stream[0] && feed_place_of(m, &place) == 0) {
            source->last_sequence = (uint64_t)place.sequence;
            if (place.pending == 0)
                source->behind = 0;
        }
        if (!is_others(m))
            return m;
        feed_message_free(m);
    }
    return NULL;
}

int feed_has_more(struct feed *feed)
{
    sort_in(feed);
    return oldest(feed) != NULL;
}

/* ---- Reconnecting ---- */

/* Makes anew what is missing; 0: all is there. */
static int repair(struct feed *feed)
{
    struct api_failure failure;
    int missing = 0;

    for (size_t i = 0; i < feed->source_count; i++) {
        struct source *source = &feed->sources[i];

        if (source->stream[0] && !source->consumer[0])
            missing |= feed_source_make(source, &failure) != CLI_OK;
    }
    return missing;
}

static enum feed_result on_change(struct feed *feed, enum client_event event, struct feed_item *item)
{
    const struct client *client = feed->client;
    char url[280] = "";

    if (event == CLIENT_LOST) {
        snprintf(item->text, sizeof item->text, "the connection to the broker is lost; trying again");
        return FEED_NOTICE;
    }
    if (event == CLIENT_CLOSED) {
        const char *words = NULL;

        natsConnection_GetLastError(client->connection, &words);
        snprintf(item->text, sizeof item->text, "the connection to the broker is closed for good: %s",
                 words ? words : "");
        return FEED_FAILED;
    }
    for (size_t i = 0; i < feed->source_count; i++)
        feed->sources[i].consumer[0] = '\0';
    feed->retry_ms = client_now_ms();
    /* libnats tells of the connection before the server has our subscriptions again: what came until then would be lost unsaid. */
    natsConnection_FlushTimeout(client->connection, RESUBSCRIBE_MS);
    natsConnection_GetConnectedUrl(client->connection, url, sizeof url);
    snprintf(item->text, sizeof item->text, "connected again, to %s%s", url,
             feed->plain ? "; what came meanwhile was not shown (--since would)" : "");
    return FEED_NOTICE;
}

static int say_dropped(struct feed *feed, struct feed_item *item)
{
    uint64_t dropped;

    pthread_mutex_lock(&feed->lock);
    dropped = feed->dropped;
    feed->dropped = 0;
    pthread_mutex_unlock(&feed->lock);
    if (dropped == 0)
        return 0;
    snprintf(item->text, sizeof item->text,
             "%llu events came faster than they could be shown and were left out",
             (unsigned long long)dropped);
    return 1;
}

static int is_done(const struct feed *feed)
{
    for (size_t i = 0; i < feed->source_count; i++)
        if (feed->sources[i].behind || feed->sources[i].queue.first)
            return 0;
    return feed->stored_only;
}

/* How long nothing has to be done. */
static int64_t idle_until(const struct feed *feed, int64_t until_ms)
{
    if (feed->retry_ms && feed->retry_ms < until_ms)
        until_ms = feed->retry_ms;
    for (size_t i = 0; i < feed->source_count; i++)
        if (feed->sources[i].asked > 0 && feed->sources[i].late_ms < until_ms)
            until_ms = feed->sources[i].late_ms;
    return until_ms;
}

static enum feed_result show(struct feed *feed, struct message *m, struct feed_item *item)
{
    natsMsg_Destroy(feed->shown);
    feed->shown = m->msg;
    item->subject = subject_of(m);
    item->payload = kanal_str_of(natsMsg_GetData(m->msg), (size_t)natsMsg_GetDataLength(m->msg));
    free(m);
    return FEED_EVENT;
}

/* Waits, at most until then. FEED_EVENT: look again. */
static enum feed_result wait(struct feed *feed, int64_t until_ms, struct feed_item *item)
{
    int64_t now_ms = client_now_ms();
    enum client_event event;

    event = client_wait(feed->client, until_ms == INT64_MAX ? -1 : until_ms > now_ms ? until_ms - now_ms : 0);
    if (event == CLIENT_INTERRUPTED)
        return FEED_INTERRUPTED;
    if (event != CLIENT_WOKEN)
        return event == CLIENT_TIMEOUT ? FEED_EVENT : on_change(feed, event, item);
    client_take_violation(feed->client, item->text);
    return item->text[0] != '\0' ? FEED_FAILED : FEED_EVENT;
}

enum feed_result feed_next(struct feed *feed, int64_t until_ms, struct feed_item *item)
{
    enum feed_result result = FEED_EVENT;

    /* Where events never end, signals are looked at now and then. */
    if (++feed->turns % LOOK_EVERY == 0)
        result = wait(feed, 0, item);
    while (result == FEED_EVENT) {
        int64_t now_ms = client_now_ms();
        struct message *m;

        if (feed->retry_ms && now_ms >= feed->retry_ms)
            feed->retry_ms = repair(feed) ? now_ms + FEED_RETRY_MS : 0;
        sort_in(feed);
        m = take_event(feed);
        for (size_t i = 0; i < feed->source_count; i++)
            feed_source_ask(&feed->sources[i], now_ms);
        if (m)
            return show(feed, m, item);
        if (is_done(feed))
            return FEED_DONE;
        if (say_dropped(feed, item))
            return FEED_NOTICE;
        if (now_ms >= until_ms)
            return FEED_TIMEOUT;
        result = wait(feed, idle_until(feed, until_ms), item);
    }
    return result;
}
