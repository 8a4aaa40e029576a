#include "deliver.h"

#include "../meta/graph.h"
#include "callback.h"
#include "compose.h"
#include "rules.h"
#include "webhook.h"
#include "window.h"

#define TIMEOUT_MS 30000
#define UPLOAD_TIMEOUT_MS 120000
#define MEDIA_ID_MAX 256

struct delivery {
    struct kanal_channel *channel;
    kanal_op op;
    int64_t deadline_ms;
    yyjson_doc *document;
    char type[32], target[META_ID_MAX + 1], to[META_ID_MAX + 1], media_id[MEDIA_ID_MAX];
    struct kanal_buffer callback;
    struct wa_wish wish;
    struct wa_outgoing outgoing;
};

static void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    yyjson_doc_free(delivery->document);
    kanal_buffer_release(&delivery->callback);
    wa_outgoing_release(&delivery->outgoing);
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

static void answer_not_sent(struct delivery *delivery, const struct meta_reply *reply, int is_upload)
{
    struct meta_channel *channel = &delivery->channel->base;
    uint32_t exchange = (is_upload ? KANAL_EXCHANGE_MEDIA | KANAL_EXCHANGE_PREPARES : 0) |
                        (channel->calls.stopping != 0 ? KANAL_EXCHANGE_STOPPING : 0);
    char scratch[META_CODE_MAX];
    kanal_result result;
    meta_result_of_reply(&result, reply, &wa_rules, exchange, scratch);
    if (result.scope == KANAL_SCOPE_CHANNEL && result.outcome == KANAL_FAILED)
        kanal_health_set(&channel->health, META_ILL_TOKEN, KANAL_E_DENIED, result.reason);
    answer(delivery, &result);
}

static void answer_sent(struct delivery *delivery, const struct meta_reply *reply)
{
    yyjson_val *message = yyjson_arr_get_first(kanal_json_at(reply->root, "messages"));
    kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_SENT };
    result.external_id = kanal_json_text_at(message, "id");
    if (!delivery->outgoing.for_message)
        result.external_id = delivery->wish.target;
    if (result.external_id.len == 0 || result.external_id.len > META_ID_MAX) {
        result.outcome = KANAL_UNKNOWN; /* taken, it seems, but nobody knows as what */
        result.external_id = kanal_str_of(NULL, 0);
        result.code = KANAL_LIT("provider_error");
        result.reason = KANAL_LIT("the answer names no message");
    }
    kanal_health_set(&delivery->channel->base.health, META_ILL_TOKEN, KANAL_OK, kanal_str_of(NULL, 0));
    answer(delivery, &result);
}

/* ---- Steps ---- */

static kanal_status call(struct delivery *delivery, const char *edge, struct meta_request *request,
                         meta_reply_fn *done)
{
    struct kanal_buffer path = { 0 };
    kanal_status status;
    kanal_buffer_text(&path, delivery->channel->base.account);
    kanal_buffer_text(&path, edge);
    request->method = "POST";
    request->path = kanal_buffer_view(&path);
    status = meta_graph_call(&delivery->channel->base, delivery->op, request, done, delivery);
    kanal_buffer_release(&path);
    return status;
}

static void on_sent(void *user, const struct meta_reply *reply)
{
    if (reply->is_ok)
        answer_sent(user, reply);
    else
        answer_not_sent(user, reply, 0);
}

static void compose_and_send(struct delivery *delivery);

static void on_uploaded(void *user, const struct meta_reply *reply)
{
    struct delivery *delivery = user;
    char scratch[24];
    if (reply->is_ok)
        delivery->wish.media_id = kanal_str_keep(delivery->media_id, sizeof delivery->media_id,
                                                 kanal_json_id_at(reply->root, "id", scratch));
    if (delivery->wish.media_id.len > 0)
        compose_and_send(delivery);
    else
        answer_not_sent(delivery, reply, 1);
}

static kanal_status upload(struct delivery *delivery)
{
    const struct wa_outgoing *outgoing = &delivery->outgoing;
    const kanal_part parts[] = {
        { .name = KANAL_LIT("messaging_product"), .data = KANAL_LIT("whatsapp") },
        { .name = KANAL_LIT("file"),
          .filename = outgoing->filename,
          .content_type = outgoing->mime,
          .source_url = outgoing->url },
    };
    struct meta_request request = { .parts = parts,
                                    .part_count = 2,
                                    .timeout_ms =
                                        kanal_call_timeout_ms(delivery->channel->base.host,
                                                              delivery->deadline_ms, UPLOAD_TIMEOUT_MS) };
    return call(delivery, "/media", &request, on_uploaded);
}

