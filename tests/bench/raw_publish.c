#include "raw_publish.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

#define PENDING_MAX 16384
#define CHECK_CLOCK_EVERY 256
#define COMPLETE_MS 30000
#define ID_BYTES 28u /* "e_" and 26 more */

struct raw {
    natsConnection *connection;
    jsCtx *js;
    unsigned number; /* of this connection: part of each message id */
    uint64_t published;
};

static void check(natsStatus status, const char *what)
{
    if (status == NATS_OK)
        return;
    fprintf(stderr, "%s: %s\n", what,
            nats_GetLastError(NULL) ? nats_GetLastError(NULL) : natsStatus_GetText(status));
    exit(1);
}

struct raw *raw_connect(uint16_t port, int send_asap)
{
    static unsigned connections;
    struct raw *raw = calloc(1, sizeof *raw);
    natsOptions *options = NULL;
    jsOptions js;
    char url[64];
    if (!raw)
        exit(1);
    snprintf(url, sizeof url, "nats://127.0.0.1:%u", port);
    check(natsOptions_Create(&options), "raw");
    check(natsOptions_SetURL(options, url), "raw");
    check(natsOptions_SetSendAsap(options, send_asap), "raw");
    check(natsConnection_Connect(&raw->connection, options), "raw: connect");
    natsOptions_Destroy(options);
    jsOptions_Init(&js);
    js.PublishAsync.MaxPending = PENDING_MAX;
    check(natsConnection_JetStream(&raw->js, raw->connection, &js), "raw: jetstream");
    raw->number = ++connections;
    return raw;
}

void raw_close(struct raw *raw)
{
    if (!raw)
        return;
    jsCtx_Destroy(raw->js);
    natsConnection_Destroy(raw->connection);
    free(raw);
}

struct raw_event *raw_last_event(struct raw *raw, const char *stream)
{
    struct raw_event *event = calloc(1, sizeof *event);
    jsStreamInfo *info = NULL;
    natsMsg *message = NULL;
    check(js_GetStreamInfo(&info, raw->js, stream, NULL, NULL), stream);
    check(js_GetMsg(&message, raw->js, stream, info->State.LastSeq, NULL, NULL), "the last event");
    size_t bytes = (size_t)natsMsg_GetDataLength(message);
    if (!event || bytes > sizeof event->payload ||
        strlen(natsMsg_GetSubject(message)) >= sizeof event->subject)
        exit(1);
    event->payload_bytes = bytes;
    memcpy(event->payload, natsMsg_GetData(message), bytes);
    snprintf(event->subject, sizeof event->subject, "%s", natsMsg_GetSubject(message));
    natsMsg_Destroy(message);
    jsStreamInfo_Destroy(info);
    return event;
}

static void publish(struct raw *raw, const char *subject, const char *payload, size_t bytes, const char *id)
{
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MsgId = id;
    check(js_PublishAsync(raw->js, subject, payload, (int)bytes, &options), "raw: publish");
}

static void complete(struct raw *raw)
{
    jsPubOptions options;
    jsPubOptions_Init(&options);
    options.MaxWait = COMPLETE_MS;
    check(js_PublishAsyncComplete(raw->js, &options), "raw: confirmations");
}

double raw_publish_run(struct raw *raw, const struct raw_event *event, double seconds)
{
    uint64_t before = raw->published;
    char id[64];
    double start = bench_seconds();
    while (bench_seconds() < start + seconds)
        for (int i = 0; i < CHECK_CLOCK_EVERY; i++) {
            snprintf(id, sizeof id, "raw-%u-%020llu", raw->number,
                     (unsigned long long)raw->published++); /* as long as Kanal's */
            publish(raw, event->subject, event->payload, event->payload_bytes, id);
        }
    complete(raw);
    return (double)(raw->published - before) / (bench_seconds() - start);
}

void raw_lay_commands(struct raw *raw, const char *channel, const char *prefix, size_t count,
                      size_t recipients)
{
    char subject[128], id[64], payload[512];
    snprintf(subject, sizeof subject, "kanal.commands.%s.message.send", channel);
    for (size_t i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%s-%zu", prefix, i);
        int bytes =
            snprintf(payload, sizeof payload,
                     "{\"id\":\"%s\",\"to\":{\"address\":\"telegram:%zu\"},\"reference\":\"order-%zu\","
                     "\"content\":[{\"type\":\"text\",\"text\":\"Your order %zu is on its way; it will be "
                     "with you tomorrow before noon.\"}]}",
                     id, RAW_FIRST_RECIPIENT + i % recipients, i, i);
        publish(raw, subject, payload, (size_t)bytes, id);
    }
    complete(raw);
}

