/* SMS by SMPP 3.4: one account at an SMS centre, one channel. README.md tells how it is set up and what is known of it. */
#include "channel.h"

#define VERSION "1.0.0"

/* ---- The facts ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"api_url\",\"system_id\"],"
    "\"properties\":{"
    "\"api_url\":{\"type\":\"string\",\"pattern\":\"^smpps?://[^/@ ]+/?$\",\"maxLength\":300,"
    "\"description\":\"Where the SMS centre listens: smpp://HOST:PORT, or smpps:// with TLS.\"},"
    "\"system_id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":15,\"pattern\":\"^[!-~]+$\","
    "\"description\":\"The account's name at the SMS centre.\"},"
    "\"system_type\":{\"type\":\"string\",\"maxLength\":12,\"pattern\":\"^[!-~]*$\","
    "\"description\":\"If the provider asks for one.\"},"
    "\"address_range\":{\"type\":\"string\",\"maxLength\":40,\"pattern\":\"^[!-~]*$\","
    "\"description\":\"Of the bind, if the provider asks for one: which numbers' messages are wanted.\"},"
    "\"sender\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":16,"
    "\"description\":\"What messages come from: +79161234567, 900, or a name of up to 11 characters; absent: "
    "the provider's own.\"},"
    "\"default_region\":{\"type\":\"string\",\"pattern\":\"^[A-Z]{2}$\",\"x-kanal-default\":\"identity."
    "default_region\","
    "\"description\":\"Country of numbers without a country code: RU.\"},"
    "\"source_ton\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255,"
    "\"description\":\"Type of number of the sender; absent: by the number's form.\"},"
    "\"source_npi\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255,"
    "\"description\":\"Numbering plan of the sender; absent: by the number's form.\"},"
    "\"destination_ton\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255,"
    "\"description\":\"Type of number of recipients; absent: by the number's form.\"},"
    "\"destination_npi\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":255,"
    "\"description\":\"Numbering plan of recipients; absent: by the number's form.\"},"
    "\"window\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":200,\"default\":10,"
    "\"description\":\"How many messages may be unanswered by the SMS centre at a time.\"},"
    "\"enquire_link\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":3600,\"default\":30,"
    "\"description\":\"Seconds of silence after which the bind is probed; 0: never.\"},"
    "\"response_timeout\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":300,\"default\":30,"
    "\"description\":\"Seconds until a request counts as unanswered.\"},"
    "\"default_alphabet\":{\"enum\":[\"gsm7\",\"latin1\"],\"default\":\"gsm7\","
    "\"description\":\"What data_coding 0 is at this provider.\"},"
    "\"latin1\":{\"type\":\"boolean\",\"default\":false,"
    "\"description\":\"Send what is ISO 8859-1 but not GSM 7 bit as data_coding 3 instead of UCS-2.\"},"
    "\"long_messages\":{\"enum\":[\"udh8\",\"udh16\",\"sar\",\"payload\"],\"default\":\"udh8\","
    "\"description\":\"How the segments of a long message are joined.\"},"
    "\"max_segments\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":255,\"default\":21,"
    "\"description\":\"A text that takes more is refused: each is paid for.\"},"
    "\"receipts\":{\"type\":\"boolean\",\"default\":true,"
    "\"description\":\"Ask for delivery receipts.\"},"
    "\"message_ids\":{\"enum\":[\"same\",\"hex\",\"submit_hex\",\"receipt_hex\"],\"default\":\"same\","
    "\"description\":\"How ids of answers and of receipts go together.\"},"
    "\"validity\":{\"type\":\"string\",\"maxLength\":32,"
    "\"description\":\"How long the SMS centre tries: PT4H, P2D; absent: the provider's own time. A command "
    "that expires sooner shortens it.\"},"
    "\"retry_statuses\":{\"type\":\"array\",\"maxItems\":16,\"uniqueItems\":true,\"items\":{\"type\":"
    "\"integer\",\"minimum\":1,\"maximum\":4294967295},"
    "\"description\":\"The provider's own command_status values that mean: later.\"},"
    "\"dedupe_window\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400,\"default\":300,"
    "\"description\":\"Seconds within which the same text from the same number may be a repetition.\"},"
    "\"reassembly_timeout\":{\"type\":\"integer\",\"minimum\":10,\"maximum\":86400,\"default\":600,"
    "\"description\":\"Seconds to wait for missing segments of a long message.\"},"
    "\"single_bind\":{\"type\":\"boolean\",\"default\":false,"
    "\"description\":\"The account allows one bind only: of several replicas one holds it.\"}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits, .text_chars = 670, /* ten segments of UCS-2 */
};

static const kanal_secret secrets[] = {
    { "password", "the account's password at the SMS centre (bind_transceiver); SMPP allows 8 characters",
      KANAL_SECRET_REQUIRED },
};

/* ---- Life ---- */

static const void *extension(struct kanal_channel *channel, const char *id)
{
    (void)channel;
    if (strcmp(id, KANAL_EXT_STREAM) == 0)
        return &sms_streams;
    return strcmp(id, KANAL_EXT_LEASE) == 0 ? &sms_leases : NULL;
}

static void destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    sms_link_release(channel);
    sms_outgoing_release(channel);
    sms_reassembly_release(channel);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    const char *error = "out of memory";
    struct kanal_channel *channel = calloc(1, sizeof *channel);
    if (channel) {
        channel->host = host;
        kanal_calls_init(&channel->calls, host);
        kanal_health_init(&channel->health, host);
        channel->link.streams = host->extension(host, KANAL_EXT_STREAM);
    }
    if (channel && sms_settings_read(&channel->settings, config->settings, &error) == 0) {
        if (channel->link.streams)
            return channel;
        error = "this host has no streams (" KANAL_EXT_STREAM ")";
    }
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    destroy(channel);
    return NULL;
}

/* The channel is there before the bind is: a wrong password is the operator's to mend, not a reason to make the channel anew. */
static void start(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
    sms_link_start(channel);
    sms_reassembly_start(channel);
}

/* ---- The descriptor ---- */

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "sms",
    .name = "SMS (SMPP)",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_TO_TEL | KANAL_CAP_DELIVERED_RECEIPT,
    .limits = &limits,
    .secrets = secrets,
    .secret_count = sizeof secrets / sizeof *secrets,
    .settings_schema = settings_schema,
    .create = create,
    .start = start,
    .deliver = sms_deliver,
    .stop = sms_stop,
    .destroy = destroy,
    .extension = extension,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