static void compose_and_send(struct delivery *delivery)
{
    struct wa_outgoing *outgoing = &delivery->outgoing;
    wa_outgoing_release(outgoing);
    kanal_status status = wa_compose(outgoing, &delivery->wish);
    if (status == KANAL_E_REJECTED) {
        refuse(delivery, outgoing->refusal.error_code, outgoing->refusal.reason, KANAL_SCOPE_MESSAGE);
        return;
    }
    struct meta_request request = { .json = kanal_buffer_view(&outgoing->json),
                                    .timeout_ms = kanal_call_timeout_ms(delivery->channel->base.host,
                                                                        delivery->deadline_ms, TIMEOUT_MS) };
    if (status == KANAL_OK)
        status = outgoing->needs_upload ? upload(delivery) : call(delivery, "/messages", &request, on_sent);
    if (status != KANAL_OK)
        refuse(delivery, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
}

/* ---- The window ---- */

/* A template needs no window, and what is malformed is refused at once. */
static int is_free(struct delivery *delivery)
{
    wa_outgoing_release(&delivery->outgoing);
    return wa_compose(&delivery->outgoing, &delivery->wish) == KANAL_OK && delivery->outgoing.is_free;
}

static void on_window(void *user, const struct wa_window *window)
{
    struct delivery *delivery = user;
    const kanal_host *host = delivery->channel->base.host;
    int is_typing = kanal_str_is(delivery->wish.type, "typing.start");
    struct kanal_buffer reason = { 0 };
    if (is_typing)
        delivery->wish.target =
            kanal_str_keep(delivery->target, sizeof delivery->target, kanal_str_c(window->message_id));
    if (is_typing || !wa_window_is_closed(window, host->now_ms(host))) {
        compose_and_send(delivery);
        return;
    }
    kanal_buffer_text(&reason, "the customer last wrote at ");
    kanal_time_rfc3339(&reason, window->last_ms);
    kanal_buffer_text(&reason, "; WhatsApp takes only templates 24 hours later");
    kanal_buffer_byte(&reason, 0);
    kanal_count(delivery->channel->base.host, "window_closed");
    refuse(delivery, "window_closed", reason.failed ? "only templates now" : reason.data,
           KANAL_SCOPE_MESSAGE);
    kanal_buffer_release(&reason);
}

/* ---- The slot ---- */

static int find_recipient(struct delivery *delivery, const kanal_delivery *wanted)
{
    kanal_str told = wanted->chat.len > 0 ? wanted->chat : wanted->address;
    kanal_str kept = kanal_str_keep(delivery->to, sizeof delivery->to, told);
    return wanted->chat.len > 0 ? wa_to_of_chat(&delivery->wish.to, kept)
                                : wa_to_of_address(&delivery->wish.to, kept);
}

/* The chat that the window is kept under, as webhooks name it: a telephone without its '+'. */
static kanal_str window_chat(const struct wa_to *to)
{
    int has_plus = to->kind == WA_TO_PHONE && kanal_str_starts(to->id, "+");
    return kanal_str_from(to->id, has_plus ? 1 : 0);
}

static void begin(struct delivery *delivery, const kanal_delivery *wanted)
{
    struct kanal_channel *channel = delivery->channel;
    struct wa_wish *wish = &delivery->wish;
    delivery->deadline_ms = wanted->deadline_ms;
    delivery->document = kanal_json_parse(wanted->data);
    wa_callback_write(&delivery->callback, wanted->part, wanted->part_count, wanted->command_id);
    wish->type = kanal_str_keep(delivery->type, sizeof delivery->type, wanted->type);
    wish->target = kanal_str_keep(delivery->target, sizeof delivery->target, wanted->target_external_id);
    wish->data = yyjson_doc_get_root(delivery->document);
    wish->callback = kanal_buffer_view(&delivery->callback);
    wish->list_label = kanal_str_c(channel->list_label);
    wish->way = channel->base.media;
}

void wa_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
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
    begin(delivery, wanted);
    int is_typing = kanal_str_is(delivery->wish.type, "typing.start") && delivery->wish.target.len == 0;
    if (!kanal_str_is(delivery->wish.type, "message.read") && find_recipient(delivery, wanted) != 0)
        refuse(delivery, "recipient_unknown", "the chat or address is not one of WhatsApp's",
               KANAL_SCOPE_RECIPIENT);
    else if (is_typing ||
             (channel->checks_window && delivery->wish.to.kind != WA_TO_GROUP && is_free(delivery)))
        wa_window_ask(channel, window_chat(&delivery->wish.to), is_typing, on_window, delivery);
    else
        compose_and_send(delivery);
}