/* Writes over each place where the old id stands; both have 28 characters. */
static void replace_id(char *text, const char *old, const char *id)
{
    for (char *at = text; (at = strstr(at, old)); at += ID_BYTES)
        memcpy(at, id, ID_BYTES);
}

static void write_id(char id[ID_BYTES + 1], char kind, unsigned round, size_t number)
{
    snprintf(id, ID_BYTES + 1, "%c_%026u", kind, 0u);
    for (size_t i = 0; i < 12; i++, number /= 8)
        id[ID_BYTES - 1 - i] = "abcdefgh"[number % 8];
    id[2] = (char)('a' + round % 26);
    for (char *c = id + 2; *c; c++)
        *c = *c == '0' ? 'z' : *c;
}

void raw_lay_events(struct raw *raw, const struct raw_event *event, unsigned round, size_t count,
                    size_t nodes)
{
    char subject[256], payload[4097], node[ID_BYTES + 1] = "", old[ID_BYTES + 1] = "", id[ID_BYTES + 1],
                                                      customer[ID_BYTES + 1];
    const char *last = strrchr(event->subject, '.'), *first = strstr(event->payload, "\"e_");
    snprintf(node, sizeof node, "%s", last ? last + 1 : "");
    snprintf(old, sizeof old, "%.*s", (int)ID_BYTES, first ? first + 1 : "");
    for (size_t i = 0; i < count; i++) {
        snprintf(subject, sizeof subject, "%s", event->subject);
        memcpy(payload, event->payload, event->payload_bytes);
        payload[event->payload_bytes] = '\0';
        write_id(id, 'e', round, i);
        replace_id(payload, old, id);
        snprintf(customer, sizeof customer, "c%s", node + 1);
        write_id(id, 'c', 0, i / 4 % nodes); /* a message's steps come together */
        replace_id(payload, customer, id);
        id[0] = 'a';
        replace_id(payload, node, id);
        replace_id(subject, node, id);
        publish(raw, subject, payload, event->payload_bytes, NULL);
    }
    complete(raw);
}

double raw_consume(struct raw *raw, const char *stream, size_t count)
{
    natsSubscription *subscription = NULL;
    jsSubOptions options;
    jsSubOptions_Init(&options);
    options.Stream = stream;
    options.Config.AckPolicy = js_AckAll;
    options.Config.MaxAckPending = 4096;
    check(js_PullSubscribe(&subscription, raw->js, ">", "bench", NULL, &options, NULL), "raw: subscribe");
    double from = bench_seconds();
    for (size_t got = 0; got < count;) {
        natsMsgList list = { 0 };
        natsStatus status = natsSubscription_Fetch(&list, subscription, 512, 2000, NULL);
        if (status != NATS_OK && status != NATS_TIMEOUT)
            check(status, "raw: fetch");
        if (list.Count > 0)
            natsMsg_Ack(list.Msgs[list.Count - 1], NULL);
        got += (size_t)list.Count;
        natsMsgList_Destroy(&list);
    }
    double took = bench_seconds() - from;
    natsSubscription_Destroy(subscription);
    js_DeleteConsumer(raw->js, stream, "bench", NULL, NULL);
    return took;
}

uint64_t raw_messages(struct raw *raw, const char *stream)
{
    jsStreamInfo *info = NULL;
    check(js_GetStreamInfo(&info, raw->js, stream, NULL, NULL), stream);
    uint64_t messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return messages;
}

void raw_purge(struct raw *raw, const char *stream)
{
    check(js_PurgeStream(raw->js, stream, NULL, NULL), stream);
}

void raw_store(struct raw *raw, const char *subject, const char *payload, size_t bytes)
{
    check(js_PublishAsync(raw->js, subject, payload, (int)bytes, NULL), "raw: store");
}

void raw_settle(struct raw *raw)
{
    complete(raw);
}
