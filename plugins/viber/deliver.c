#include "deliver.h"

#include "address.h"
#include "api.h"
#include "kanal/sdk/outcome.h"
#include "outcome.h"

#define TIMEOUT_MS 30000

struct delivery {
    struct kanal_channel *channel;
    kanal_op op;
};

static void refuse(const kanal_host *host, kanal_op op, const char *code, const char *reason, int32_t scope)
{
    kanal_result result;
    kanal_result_set(&result, KANAL_FAILED, scope, code);
    result.reason = kanal_str_c(reason);
    host->delivered(host, op, &result);
}

static void tell_health(struct kanal_channel *channel, const kanal_result *result)
{
    if (result->outcome != KANAL_FAILED || result->scope != KANAL_SCOPE_CHANNEL ||
        result->provider_code.len == 0)
        return;
    int is_token = kanal_str_is(result->code, "auth_failed");
    kanal_health_set(&channel->health, is_token ? VIBER_ILL_TOKEN : VIBER_ILL_ACCOUNT,
                     is_token ? KANAL_E_DENIED : KANAL_E_REJECTED, result->reason);
}

static void on_reply(void *user, const struct viber_reply *reply)
{
    struct delivery delivery = *(struct delivery *)user;
    struct kanal_channel *channel = delivery.channel;
    char scratch[24];
    kanal_result result;
    free(user);
    if (reply->is_ok) { /* the token is over 2^53: as text it stays what it is */
        kanal_result_set(&result, KANAL_SENT, 0, NULL);
        result.external_id = kanal_json_id_at(reply->root, "message_token", scratch);
        kanal_health_set(&channel->health, VIBER_ILL_TOKEN | VIBER_ILL_ACCOUNT, KANAL_OK,
                         kanal_str_of(NULL, 0));
    } else {
        viber_result_of_reply(&result, reply, channel->calls.stopping != 0 ? KANAL_EXCHANGE_STOPPING : 0,
                              scratch);
        tell_health(channel, &result);
    }
    channel->host->delivered(channel->host, delivery.op, &result);
}

/* A chat that is not the receiver's own is a group. 0: nobody. */
static int find_receiver(struct viber_wish *wish, char user[VIBER_USER_BYTES_MAX + 1], const char *account,
                         const kanal_delivery *wanted)
{
    if (viber_address_read(user, account, wanted->address) == 0) {
        wish->receiver = kanal_str_c(user);
        if (wanted->chat.len > 0 && !kanal_str_equal(wanted->chat, wish->receiver))
            wish->chat = wanted->chat;
        return 1;
    }
    wish->receiver = wanted->chat;
    return wanted->address.len == 0 && wanted->chat.len > 0;
}

void viber_wish_sender(struct viber_wish *wish, const struct kanal_channel *channel)
{
    const struct viber_settings *settings = &channel->settings;
    wish->sender_name = kanal_str_c(settings->sender_name ? settings->sender_name : channel->account.name);
    wish->sender_avatar = kanal_str_c(settings->sender_avatar);
}

void viber_deliver(struct kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    char user[VIBER_USER_BYTES_MAX + 1];
    struct viber_outgoing outgoing = { 0 };
    yyjson_doc *document = kanal_json_parse(wanted->data);
    struct viber_wish wish = { .type = wanted->type, .data = yyjson_doc_get_root(document) };
    struct delivery *delivery = malloc(sizeof *delivery);
    viber_wish_sender(&wish, channel);
    int has_receiver = find_receiver(&wish, user, channel->account.id, wanted);
    kanal_status status = delivery ? viber_compose(&outgoing, &wish) : KANAL_E_INTERNAL;
    if (status == KANAL_OK && has_receiver) {
        *delivery = (struct delivery){ channel, op };
        status = viber_api_call(channel, op, "send_message", kanal_buffer_view(&outgoing.json),
                                kanal_call_timeout_ms(channel->host, wanted->deadline_ms, TIMEOUT_MS),
                                on_reply, delivery);
        if (status == KANAL_OK)
            delivery = NULL;
    } else if (status == KANAL_OK) {
        status = viber_refuse(&outgoing, "recipient_unknown", "the address is not one of this account's");
    }
    if (status == KANAL_E_REJECTED)
        refuse(channel->host, op, outgoing.error_code, outgoing.reason,
               strcmp(outgoing.error_code, "recipient_unknown") == 0 ? KANAL_SCOPE_RECIPIENT
                                                                     : KANAL_SCOPE_MESSAGE);
    else if (status != KANAL_OK)
        refuse(channel->host, op, "internal", "out of memory", KANAL_SCOPE_MESSAGE);
    free(delivery);
    viber_outgoing_release(&outgoing);
    yyjson_doc_free(document);
}
