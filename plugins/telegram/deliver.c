#include "deliver.h"

#include "api.h"
#include "compose.h"
#include "kanal/sdk/calls.h"
#include "message.h"
#include "outcome.h"

#define CALLS_MAX 4 /* the first, and one for each reason to try again */
#define TIMEOUT_MS 30000
#define UPLOAD_TIMEOUT_MS 120000
#define PARTS_MAX 32 /* members of the parameters and a file: as many as the host takes */

struct delivery {
    struct kanal_channel *channel;
    kanal_op op;
    int64_t deadline_ms;
    yyjson_doc *document;
    char type[32];
    char target_external_id[TG_EXTERNAL_ID_MAX];
    struct tg_wish wish;
    struct tg_outgoing outgoing;
    uint32_t calls;
    int has_migrated;
};

static void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    yyjson_doc_free(delivery->document);
    tg_outgoing_release(&delivery->outgoing);
    free(delivery);
}

/* ---- Answers ---- */

static void answer(struct delivery *delivery, const kanal_result *result)
{
    const kanal_host *host = delivery->channel->host;
    host->delivered(host, delivery->op, result);
    delivery_free(delivery);
}

static void refuse(const kanal_host *host, kanal_op op, const char *code, const char *reason, int32_t scope)
{
    kanal_result result = {
        .struct_size = sizeof result,
        .outcome = KANAL_FAILED,
        .scope = scope,
        .code = kanal_str_c(code),
        .reason = kanal_str_c(reason),
    };
    host->delivered(host, op, &result);
}

static void refuse_delivery(struct delivery *delivery, const char *code, const char *reason, int32_t scope)
{
    refuse(delivery->channel->host, delivery->op, code, reason, scope);
    delivery_free(delivery);
}

/* The id of the message that Telegram made, in the form that events have. The chat is the answer's: a public
 * name was resolved. */
static void sent_id(char *out, const struct delivery *delivery, const struct tg_reply *reply)
{
    int64_t message_id = kanal_json_int_at(reply->result, "message_id", 0);
    struct tg_place place =
        tg_place_of(kanal_json_at(reply->result, "chat"), kanal_str_c(delivery->wish.target.business));
    if (place.id == 0)
        place.id = delivery->wish.target.chat_id;
    tg_external_id(out, &place, message_id);
}

static void answer_sent(struct delivery *delivery, const struct tg_reply *reply)
{
    char id[TG_EXTERNAL_ID_MAX] = "";
    kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_SENT };
    if (reply->is_ok && delivery->outgoing.for_message)
        sent_id(id, delivery, reply);
    if (!id[0] && strcmp(delivery->type, "message.send") != 0)
        kanal_str_keep(id, sizeof id, kanal_str_c(delivery->target_external_id));
    result.external_id = kanal_str_c(id[0] ? id : NULL);
    answer(delivery, &result);
}

static void answer_not_sent(struct delivery *delivery, const struct tg_reply *reply)
{
    const struct tg_target *target = &delivery->wish.target;
    char scratch[24];
    kanal_result result;
    struct tg_ask ask = {
        .is_upload = delivery->outgoing.field != NULL,
        .is_group = target->chat_id < 0 || target->username[0],
        .is_stopping = delivery->channel->calls.stopping != 0,
    };
    tg_result_of_reply(&result, reply, &ask, scratch);
    if (result.scope == KANAL_SCOPE_CHANNEL && result.outcome == KANAL_FAILED)
        kanal_health_set(&delivery->channel->health, TG_ILL_TOKEN, KANAL_E_DENIED, result.reason);
    answer(delivery, &result);
}

/* ---- Calls ---- */

static void start_call(struct delivery *);

/* Changes what is asked for so that another call has a chance. 0: none has. */
static int adjust(struct delivery *delivery, const struct tg_reply *reply)
{
    if (delivery->calls >= CALLS_MAX)
        return 0;
    switch (tg_again_of(reply)) {
    case TG_AGAIN_MIGRATED:
        if (delivery->has_migrated)
            return 0;
        delivery->has_migrated = 1;
        if (delivery->wish.message_chat == 0)
            delivery->wish.message_id = 0; /* of the old group; the new one numbers its own */
        delivery->wish.target.chat_id = reply->migrate_to;
        kanal_log(delivery->channel->host, delivery->op, KANAL_LOG_INFO,
                  "a group became a supergroup; its new chat is used for this delivery", reply->description);
        return strcmp(delivery->type, "message.send") == 0 || strcmp(delivery->type, "typing.start") == 0;
    case TG_AGAIN_UPLOAD:
        if (delivery->channel->settings.media != TG_MEDIA_AUTO || !delivery->outgoing.has_media)
            return 0;
        delivery->wish.way = TG_WAY_UPLOAD;
        return 1;
    case TG_AGAIN_CAPTION:
        if (delivery->wish.as_caption)
            return 0;
        delivery->wish.as_caption = 1;
        return 1;
    default:
        return 0;
    }
}

