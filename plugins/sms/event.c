#include "event.h"

#include <stdio.h>

#include "channel.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/member.h"

/* ---- Messages ---- */

/* "+79161234567" of what we were written to; as it is, where that cannot be told. */
static void write_number(struct kanal_json *json, const char *key, const struct sms_settings *settings,
                         uint8_t ton, kanal_str number)
{
    char uri[SMS_URI_BYTES_MAX + 1];
    if (sms_uri_write(uri, ton, number, kanal_str_c(settings->region)) && strncmp(uri, "tel:", 4) == 0)
        number = kanal_str_c(uri + 4);
    kanal_member_text(json, key, number, SMS_ADDRESS_BYTES_MAX);
}

static void write_hex(struct kanal_json *json, const char *key, kanal_str bytes)
{
    struct kanal_buffer text = { 0 };
    kanal_hex_encode(&text, bytes);
    kanal_member_text(json, key, kanal_buffer_view(&text), 8192);
    kanal_buffer_release(&text);
}

static void write_unsupported(struct kanal_json *json, const char *kind, const struct sms_arrival *arrival)
{
    kanal_json_member_text(json, "type", "unsupported");
    kanal_json_member_text(json, "kind", kind);
    struct kanal_provider provider = kanal_provider_begin(json);
    if (arrival->has_port)
        kanal_json_member_int(json, "port", arrival->port);
    kanal_json_member_int(json, "data_coding", arrival->data_coding);
    write_hex(json, "hex", arrival->bytes);
    kanal_provider_end(json, &provider);
}

static void write_content(struct kanal_json *json, const struct sms_settings *settings,
                          const struct sms_arrival *arrival)
{
    struct kanal_buffer text = { 0 };
    int is_text = sms_text_decode(&text, arrival->data_coding, settings->alphabet, arrival->bytes);
    kanal_json_key(json, "content");
    kanal_json_array(json);
    kanal_json_object(json);
    if (arrival->has_port) {
        write_unsupported(json, "application_port", arrival);
    } else if (!is_text) {
        write_unsupported(json, "binary", arrival);
    } else if (text.len == 0) {
        write_unsupported(json, "empty", arrival);
    } else {
        kanal_json_member_text(json, "type", "text");
        kanal_json_member_str(json, "text", kanal_str_cut(kanal_buffer_view(&text), 262144));
    }
    kanal_json_object_end(json);
    kanal_json_array_end(json);
    kanal_buffer_release(&text);
}

void sms_event_message(struct kanal_batch *batch, const struct sms_settings *settings,
                       const struct sms_arrival *arrival)
{
    struct kanal_batch_item *item = kanal_batch_begin(batch, "message.received");
    if (!item)
        return;
    struct kanal_json *json = &item->json;
    snprintf(item->dedupe, sizeof item->dedupe, "%s", arrival->dedupe);
    kanal_batch_text(item->external_id, sizeof item->external_id, arrival->external_id);
    char uri[SMS_URI_BYTES_MAX + 1];
    if (!sms_uri_write(uri, arrival->source_ton, arrival->source, kanal_str_c(settings->region)))
        snprintf(uri, sizeof uri, "sms:withheld");
    kanal_batch_text(item->address, sizeof item->address, kanal_str_c(uri));
    kanal_json_key(json, "message");
    kanal_json_object(json);
    write_content(json, settings, arrival);
    struct kanal_provider provider = kanal_provider_begin(json);
    write_number(json, "destination", settings, arrival->destination_ton, arrival->destination);
    kanal_member_text(json, "service_type", arrival->service_type, 6);
    if (arrival->segments > 1)
        kanal_json_member_int(json, "segments", arrival->segments);
    if (arrival->missing > 0)
        kanal_json_member_int(json, "missing_segments", arrival->missing);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    kanal_batch_end(batch, item);
}

/* ---- Receipts ---- */

static const struct end {
    const char *type, *code, *words; /* of the event, of the error */
} ends[] = {
    [SMS_STATE_DELIVERED] = { "message.delivered", NULL, NULL },
    [SMS_STATE_EXPIRED] = { "message.failed", "expired", "not delivered within the validity period" },
    [SMS_STATE_DELETED] = { "message.failed", "cancelled", "deleted at the SMS centre" },
    [SMS_STATE_UNDELIVERABLE] = { "message.failed", "provider_error", "it cannot be delivered" },
    [SMS_STATE_UNKNOWN] = { "message.failed", "provider_error",
                            "the SMS centre does not know what became of it" },
    [SMS_STATE_REJECTED] = { "message.failed", "provider_rejected", "rejected by the network" },
    [SMS_STATE_SKIPPED] = { "message.failed", "provider_error", "skipped by the SMS centre" },
};

static void write_error(struct kanal_json *json, const struct sms_receipt *receipt, const struct end *end)
{
    char code[24];
    kanal_str provider_code = receipt->error;
    if (receipt->network_error > 0) {
        snprintf(code, sizeof code, "%u:%u", (unsigned)receipt->network, (unsigned)receipt->network_error);
        provider_code = kanal_str_c(code);
    }
    kanal_json_key(json, "error");
    kanal_json_object(json);
    kanal_json_member_text(json, "code", end->code);
    kanal_json_member_text(json, "scope", "message");
    kanal_member_text(json, "provider_code", provider_code, 128);
    kanal_member_text(json, "provider_message", receipt->word, 64);
    kanal_json_member_text(json, "detail", end->words);
    kanal_json_object_end(json);
}

int sms_event_receipt(struct kanal_batch *batch, const struct sms_settings *settings,
                      const struct sms_message *message, const struct sms_receipt *receipt)
{
    char uri[SMS_URI_BYTES_MAX + 1];
    /* Intermediate: a try failed, and others follow. Only a receipt is about the end. */
    if ((message->esm_class & SMS_CLASS_TYPE) == SMS_CLASS_INTERMEDIATE ||
        receipt->state == SMS_STATE_ENROUTE || receipt->state == SMS_STATE_ACCEPTED)
        return 0;
    const struct end *end = &ends[receipt->state];
    struct kanal_batch_item *item = kanal_batch_begin(batch, end->type);
    if (!item)
        return 1;
    struct kanal_json *json = &item->json;
    snprintf(item->dedupe, sizeof item->dedupe, "dlr:%d:%s", (int)receipt->state, receipt->id);
    kanal_batch_text(item->external_id, sizeof item->external_id, kanal_str_c(receipt->id));
    if (sms_uri_write(uri, message->source_ton, message->source, kanal_str_c(settings->region)))
        kanal_batch_text(item->address, sizeof item->address, kanal_str_c(uri));
    kanal_json_key(json, "message");
    kanal_json_object(json);
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "state", receipt->word, 64);
    kanal_member_text(json, "submitted", receipt->submitted, 32);
    kanal_member_text(json, "done", receipt->done, 32);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    if (end->code)
        write_error(json, receipt, end);
    kanal_batch_end(batch, item);
    return 1;
}
