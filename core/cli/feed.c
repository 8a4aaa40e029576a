#include "cli/feed.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "broker/topology.h"
#include "cli/api.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

#define BATCH 256
#define EXPIRES_MS 30000 /* of one request for messages */
#define LATE_MS 5000     /* the server forgot to say that the request is over */
#define FORGOTTEN_S 60   /* a consumer that nobody asks */
#define RETRY_MS 1000
#define CLOSE_S 3
#define LOOK_EVERY 64
#define WAITING_MAX 100000u /* plain messages that wait for being shown */

struct message {
    struct message *next;
    natsMsg *msg;
    struct source *source;
    uint32_t generation;
};

struct queue {
    struct message *first, **end;
    size_t count;
};

/* What a subscription's callback gets; freed when libnats has called back for the last time. */
struct inlet {
    struct source *source;
    uint32_t generation;
};

struct source {
    struct feed *feed;
    const struct feed_source *what;
    natsSubscription *subscription; /* a plain one, or our inbox */
    char stream[64], consumer[64];  /* "": none was made yet */
    char inbox[64];
    uint32_t generation;    /* of the consumer; messages of earlier ones are dropped */
    uint64_t last_sequence; /* handed over; 0: none */
    int behind;             /* stored events are still to come */
    int64_t asked;          /* messages that were asked for and did not come yet */
    int64_t late_ms;        /* then the request counts as lost */
    struct queue queue;
};

struct feed {
    struct client *client;
    struct source sources[FEED_SOURCES];
    size_t source_count;
    int64_t since_ms;
    int stored_only, plain; /* plain: no streams */
    uint32_t turns;
    int64_t retry_ms; /* when consumers that could not be made are tried again; 0: all are there */
    pthread_mutex_t lock;
    pthread_cond_t completed;
    struct queue incoming; /* guarded by lock, as are: */
    uint64_t dropped;
    size_t inlets;
    natsMsg *shown;
};

/* ---- Queues ---- */

static void queue_init(struct queue *q)
{
    *q = (struct queue){ .end = &q->first };
}

static void queue_put(struct queue *q, struct message *m)
{
    m->next = NULL;
    *q->end = m;
    q->end = &m->next;
    q->count++;
}

static struct message *queue_take(struct queue *q)
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

static void queue_clear(struct queue *q)
{
    for (struct message *m; (m = queue_take(q));) {
        natsMsg_Destroy(m->msg);
        free(m);
    }
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
        queue_put(&feed->incoming, m);
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

static natsStatus subscribe(struct source *source, const char *subject)
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

/* ---- Consumers ---- */

static void write_consumer(const struct source *source, struct kanal_buffer *out)
{
    const struct feed *feed = source->feed;
    struct kanal_json json;

    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "stream_name", source->stream);
    kanal_json_key(&json, "config");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "description", "kanal tail");
    kanal_json_member_str(&json, "filter_subject", source->what->filter);
    kanal_json_member_text(&json, "ack_policy", "none");
    kanal_json_member_text(&json, "replay_policy", "instant");
    kanal_json_member_int(&json, "inactive_threshold", FORGOTTEN_S * INT64_C(1000000000));
    kanal_json_member_bool(&json, "mem_storage", 1);
    kanal_json_member_int(&json, "num_replicas", 1);
    if (source->last_sequence > 0) {
        kanal_json_member_text(&json, "deliver_policy", "by_start_sequence");
        kanal_json_member_int(&json, "opt_start_seq", (int64_t)source->last_sequence + 1);
    } else if (feed->since_ms > 0) {
        kanal_json_member_text(&json, "deliver_policy", "by_start_time");
        kanal_json_member_time(&json, "opt_start_time", feed->since_ms);
    } else {
        kanal_json_member_text(&json, "deliver_policy", "all");
    }
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
}

static void drop_consumer(struct source *source)
{
    char subject[256];

    if (!source->consumer[0])
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.%s.%s", source->stream, source->consumer);
    (void)natsConnection_Publish(source->feed->client->connection, subject, NULL, 0);
    source->consumer[0] = '\0';
}