static void on_reply(void *user, const struct tg_reply *reply)
{
    struct delivery *delivery = user;
    if (reply->is_ok || tg_again_of(reply) == TG_AGAIN_UNCHANGED) {
        kanal_health_set(&delivery->channel->health, TG_ILL_TOKEN, KANAL_OK, kanal_str_of(NULL, 0));
        answer_sent(delivery, reply);
    } else if (adjust(delivery, reply)) {
        start_call(delivery);
    } else {
        answer_not_sent(delivery, reply);
    }
}

/* The parameters as fields of a form: text as it is, everything else as JSON. */
static size_t write_fields(kanal_part *parts, yyjson_val *parameters, char **texts)
{
    yyjson_val *key, *value;
    size_t index, max, count = 0;
    yyjson_obj_foreach (parameters, index, max, key, value) {
        if (count == PARTS_MAX - 1)
            break;
        kanal_part *part = &parts[count];
        part->name = kanal_json_text(key);
        if (yyjson_is_str(value)) {
            part->data = kanal_json_text(value);
        } else {
            texts[count] = yyjson_val_write(value, 0, NULL);
            part->data = kanal_str_c(texts[count]);
        }
        count++;
    }
    return count;
}

static struct kanal_call *call_upload(struct delivery *delivery, struct tg_request *request)
{
    const struct tg_outgoing *outgoing = &delivery->outgoing;
    kanal_part parts[PARTS_MAX] = { 0 };
    char *texts[PARTS_MAX] = { 0 };
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&outgoing->json));
    size_t count = write_fields(parts, yyjson_doc_get_root(document), texts);
    parts[count].name = kanal_str_c(outgoing->field);
    parts[count].filename = outgoing->filename;
    parts[count].content_type = outgoing->mime;
    parts[count].source_url = outgoing->url;
    request->parts = parts;
    request->part_count = count + 1;
    struct kanal_call *call = tg_api_call(delivery->channel, delivery->op, request, on_reply, delivery);
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    yyjson_doc_free(document);
    return call;
}

static void start_call(struct delivery *delivery)
{
    struct tg_outgoing *outgoing = &delivery->outgoing;
    tg_outgoing_release(outgoing);
    kanal_status status = tg_compose(outgoing, &delivery->wish);
    if (status == KANAL_E_REJECTED) {
        refuse_delivery(delivery, outgoing->error_code, outgoing->reason, KANAL_SCOPE_MESSAGE);
        return;
    }
    const uint32_t limit_ms = outgoing->field ? UPLOAD_TIMEOUT_MS : TIMEOUT_MS;
    struct tg_request request = { .method = outgoing->method,
                                  .timeout_ms = kanal_call_timeout_ms(delivery->channel->host,
                                                                      delivery->deadline_ms, limit_ms) };
    struct kanal_call *call = NULL;
    delivery->calls++;
    if (status == KANAL_OK && outgoing->field) {
        call = call_upload(delivery, &request);
    } else if (status == KANAL_OK) {
        request.json = kanal_buffer_view(&outgoing->json);
        call = tg_api_call(delivery->channel, delivery->op, &request, on_reply, delivery);
    }
    if (!call)
        refuse_delivery(delivery, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
}

/* ---- The slot ---- */

/* Whom it is for, and which message it is about. NULL, or an error code. */
static const char *find_target(struct delivery *delivery, const kanal_delivery *wanted)
{
    struct tg_wish *wish = &delivery->wish;
    struct tg_target of_message;
    int has_chat = wanted->chat.len > 0 ? tg_target_of_chat(&wish->target, wanted->chat) == 0
                                        : tg_target_of_address(&wish->target, wanted->address) == 0;
    if (wanted->target_external_id.len == 0)
        return has_chat ? NULL : "recipient_unknown";
    if (tg_target_of_message(&of_message, &wish->message_id, wanted->target_external_id) != 0)
        return "message_not_found";
    if (!has_chat || strcmp(delivery->type, "message.send") != 0)
        wish->target = of_message; /* a message is where it is */
    else if (wish->target.chat_id != of_message.chat_id)
        wish->message_chat = of_message.chat_id;
    return NULL;
}

void tg_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery) {
        refuse(channel->host, op, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
        return;
    }
    delivery->channel = channel;
    delivery->op = op;
    delivery->deadline_ms = wanted->deadline_ms;
    delivery->document = kanal_json_parse(wanted->data);
    kanal_str_keep(delivery->type, sizeof delivery->type, wanted->type);
    kanal_str_keep(delivery->target_external_id, sizeof delivery->target_external_id,
                   wanted->target_external_id);
    delivery->wish.type = kanal_str_c(delivery->type);
    delivery->wish.data = yyjson_doc_get_root(delivery->document);
    delivery->wish.way = channel->settings.media == TG_MEDIA_UPLOAD ? TG_WAY_UPLOAD : TG_WAY_URL;
    const char *code = find_target(delivery, wanted);
    if (code)
        refuse_delivery(delivery, code, "the chat or message is not one of Telegram's",
                        strcmp(code, "recipient_unknown") == 0 ? KANAL_SCOPE_RECIPIENT : KANAL_SCOPE_MESSAGE);
    else
        start_call(delivery);
}
