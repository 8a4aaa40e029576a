#include "channel.h"

#include <stdio.h>

#include "kanal/sdk/time.h"

#define PORT_PLAIN 2775 /* as IANA has it */
#define PORT_TLS 3550

/* ---- Settings ---- */

/* False: it is too long. */
static int take(char *out, size_t size, kanal_str text)
{
    return kanal_str_keep(out, size, text).len == text.len;
}

/* "smpp://smsc.example.com:2775", "smpps://[2001:db8::1]". */
static int read_url(struct sms_settings *settings, kanal_str url)
{
    settings->use_tls = kanal_str_starts(url, "smpps://");
    if (!settings->use_tls && !kanal_str_starts(url, "smpp://"))
        return -1;
    kanal_str rest = kanal_str_from(url, settings->use_tls ? 8 : 7);
    if (rest.len > 0 && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    int is_bracketed = rest.len > 0 && rest.ptr[0] == '[';
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != (is_bracketed ? ']' : ':'))
        n++;
    if (is_bracketed && n == rest.len)
        return -1;
    kanal_str host = is_bracketed ? kanal_str_of(rest.ptr + 1, n > 0 ? n - 1 : 0) : kanal_str_of(rest.ptr, n);
    kanal_str tail = kanal_str_from(rest, is_bracketed ? n + 1 : n);
    int64_t port = settings->use_tls ? PORT_TLS : PORT_PLAIN;
    if (tail.len > 0 && (tail.ptr[0] != ':' || kanal_str_int(kanal_str_from(tail, 1), &port) != 0))
        return -1;
    settings->port = (uint32_t)port;
    return host.len > 0 && port >= 1 && port <= 65535 && take(settings->host, sizeof settings->host, host)
               ? 0
               : -1;
}

static int choose(kanal_str text, const char *const *names, int otherwise)
{
    for (int i = 0; names[i]; i++) {
        if (kanal_str_is(text, names[i]))
            return i;
    }
    return otherwise;
}

static void read_choices(struct sms_settings *settings, yyjson_val *root)
{
    static const char *const alphabets[] = { "gsm7", "latin1", NULL };
    static const char *const joins[] = { "udh8", "udh16", "sar", "payload", NULL };
    static const char *const ids[] = { "same", "hex", "submit_hex", "receipt_hex", NULL };
    settings->alphabet =
        (enum sms_default_alphabet)choose(kanal_json_text_at(root, "default_alphabet"), alphabets, 0);
    settings->join = (enum sms_join)choose(kanal_json_text_at(root, "long_messages"), joins, 0);
    settings->ids = (enum sms_ids)choose(kanal_json_text_at(root, "message_ids"), ids, 0);
    settings->latin1 = kanal_json_bool_at(root, "latin1");
    settings->single_bind = kanal_json_bool_at(root, "single_bind");
    yyjson_val *receipts = kanal_json_at(root, "receipts");
    settings->receipts = !yyjson_is_bool(receipts) || yyjson_get_bool(receipts);
}

static uint32_t number(yyjson_val *root, const char *key, int64_t min, int64_t max, int64_t otherwise)
{
    int64_t value = kanal_json_int_at(root, key, otherwise);
    return (uint32_t)(value < min ? min : value > max ? max : value);
}

