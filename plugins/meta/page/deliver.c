#include "../graph.h"
#include "page.h"

#define TIMEOUT_MS 30000
#define UPLOAD_TIMEOUT_MS 120000
#define PARTS_MAX 8 /* recipient, messaging_type, tag, notification_type, persona_id, message, and the file */

struct delivery {
    struct kanal_channel *channel;
    kanal_op op;
    yyjson_doc *document;
    char type[32], person[META_ID_MAX + 1], target[META_ID_MAX + 1];
    struct page_outgoing outgoing;
};

static void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    yyjson_doc_free(delivery->document);
    page_outgoing_release(&delivery->outgoing);
    free(delivery);
}

/* ---- Answers ---- */

static void answer(struct delivery *delivery, const kanal_result *result)
{
    const kanal_host *host = delivery->channel->base.host;
    host->delivered(host, delivery->op, result);
    delivery_free(delivery);
}

static void refuse(struct delivery *delivery, const char *code, const char *reason, int32_t scope)
{
    kanal_result result = {
        .struct_size = sizeof result,
        .outcome = KANAL_FAILED,
        .scope = scope,
        .code = kanal_str_c(code),
        .reason = kanal_str_c(reason),
    };
    answer(delivery, &result);
}

static void answer_sent(struct delivery *delivery, const struct meta_reply *reply)
{
    kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_SENT };
    result.external_id = kanal_json_text_at(reply->root, "message_id");
    if (!delivery->outgoing.for_message)
        result.external_id = kanal_str_c(delivery->target[0] ? delivery->target : NULL);
    else if (result.external_id.len == 0 || result.external_id.len > META_ID_MAX)
        result = (kanal_result){ .struct_size = sizeof result,
                                 .outcome = KANAL_UNKNOWN, /* taken, it seems, but nobody knows as what */
                                 .code = KANAL_LIT("provider_error"),
                                 .reason = KANAL_LIT("the answer names no message") };
    kanal_health_set(&delivery->channel->base.health, META_ILL_TOKEN, KANAL_OK, kanal_str_of(NULL, 0));
    answer(delivery, &result);
}

static void on_reply(void *user, const struct meta_reply *reply)
{
    struct delivery *delivery = user;
    struct meta_channel *channel = &delivery->channel->base;
    uint32_t exchange = (delivery->outgoing.url.len > 0 ? KANAL_EXCHANGE_MEDIA : 0) |
                        (channel->calls.stopping != 0 ? KANAL_EXCHANGE_STOPPING : 0);
    char scratch[META_CODE_MAX];
    kanal_result result;
    if (reply->is_ok) {
        answer_sent(delivery, reply);
        return;
    }
    meta_result_of_reply(&result, reply, &page_rules, exchange, scratch);
    if (result.scope == KANAL_SCOPE_CHANNEL && result.outcome == KANAL_FAILED)
        kanal_health_set(&channel->health, META_ILL_TOKEN, KANAL_E_DENIED, result.reason);
    answer(delivery, &result);
}

/* ---- The request ---- */

/* The members as fields of a form: text as it is, objects as JSON; then the file. */
static size_t write_fields(kanal_part *parts, const struct page_outgoing *outgoing, yyjson_val *body,
                           char **texts)
{
    yyjson_val *key, *value;
    size_t index, max, count = 0;
    yyjson_obj_foreach (body, index, max, key, value) {
        if (count == PARTS_MAX - 1)
            break;
        parts[count].name = kanal_json_text(key);
        texts[count] = yyjson_is_str(value) ? NULL : yyjson_val_write(value, 0, NULL);
        parts[count].data = yyjson_is_str(value) ? kanal_json_text(value) : kanal_str_c(texts[count]);
        count++;
    }
    parts[count].name = KANAL_LIT("filedata");
    parts[count].filename = outgoing->filename;
    parts[count].content_type = outgoing->mime;
    parts[count].source_url = outgoing->url;
    return count + 1;
}

static kanal_status send(struct delivery *delivery, int64_t deadline_ms)
{
    struct page_outgoing *outgoing = &delivery->outgoing;
    struct meta_channel *channel = &delivery->channel->base;
    struct meta_request request = { .method = "POST",
                                    .path = KANAL_LIT("me/messages"),
                                    .json = kanal_buffer_view(&outgoing->json),
                                    .timeout_ms =
                                        kanal_call_timeout_ms(channel->host, deadline_ms, TIMEOUT_MS) };
    if (outgoing->url.len == 0)
        return meta_graph_call(channel, delivery->op, &request, on_reply, delivery);
    kanal_part parts[PARTS_MAX] = { 0 };
    char *texts[PARTS_MAX] = { 0 };
    yyjson_doc *document = kanal_json_parse(request.json);
    request.part_count = write_fields(parts, outgoing, yyjson_doc_get_root(document), texts);
    request.parts = parts;
    request.timeout_ms = kanal_call_timeout_ms(channel->host, deadline_ms, UPLOAD_TIMEOUT_MS);
    kanal_status status = meta_graph_call(channel, delivery->op, &request, on_reply, delivery);
    for (size_t i = 0; i < PARTS_MAX; i++)
        free(texts[i]);
    yyjson_doc_free(document);
    return status;
}

/* ---- The slot ---- */

void page_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    const struct page_self self = { channel->brand, kanal_str_c(channel->base.id),
                                    kanal_str_c(channel->page_id) };
    struct page_wish wish = { .brand = channel->brand, .way = channel->base.media };
    if (!delivery) {
        kanal_result result = { .struct_size = sizeof result,
                                .outcome = KANAL_RETRY,
                                .code = KANAL_LIT("unavailable"),
                                .reason = KANAL_LIT("out of memory") };
        channel->base.host->delivered(channel->base.host, op, &result);
        return;
    }
    delivery->channel = channel;
    delivery->op = op;
    delivery->document = kanal_json_parse(wanted->data);
    wish.type = kanal_str_keep(delivery->type, sizeof delivery->type, wanted->type);
    wish.target = kanal_str_keep(delivery->target, sizeof delivery->target, wanted->target_external_id);
    wish.data = yyjson_doc_get_root(delivery->document);
    if (page_person_of(&wish.person, &self, wanted->chat, wanted->address) != 0) {
        refuse(delivery, "recipient_unknown", "the chat or address is not one of this page or account",
               KANAL_SCOPE_RECIPIENT);
        return;
    }
    wish.person = kanal_str_keep(delivery->person, sizeof delivery->person, wish.person);
    kanal_status status = page_compose(&delivery->outgoing, &wish);
    if (status == KANAL_E_REJECTED)
        refuse(delivery, delivery->outgoing.refusal.error_code, delivery->outgoing.refusal.reason,
               KANAL_SCOPE_MESSAGE);
    else if (status != KANAL_OK || send(delivery, wanted->deadline_ms) != KANAL_OK)
        refuse(delivery, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
}
