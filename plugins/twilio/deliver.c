#include "deliver.h"

#include <stdio.h>

#include "address.h"
#include "api.h"
#include "compose.h"
#include "events.h"
#include "kanal/sdk/outcome.h"
#include "outcome.h"

#define TIMEOUT_MS 30000

struct delivery {
    struct kanal_channel *channel;
    kanal_op op;
    char to[TW_PARTY_BYTES_MAX + 1], key[64];
    struct kanal_buffer reason; /* kept while the withdrawal is stored */
};

static void delivery_free(struct delivery *delivery)
{
    if (!delivery)
        return;
    kanal_buffer_release(&delivery->reason);
    free(delivery);
}

static void refuse(const kanal_host *host, kanal_op op, const char *code, const char *reason, int32_t scope)
{
    kanal_result result;
    kanal_result_set(&result, KANAL_FAILED, scope, code);
    result.reason = kanal_str_c(reason);
    host->delivered(host, op, &result);
}

/* ---- Opted out ---- */

static void on_withdrawal_stored(void *user, kanal_status status)
{
    struct delivery *delivery = user;
    struct kanal_channel *channel = delivery->channel;
    kanal_result result;
    if (status != KANAL_OK)
        kanal_log(channel->host, delivery->op, KANAL_LOG_WARN,
                  "consent.withdrawn could not be stored: the next try tells", kanal_str_of(NULL, 0));
    kanal_result_set(&result, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out");
    result.provider_code = KANAL_LIT(TW_OPTED_OUT_TEXT);
    result.reason = kanal_buffer_view(&delivery->reason);
    channel->host->delivered(channel->host, delivery->op, &result);
    delivery_free(delivery);
    kanal_calls_let_go(&channel->calls);
}

/* The delivery is answered when it is stored. 0: it cannot be told. */
static int say_withdrawn(struct delivery *delivery, kanal_str words)
{
    struct kanal_channel *channel = delivery->channel;
    struct tw_params *params = calloc(1, sizeof *params);
    struct tw_told told = { 0 };
    struct tw_source source = { .settings = &channel->settings,
                                .channel_id = kanal_str_c(channel->id),
                                .params = params };
    int is_told = 0;
    if (params && channel->calls.stopping == 0) {
        tw_say_consent(&told, &source, kanal_str_c(delivery->to), kanal_str_c(delivery->key), 0, "provider",
                       0);
        kanal_buffer_str(&delivery->reason, words);
        kanal_calls_hold(&channel->calls);
        is_told =
            !told.batch.failed && kanal_batch_publish(&told.batch, channel->host, 0, kanal_str_of(NULL, 0),
                                                      on_withdrawal_stored, delivery) != 0;
        if (!is_told)
            kanal_calls_let_go(&channel->calls);
    }
    tw_told_release(&told);
    free(params);
    return is_told;
}

/* ---- The answer ---- */

static void tell_health(struct kanal_channel *channel, const kanal_result *result)
{
    if (result->outcome != KANAL_FAILED || result->scope != KANAL_SCOPE_CHANNEL)
        return;
    int is_token = kanal_str_is(result->code, "auth_failed");
    kanal_health_set(&channel->health, is_token ? TW_ILL_TOKEN : TW_ILL_ACCOUNT,
                     is_token ? KANAL_E_DENIED : KANAL_E_REJECTED, result->reason);
}

static void on_reply(void *user, const struct tw_reply *reply)
{
    struct delivery *delivery = user;
    struct kanal_channel *channel = delivery->channel;
    char scratch[24];
    kanal_result result;
    if (reply->error_code == TW_OPTED_OUT && say_withdrawn(delivery, reply->words))
        return;
    if (reply->is_ok) {
        kanal_result_set(&result, KANAL_SENT, 0, NULL);
        result.external_id = kanal_json_text_at(reply->root, "sid");
        kanal_health_set(&channel->health, TW_ILL_TOKEN | TW_ILL_ACCOUNT, KANAL_OK, kanal_str_of(NULL, 0));
    } else {
        tw_result_of_reply(&result, reply, channel->calls.stopping != 0 ? KANAL_EXCHANGE_STOPPING : 0,
                           scratch);
        tell_health(channel, &result);
    }
    channel->host->delivered(channel->host, delivery->op, &result);
    delivery_free(delivery);
}

/* The party of the address; without one the chat, which is the party as Twilio wrote it. */
static int find_party(struct delivery *delivery, const kanal_delivery *wanted)
{
    if (wanted->address.len > 0)
        return tw_address_read(delivery->to, wanted->address) == 0;
    return kanal_batch_text(delivery->to, sizeof delivery->to, wanted->chat);
}

static kanal_status send(struct delivery *delivery, struct tw_outgoing *outgoing,
                         const kanal_delivery *wanted, yyjson_val *data)
{
    struct kanal_channel *channel = delivery->channel;
    if (!find_party(delivery, wanted))
        return tw_refuse(outgoing, "recipient_unknown", "the address is none that Twilio reaches");
    const struct tw_wish wish = {
        .settings = &channel->settings,
        .type = wanted->type,
        .data = data,
        .to = kanal_str_c(delivery->to),
        .base = kanal_str_c(channel->public_url),
        .command_id = wanted->command_id,
        .part = wanted->part,
        .parts = wanted->part_count,
    };
    kanal_status status = tw_compose(outgoing, &wish);
    return status != KANAL_OK
               ? status
               : tw_api_call(channel, delivery->op, kanal_str_c(outgoing->path),
                             kanal_buffer_view(&outgoing->form),
                             kanal_call_timeout_ms(channel->host, wanted->deadline_ms, TIMEOUT_MS), on_reply,
                             delivery);
}

void tw_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    struct tw_outgoing outgoing = { 0 };
    yyjson_doc *document = kanal_json_parse(wanted->data);
    struct delivery *delivery = calloc(1, sizeof *delivery);
    kanal_status status = KANAL_E_INTERNAL;
    if (delivery) {
        delivery->channel = channel;
        delivery->op = op;
        snprintf(delivery->key, sizeof delivery->key, "optout:%.*s",
                 (int)(wanted->idempotency_key.len < 40 ? wanted->idempotency_key.len : 40),
                 wanted->idempotency_key.ptr ? wanted->idempotency_key.ptr : "");
        status = send(delivery, &outgoing, wanted, yyjson_doc_get_root(document));
    }
    if (status == KANAL_E_REJECTED)
        refuse(channel->host, op, outgoing.error_code, outgoing.reason,
               strcmp(outgoing.error_code, "recipient_unknown") == 0 ? KANAL_SCOPE_RECIPIENT
                                                                     : KANAL_SCOPE_MESSAGE);
    else if (status != KANAL_OK)
        refuse(channel->host, op, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
    if (status != KANAL_OK)
        delivery_free(delivery);
    tw_outgoing_release(&outgoing);
    yyjson_doc_free(document);
}
