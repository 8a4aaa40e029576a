#include "deliver.h"

#include <stdio.h>

#include "compose.h"
#include "kanal/sdk/outcome.h"
#include "outcome.h"
#include "upload.h"

#define TIMEOUT_MS 30000
#define UPLOAD_TIMEOUT_MS 120000
#define EXTERNAL_ID_MAX 256

struct delivery {
    struct kanal_channel *channel;
    kanal_op op;
    int64_t deadline_ms;
    yyjson_doc *document;
    char type[32];
    char target_external_id[EXTERNAL_ID_MAX];
    struct vk_wish wish;
    struct vk_outgoing outgoing;
    size_t uploaded; /* files that are done */
};

static void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    yyjson_doc_free(delivery->document);
    vk_outgoing_release(&delivery->outgoing);
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
    kanal_result result;
    kanal_result_set(&result, KANAL_FAILED, scope, code);
    result.reason = kanal_str_c(reason);
    host->delivered(host, op, &result);
}

static void refuse_delivery(struct delivery *delivery, const char *code, const char *reason, int32_t scope)
{
    refuse(delivery->channel->host, delivery->op, code, reason, scope);
    delivery_free(delivery);
}

static void refuse_outgoing(struct delivery *delivery, kanal_status status)
{
    const struct vk_outgoing *outgoing = &delivery->outgoing;
    if (status != KANAL_E_REJECTED)
        refuse_delivery(delivery, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
    else
        refuse_delivery(delivery, outgoing->error_code, outgoing->reason,
                        strcmp(outgoing->error_code, "recipient_unknown") == 0 ? KANAL_SCOPE_RECIPIENT
                                                                               : KANAL_SCOPE_MESSAGE);
}

static void tell_health(struct kanal_channel *channel, const struct vk_reply *reply,
                        const kanal_result *result)
{
    if (reply->status != KANAL_OK)
        return;
    if (reply->error_code == 14)
        kanal_health_set(&channel->health, VK_ILL_CAPTCHA, KANAL_E_BUSY,
                         KANAL_LIT("VK asks for a captcha: sending pauses; answer it in the community's "
                                   "page, or send less"));
    else if (reply->error_code != 0 && result->scope == KANAL_SCOPE_CHANNEL &&
             result->outcome == KANAL_FAILED)
        kanal_health_set(&channel->health, VK_ILL_TOKEN, KANAL_E_DENIED, result->reason);
}

static void answer_not_sent(struct delivery *delivery, const struct vk_reply *reply, uint32_t exchange)
{
    char scratch[24];
    kanal_result result;
    if (delivery->channel->calls.stopping != 0)
        exchange |= KANAL_EXCHANGE_STOPPING;
    vk_result_of_reply(&result, reply, exchange, scratch);
    tell_health(delivery->channel, reply, &result);
    answer(delivery, &result);
}

/* The id of the message that VK made, in the form that events have. */
static void sent_id(char *out, const struct delivery *delivery, yyjson_val *response)
{
    yyjson_val *first = yyjson_arr_get_first(response);
    int64_t cmid = kanal_json_int_at(first, "conversation_message_id", 0);
    int64_t peer = kanal_json_int_at(first, "peer_id", delivery->wish.target.peer);
    if (cmid > 0)
        snprintf(out, EXTERNAL_ID_MAX, "%lld/%lld", (long long)peer, (long long)cmid);
}

static void on_reply(void *user, const struct vk_reply *reply)
{
    struct delivery *delivery = user;
    char id[EXTERNAL_ID_MAX] = "";
    kanal_result result;
    if (!reply->is_ok) {
        answer_not_sent(delivery, reply, 0);
        return;
    }
    kanal_result_set(&result, KANAL_SENT, 0, NULL);
    if (strcmp(delivery->type, "message.send") == 0)
        sent_id(id, delivery, reply->response);
    else
        kanal_str_keep(id, sizeof id, kanal_str_c(delivery->target_external_id));
    result.external_id = kanal_str_c(id[0] ? id : NULL);
    kanal_health_set(&delivery->channel->health, VK_ILL_TOKEN | VK_ILL_CAPTCHA, KANAL_OK,
                     kanal_str_of(NULL, 0));
    answer(delivery, &result);
}

/* ---- Calls ---- */

static void start_call(struct delivery *delivery)
{
    struct vk_outgoing *outgoing = &delivery->outgoing;
    kanal_status status = vk_compose(outgoing, &delivery->wish);
    if (status == KANAL_OK) {
        struct vk_request request = { .method = outgoing->method,
                                      .form = kanal_buffer_view(&outgoing->form),
                                      .timeout_ms = kanal_call_timeout_ms(
                                          delivery->channel->host, delivery->deadline_ms, TIMEOUT_MS) };
        status = vk_api_call(delivery->channel, delivery->op, &request, on_reply, delivery);
    }
    if (status != KANAL_OK)
        refuse_outgoing(delivery, status);
}

static void next_file(struct delivery *);

static void on_uploaded(void *user, const struct vk_reply *reply, uint32_t exchange)
{
    struct delivery *delivery = user;
    if (reply) {
        answer_not_sent(delivery, reply, exchange);
        return;
    }
    delivery->uploaded++;
    next_file(delivery);
}

static void next_file(struct delivery *delivery)
{
    struct vk_wish *wish = &delivery->wish;
    if (delivery->uploaded == wish->file_count) {
        start_call(delivery);
        return;
    }
    int64_t peer =
        wish->target.cmid_peer != 0 && wish->target.peer == 0 ? wish->target.cmid_peer : wish->target.peer;
    if (vk_upload(delivery->channel, delivery->op, &wish->files[delivery->uploaded], peer,
                  kanal_call_timeout_ms(delivery->channel->host, delivery->deadline_ms, UPLOAD_TIMEOUT_MS),
                  on_uploaded, delivery) != KANAL_OK)
        refuse_delivery(delivery, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
}

/* ---- The slot ---- */

/* Whom it is for, and which message it is about. */
static kanal_status find_target(struct delivery *delivery, const kanal_delivery *wanted)
{
    struct vk_target *target = &delivery->wish.target;
    if (wanted->chat.len > 0 ? vk_peer_of_chat(&target->peer, wanted->chat) != 0
                             : vk_peer_of_address(&target->peer, wanted->address) != 0)
        target->peer = 0;
    if (wanted->target_external_id.len == 0)
        return KANAL_OK;
    if (vk_message_of_id(&target->cmid_peer, &target->cmid, wanted->target_external_id) != 0)
        return vk_refuse(&delivery->outgoing, "message_not_found",
                         "no message of VK is named (external_id is PEER/NUMBER)");
    return KANAL_OK;
}

void vk_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (!delivery) {
        refuse(channel->host, op, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
        return;
    }
    struct vk_wish *wish = &delivery->wish;
    delivery->channel = channel;
    delivery->op = op;
    delivery->deadline_ms = wanted->deadline_ms;
    delivery->document = kanal_json_parse(wanted->data);
    kanal_str_keep(delivery->type, sizeof delivery->type, wanted->type);
    kanal_str_keep(delivery->target_external_id, sizeof delivery->target_external_id,
                   wanted->target_external_id);
    wish->type = kanal_str_c(delivery->type);
    wish->data = yyjson_doc_get_root(delivery->document);
    wish->random_id = vk_random_id(wanted->idempotency_key);
    wish->has_text_buttons = channel->settings.has_text_buttons;
    kanal_status status = find_target(delivery, wanted);
    if (status == KANAL_OK &&
        (kanal_str_is(wish->type, "message.send") || kanal_str_is(wish->type, "message.edit")))
        status = vk_plan_files(&delivery->outgoing, wish);
    if (status == KANAL_OK && wish->target.peer == 0 && wish->target.cmid == 0)
        status =
            vk_refuse(&delivery->outgoing, "recipient_unknown", "the chat or address is not one of VK's");
    if (status != KANAL_OK) {
        refuse_outgoing(delivery, status);
        return;
    }
    next_file(delivery);
}