/* A new consumer and a new inbox: what still comes for the one before is recognised by its generation. */
static int make_consumer(struct source *source, struct api_failure *failure)
{
    struct feed *feed = source->feed;
    struct kanal_buffer body = { 0 };
    char subject[128];
    natsInbox *inbox = NULL;
    yyjson_doc *answer;
    kanal_str name;
    natsStatus s;

    natsSubscription_Destroy(source->subscription);
    source->subscription = NULL;
    queue_clear(&source->queue);
    source->generation++;
    write_consumer(source, &body);
    snprintf(subject, sizeof subject, "CONSUMER.CREATE.%s", source->stream);
    answer = api_request(feed->client, subject, kanal_buffer_view(&body), failure);
    kanal_buffer_release(&body);
    if (!answer)
        return failure->code;
    name = kanal_json_text_at(yyjson_doc_get_root(answer), "name");
    snprintf(source->consumer, sizeof source->consumer, "%.*s", (int)name.len, name.ptr ? name.ptr : "");
    source->behind =
        feed->stored_only || kanal_json_int_at(yyjson_doc_get_root(answer), "num_pending", 0) > 0;
    yyjson_doc_free(answer);
    source->asked = 0;
    s = natsInbox_Create(&inbox);
    if (s == NATS_OK) {
        snprintf(source->inbox, sizeof source->inbox, "%s", (const char *)inbox);
        s = subscribe(source, source->inbox);
    }
    natsInbox_Destroy(inbox);
    if (s == NATS_OK)
        return CLI_OK;
    failure->code = CLI_BROKER;
    snprintf(failure->reason, API_REASON, "cannot subscribe: %s", natsStatus_GetText(s));
    return failure->code;
}

/* Asks for the next batch when the one before has come. */
static void ask(struct source *source, int64_t now_ms)
{
    struct feed *feed = source->feed;
    char subject[256], body[96];

    if (!source->consumer[0] || source->queue.count >= BATCH ||
        (source->asked > 0 && now_ms < source->late_ms))
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.MSG.NEXT.%s.%s", source->stream, source->consumer);
    if (feed->stored_only)
        snprintf(body, sizeof body, "{\"batch\":%d,\"no_wait\":true}", BATCH);
    else
        snprintf(body, sizeof body, "{\"batch\":%d,\"expires\":%d000000}", BATCH, EXPIRES_MS);
    if (natsConnection_PublishRequestString(feed->client->connection, subject, source->inbox, body) !=
        NATS_OK)
        return;
    source->asked = BATCH;
    source->late_ms = now_ms + (feed->stored_only ? 0 : EXPIRES_MS) + LATE_MS;
}

/* ---- Setting up ---- */

static int open_plain(struct source *source, char *reason)
{
    char filter[512];
    natsStatus s;

    snprintf(filter, sizeof filter, "%.*s", (int)source->what->filter.len, source->what->filter.ptr);
    s = subscribe(source, filter);
    if (s == NATS_OK)
        return CLI_OK;
    snprintf(reason, API_REASON, "cannot subscribe to %.300s: %s", filter, natsStatus_GetText(s));
    return CLI_BROKER;
}

static int open_stored(struct source *source, char *reason)
{
    struct api_failure failure;
    int code;

    topology_stream_name(source->feed->client->prefix, filter_branch_stream(source->what->branch),
                         source->stream);
    code = make_consumer(source, &failure);
    if (code == CLI_OK)
        return CLI_OK;
    if (failure.error == API_STREAM_NOT_FOUND)
        snprintf(reason, API_REASON,
                 "there is no stream %s at %.200s: has a gateway with the prefix '%s' run there?",
                 source->stream, source->feed->client->server, source->feed->client->prefix);
    else
        snprintf(reason, API_REASON, "cannot read %s: %.300s", source->stream, failure.reason);
    return code;
}

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
    queue_init(&feed->incoming);
    for (size_t i = 0; code == CLI_OK && i < options->source_count && i < FEED_SOURCES; i++) {
        const struct feed_source *what = &options->sources[i];
        struct source *source = &feed->sources[feed->source_count];
        int stored = !feed->plain && filter_branch_stream(what->branch) != NULL;

        if (!stored && feed->stored_only)
            continue;
        feed->source_count++;
        source->feed = feed;
        source->what = what;
        queue_init(&source->queue);
        code = stored ? open_stored(source, reason) : open_plain(source, reason);
    }
    if (code == CLI_OK)
        code = settle(feed, reason);
    if (code == CLI_OK)
        *ret_feed = feed;
    else
        feed_free(feed);
    return code;
}

