#include "raw_publish.h"

#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

#define PENDING_MAX 16384
#define CHECK_CLOCK_EVERY 256
#define COMPLETE_MS 30000

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
