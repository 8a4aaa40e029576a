/* One source of a feed: a plain subscription, or a consumer over a stream. */
#include <stdio.h>

#include "broker/topology.h"
#include "cli/feed_inside.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define BATCH 256
#define EXPIRES_MS 30000 /* of one request for messages */
#define LATE_MS 5000     /* the server forgot to say that the request is over */
#define FORGOTTEN_S 60   /* a consumer that nobody asks */

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
    kanal_json_member_text(&json, "filter_subject", source->filter);
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

void feed_source_drop(struct source *source)
{
    char subject[256];

    if (!source->consumer[0])
        return;
    snprintf(subject, sizeof subject, "$JS.API.CONSUMER.DELETE.%s.%s", source->stream, source->consumer);
    (void)natsConnection_Publish(source->feed->client->connection, subject, NULL, 0);
    source->consumer[0] = '\0';
}

/* A new consumer and a new inbox: what still comes for the one before is recognised by its generation. */
int feed_source_make(struct source *source, struct api_failure *failure)
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
    feed_queue_clear(&source->queue);
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
        s = feed_subscribe(source, source->inbox);
    }
    natsInbox_Destroy(inbox);
    if (s == NATS_OK)
        return CLI_OK;
    failure->code = CLI_BROKER;
    snprintf(failure->reason, API_REASON, "cannot subscribe: %s", natsStatus_GetText(s));
    return failure->code;
}

void feed_source_ask(struct source *source, int64_t now_ms)
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

/* ---- Opening ---- */

static int open_plain(struct source *source, char *reason)
{
    natsStatus s = feed_subscribe(source, source->filter);

    if (s == NATS_OK)
        return CLI_OK;
    snprintf(reason, API_REASON, "cannot subscribe to %.300s: %s", source->filter, natsStatus_GetText(s));
    return CLI_BROKER;
}

static int open_stored(struct source *source, char *reason)
{
    struct api_failure failure;
    int code;

    topology_stream_name(source->feed->client->prefix, filter_branch_stream(source->branch), source->stream);
    code = feed_source_make(source, &failure);
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

int feed_source_open(struct source *source, int stored, char *reason)
{
    return stored ? open_stored(source, reason) : open_plain(source, reason);
}

/* ---- What comes ---- */

/* From its reply subject, "$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer's>.<time>.<pending>", with domain and account
 * before the stream and perhaps one token more at the end. 0, or -1: it is none. */
int feed_place_of(const struct message *m, struct place *ret)
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
static void on_status(struct source *source, const char *status)
{
    if (strcmp(status, "100") == 0) /* a heartbeat */
        return;
    source->asked = 0;
    /* The consumer is gone (503: nobody hears it, 409: deleted, or its server stops): it is made anew. */
    if (strcmp(status, "503") == 0 || strcmp(status, "409") == 0) {
        source->consumer[0] = '\0';
        source->feed->retry_ms = client_now_ms() + FEED_RETRY_MS;
        return;
    }
    source->behind = 0;
}

int feed_source_take_status(struct source *source, natsMsg *msg)
{
    const char *status = NULL;

    if (natsMsg_GetDataLength(msg) > 0 || natsMsgHeader_Get(msg, "Status", &status) != NATS_OK)
        return 0;
    on_status(source, status);
    return 1;
}