/* True when libnats is done with all subscriptions. */
static int wait_for_inlets(struct feed *feed)
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

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->source_count; i++) {
        drop_consumer(&feed->sources[i]);
        natsSubscription_Destroy(feed->sources[i].subscription);
    }
    natsConnection_FlushTimeout(feed->client->connection, 1000);
    if (!wait_for_inlets(feed))
        return; /* libnats still holds on to it: rather lost than used after its end */
    for (size_t i = 0; i < feed->source_count; i++)
        queue_clear(&feed->sources[i].queue);
    queue_clear(&feed->incoming);
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
        if (filter_covers(s->what->filter, subject_of(m)))
            return 1;
    return 0;
}

/* Where a stored event stands in its stream. */
struct place {
    int64_t sequence, time_ns, pending;
};

/* From its reply subject, "$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer's>.<time>.<pending>", with domain and account
 * before the stream and perhaps one token more at the end. 0, or -1: it is none. */
static int place_of(const struct message *m, struct place *ret)
{
    kanal_str rest = kanal_str_c(natsMsg_GetReply(m->msg)), tokens[13];
    size_t count = 0, first;

    if (!rest.ptr || !kanal_str_starts(rest, "$JS.ACK."))
        return -1;
    for (; rest.len > 0 && count < 13; count++) {
        const char *dot = memchr(rest.ptr, '.', rest.len);

        tokens[count] = kanal_str_of(rest.ptr, dot ? (size_t)(dot - rest.ptr) : rest.len);
        rest = kanal_str_from(rest, tokens[count].len + 1);
    }
    first = count == 9 ? 4 : 6;
    if (count < first + 5 || kanal_str_int(tokens[first + 1], &ret->sequence) != 0 ||
        kanal_str_int(tokens[first + 3], &ret->time_ns) != 0 ||
        kanal_str_int(tokens[first + 4], &ret->pending) != 0)
        return -1;
    return 0;
}

/* What the server says instead of a message: there is none now (404), nothing came for the length of the request (408) … */
static void on_status(struct source *source, natsMsg *msg)
{
    const char *status = NULL;

    natsMsgHeader_Get(msg, "Status", &status);
    if (status && strcmp(status, "100") == 0) /* a heartbeat */
        return;
    source->asked = 0;
    /* The consumer is gone (503: nobody hears it, 409: deleted, or its server stops): it is made anew. */
    if (status && (strcmp(status, "503") == 0 || strcmp(status, "409") == 0)) {
        source->consumer[0] = '\0';
        source->feed->retry_ms = client_now_ms() + RETRY_MS;
        return;
    }
    source->behind = 0;
}

static int is_status(natsMsg *msg)
{
    const char *status = NULL;

    return natsMsg_GetDataLength(msg) == 0 && natsMsgHeader_Get(msg, "Status", &status) == NATS_OK;
}

/* From libnats' thread into the sources' queues. */
static void sort_in(struct feed *feed)
{
    struct queue arrived;

    pthread_mutex_lock(&feed->lock);
    arrived = feed->incoming;
    if (!arrived.first)
        arrived.end = &arrived.first;
    queue_init(&feed->incoming);
    pthread_mutex_unlock(&feed->lock);
    for (struct message *m; (m = queue_take(&arrived));) {
        struct source *source = m->source;
        int old = m->generation != source->generation;

        if (!old && is_status(m->msg)) {
            on_status(source, m->msg);
            old = 1;
        }
        if (old) {
            natsMsg_Destroy(m->msg);
            free(m);
            continue;
        }
        source->asked -= source->asked > 0;
        queue_put(&source->queue, m);
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
        (void)place_of(s->queue.first, &place);
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
        struct message *m = queue_take(&source->queue);
        struct place place;

        if (source->stream[0] && place_of(m, &place) == 0) {
            source->last_sequence = (uint64_t)place.sequence;
            if (place.pending == 0)
                source->behind = 0;
        }
        if (!is_others(m))
            return m;
        natsMsg_Destroy(m->msg);
        free(m);
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
            missing |= make_consumer(source, &failure) != CLI_OK;
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
            feed->retry_ms = repair(feed) ? now_ms + RETRY_MS : 0;
        sort_in(feed);
        m = take_event(feed);
        for (size_t i = 0; i < feed->source_count; i++)
            ask(&feed->sources[i], now_ms);
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