static void read_numbers(struct sms_settings *settings, yyjson_val *root)
{
    settings->window = number(root, "window", 1, 200, 10);
    settings->max_segments = number(root, "max_segments", 1, SMS_SEGMENTS_MAX, 21);
    settings->enquire_ms = number(root, "enquire_link", 0, 3600, 30) * 1000;
    settings->response_ms = number(root, "response_timeout", 1, 300, 30) * 1000;
    settings->dedupe_ms = number(root, "dedupe_window", 1, 86400, 300) * 1000;
    settings->reassembly_ms = number(root, "reassembly_timeout", 10, 86400, 600) * 1000;
    settings->source_ton = (int)kanal_json_int_at(root, "source_ton", -1);
    settings->source_npi = (int)kanal_json_int_at(root, "source_npi", -1);
    settings->destination_ton = (int)kanal_json_int_at(root, "destination_ton", -1);
    settings->destination_npi = (int)kanal_json_int_at(root, "destination_npi", -1);
    yyjson_val *value, *list = kanal_json_at(root, "retry_statuses");
    size_t index, max;
    yyjson_arr_foreach (list, index, max, value) {
        if (yyjson_is_uint(value) && settings->retried_count < SMS_RETRIED_MAX)
            settings->retried[settings->retried_count++] = (uint32_t)yyjson_get_uint(value);
    }
}

static const char *read_texts(struct sms_settings *settings, yyjson_val *root)
{
    kanal_str sender = kanal_json_text_at(root, "sender"), validity = kanal_json_text_at(root, "validity");
    if (read_url(settings, kanal_json_text_at(root, "api_url")) != 0)
        return "api_url is no smpp://HOST:PORT or smpps://HOST:PORT";
    if (!take(settings->system_id, sizeof settings->system_id, kanal_json_text_at(root, "system_id")) ||
        !settings->system_id[0])
        return "system_id is missing, or over 16 bytes";
    if (!take(settings->system_type, sizeof settings->system_type, kanal_json_text_at(root, "system_type")))
        return "system_type is over 13 bytes";
    if (!take(settings->address_range, sizeof settings->address_range,
              kanal_json_text_at(root, "address_range")))
        return "address_range is over 41 bytes";
    if (!take(settings->region, sizeof settings->region, kanal_json_text_at(root, "default_region")))
        return "default_region is no code of a country";
    if (sender.len > 0 && sms_sender(&settings->sender, sender) != KANAL_OK)
        return "sender is neither a number nor a name of at most 11 ASCII characters";
    if (validity.len > 0 && kanal_time_parse_duration(validity, &settings->validity_ms) != KANAL_OK)
        return "validity is no duration (PT1H, P2D)";
    return NULL;
}

int sms_settings_read(struct sms_settings *settings, kanal_str json, const char **ret_error)
{
    memset(settings, 0, sizeof *settings);
    yyjson_doc *document = kanal_json_parse(json);
    yyjson_val *root = yyjson_doc_get_root(document);
    const char *error = read_texts(settings, root);
    read_choices(settings, root);
    read_numbers(settings, root);
    yyjson_doc_free(document);
    if (!error)
        return 0;
    *ret_error = error;
    return KANAL_E_INVALID;
}

/* ---- The end ---- */

void sms_settle(struct kanal_channel *channel)
{
    if (channel->calls.stopping == 0)
        return;
    if (channel->outgoing.count == 0 && channel->incoming.under_way == 0)
        sms_link_unbind(channel);
    if (channel->link.stream == 0 && channel->drain != 0)
        channel->host->cancel(channel->host, channel->drain);
}

static void on_drained(void *user, kanal_status status)
{
    struct kanal_channel *channel = user;
    (void)status; /* the host's own end of the time to stop in is one too */
    channel->drain = 0;
    sms_link_close(channel, KANAL_E_CANCELLED, "the time to stop in is over");
    kanal_calls_let_go(&channel->calls);
}

/* What has left gets some seconds to be answered; then the bind is given back properly. */
void sms_stop(struct kanal_channel *channel, kanal_op op)
{
    kanal_calls_hold(&channel->calls);
    channel->drain = channel->host->timer(channel->host, KANAL_CALLS_DRAIN_MS, on_drained, channel);
    if (channel->drain != 0)
        kanal_calls_hold(&channel->calls);
    kanal_calls_stop(&channel->calls, op);
    sms_link_stop(channel);
    sms_outgoing_give_back(channel, "the channel is being stopped");
    sms_reassembly_stop(channel);
    sms_settle(channel);
    kanal_calls_let_go(&channel->calls);
}
