#include "cli/replay_read.h"

#include <stdio.h>

#include "cli/api.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"

#define NEXT_MS 5000
#define NOTHING_MS 400
#define NS_PER_MS INT64_C(1000000)
#define LOOKS_MAX 100000

static int failed(struct client *client, natsStatus s, const char *stream, char reason[256])
{
    char violation[256];
    client_take_violation(client, violation);
    if (violation[0] != '\0')
        snprintf(reason, 256, "the broker does not allow it: %.200s", violation);
    else
        snprintf(reason, 256, "%s cannot be read: %s", stream,
                 s == NATS_NOT_FOUND ? "there is no such stream" : natsStatus_GetText(s));
    return violation[0] != '\0' || s == NATS_NOT_FOUND ? CLI_FAILED : CLI_BROKER;
}

/* 1: behind the last one that is wanted. */
static int take(natsMsg *msg, int64_t to_ms, int (*each)(void *, const struct replay_message *), void *user,
                uint64_t *ret_pending, int *ret_code)
{
    jsMsgMetaData *meta = NULL;
    if (natsMsg_GetMetaData(&meta, msg) != NATS_OK) {
        *ret_pending = 0;
        return 1;
    }
    struct replay_message message = { .payload = kanal_str_of(natsMsg_GetData(msg),
                                                              (size_t)natsMsg_GetDataLength(msg)),
                                      .time_ms = meta->Timestamp / NS_PER_MS,
                                      .msg = msg };
    *ret_pending = meta->NumPending;
    jsMsgMetaData_Destroy(meta);
    if (message.time_ms > to_ms)
        return 1;
    *ret_code = each(user, &message);
    return *ret_code != CLI_OK;
}

static int drain(natsSubscription *sub, int64_t to_ms, int (*each)(void *, const struct replay_message *),
                 void *user, natsStatus *ret_status)
{
    jsConsumerInfo *info = NULL;
    uint64_t pending = 0;
    int code = CLI_OK, is_over = 0;
    *ret_status = natsSubscription_GetConsumerInfo(&info, sub, NULL, NULL);
    if (*ret_status == NATS_OK)
        pending = info->NumPending + info->Delivered.Consumer;
    jsConsumerInfo_Destroy(info);
    /* A number that is taken while the first messages are on their way may say none: a moment's silence says it for certain. */
    int64_t patience_ms = pending > 0 ? NEXT_MS : NOTHING_MS;
    for (int is_first = 1; *ret_status == NATS_OK && (pending > 0 || is_first) && !is_over; is_first = 0) {
        natsMsg *msg = NULL;
        *ret_status = natsSubscription_NextMsg(&msg, sub, patience_ms);
        if (*ret_status == NATS_OK)
            is_over = take(msg, to_ms, each, user, &pending, &code);
        else if (is_first && pending == 0 && *ret_status == NATS_TIMEOUT) {
            *ret_status = NATS_OK;
            is_over = 1;
        }
        patience_ms = NEXT_MS;
        natsMsg_Destroy(msg);
    }
    return code;
}

int replay_stream(struct client *client, const char *stream, const char *filter, int64_t from_ms,
                  int64_t to_ms, int (*each)(void *user, const struct replay_message *), void *user,
                  char reason[256])
{
    jsCtx *js = NULL;
    natsSubscription *sub = NULL;
    jsSubOptions options;
    int code = CLI_OK;
    natsStatus s = natsConnection_JetStream(&js, client->connection, NULL);
    if (s == NATS_OK)
        s = jsSubOptions_Init(&options);
    if (s == NATS_OK) {
        options.Stream = stream;
        options.Ordered = true;
        options.Config.DeliverPolicy = js_DeliverByStartTime;
        options.Config.OptStartTime = from_ms * NS_PER_MS;
        s = js_SubscribeSync(&sub, js, filter, NULL, &options, NULL);
    }
    if (s == NATS_OK)
        code = drain(sub, to_ms, each, user, &s);
    natsSubscription_Destroy(sub);
    jsCtx_Destroy(js);
    return s == NATS_OK ? code : failed(client, s, stream, reason);
}

/* The event that an answer of STREAM.MSG.GET holds. */
static yyjson_doc *event_of(yyjson_val *message)
{
    struct kanal_buffer text = { 0 };
    yyjson_doc *event = kanal_base64_decode(&text, kanal_json_text_at(message, "data"), 0) == 0
                            ? kanal_json_parse(kanal_buffer_view(&text))
                            : NULL;
    kanal_buffer_release(&text);
    return event;
}

yyjson_doc *replay_find(struct client *client, const char *stream, const char *subject, kanal_str id)
{
    int64_t sequence = 1;
    char api[128], body[640];
    snprintf(api, sizeof api, "STREAM.MSG.GET.%s", stream);
    for (int looks = 0; looks < LOOKS_MAX; looks++) {
        struct api_failure failure;
        snprintf(body, sizeof body, "{\"seq\":%lld,\"next_by_subj\":\"%s\"}", (long long)sequence, subject);
        yyjson_doc *answer = api_request(client, api, kanal_str_c(body), &failure);
        yyjson_val *message = kanal_json_at(yyjson_doc_get_root(answer), "message");
        yyjson_doc *event = message ? event_of(message) : NULL;
        sequence = kanal_json_int_at(message, "seq", 0) + 1;
        yyjson_doc_free(answer);
        if (!message)
            return NULL;
        if (kanal_str_equal(kanal_json_text_at(yyjson_doc_get_root(event), "id"), id))
            return event;
        yyjson_doc_free(event);
    }
    return NULL;
}
