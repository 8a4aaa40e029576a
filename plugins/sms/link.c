#include "link.h"

#include <stdio.h>

#include "channel.h"
#include "outcome.h"

#define CONNECT_TIMEOUT_MS 15000u
#define CREDIT_BYTES 65536u
#define UNDER_WAY_MAX 256u /* messages of the SMS centre that are being stored; more are not read */
#define TICK_MS 1000u
#define UNBIND_TIMEOUT_MS 2000u
#define SETTLED_MS 30000 /* a bind that lasted so long was a good one */
#define RETRY_MIN_MS 1000u
#define RETRY_MAX_MS 60000u
/* Who knocks too often with a wrong password is locked out. */
#define REFUSED_MIN_MS 30000u
#define REFUSED_MAX_MS 300000u
#define PASSWORD_BYTES_MAX 64u /* SMPP says 8; providers differ */

static void connect_now(void *channel);

int sms_link_is_bound(const struct kanal_channel *channel)
{
    return channel->link.state == SMS_LINK_BOUND;
}

static int is_ours(const struct kanal_channel *channel)
{
    const struct sms_link *link = &channel->link;
    return link->lease == 0 || link->leases->held(channel->host, link->lease);
}

/* ---- Writing ---- */

static void on_plain_written(void *user, kanal_status status)
{
    (void)status; /* of no use: the end of the stream is told by on_close() */
    kanal_calls_let_go(user);
}

static void say(struct kanal_channel *channel, uint32_t command, uint32_t status, uint32_t sequence)
{
    struct sms_link *link = &channel->link;
    struct kanal_buffer pdu = { 0 };
    int with_text = command == (SMS_DELIVER_SM | SMS_RESPONSE) || command == (SMS_DATA_SM | SMS_RESPONSE);
    sms_plain_write(&pdu, command, status, sequence, with_text);
    if (!pdu.failed && link->streams->write(channel->host, link->stream, kanal_buffer_view(&pdu), NULL, 0,
                                            on_plain_written, &channel->calls) != 0)
        kanal_calls_hold(&channel->calls);
    kanal_buffer_release(&pdu);
}

void sms_link_respond(struct kanal_channel *channel, uint32_t session, uint32_t command, uint32_t status,
                      uint32_t sequence)
{
    const struct sms_link *link = &channel->link;
    if (session == link->session && (link->state == SMS_LINK_BOUND || link->state == SMS_LINK_UNBINDING))
        say(channel, command | SMS_RESPONSE, status, sequence);
}

static kanal_status ask_plain(struct kanal_channel *channel, uint32_t command, sms_answer_fn *fn)
{
    struct kanal_buffer pdu = { 0 };
    uint32_t sequence = sms_link_sequence(channel);
    sms_plain_write(&pdu, command, SMS_OK, sequence, 0);
    kanal_status status = sms_link_ask(channel, kanal_buffer_view(&pdu), sequence,
                                       channel->settings.response_ms, NULL, fn, channel);
    kanal_buffer_release(&pdu);
    return status;
}

/* ---- The end of a stream ---- */

void sms_link_close(struct kanal_channel *channel, kanal_status status, const char *words)
{
    struct sms_link *link = &channel->link;
    if (link->stream == 0 || link->closed != KANAL_OK)
        return;
    link->closed = status;
    snprintf(link->words, sizeof link->words, "%s", words);
    link->state = SMS_LINK_CLOSING;
    link->streams->close(channel->host, link->stream);
}

static void tell_end(struct kanal_channel *channel, kanal_status status, kanal_str reason)
{
    struct sms_link *link = &channel->link;
    char words[512];
    if (link->closed != KANAL_OK) {
        status = link->closed;
        reason = kanal_str_c(link->words);
    } else if (status == KANAL_OK) {
        status = KANAL_E_NETWORK;
        reason = KANAL_LIT("the SMS centre ended the connection");
    }
    snprintf(words, sizeof words, "%s:%u: %.*s", channel->settings.host, (unsigned)channel->settings.port,
             reason.len < 256 ? (int)reason.len : 256, reason.ptr ? reason.ptr : "");
    if (channel->calls.stopping == 0 && is_ours(channel)) {
        uint32_t ill = link->is_refused ? SMS_ILL_BIND : SMS_ILL_LINK;
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "no bind", kanal_str_c(words));
        kanal_health_set(&channel->health, ill, status, kanal_str_c(words));
        /* What it was before, it is not any more; else that it is so again would not be told. */
        kanal_health_set(&channel->health, (SMS_ILL_BIND | SMS_ILL_LINK) & ~ill, KANAL_OK,
                         kanal_str_of(NULL, 0));
    }
}

static void try_later(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    int64_t now = channel->host->now_ms(channel->host);
    if (link->bound_ms > 0 && now - link->bound_ms >= SETTLED_MS)
        link->failures = 0;
    uint32_t min_ms = link->is_refused ? REFUSED_MIN_MS : RETRY_MIN_MS;
    uint32_t max_ms = link->is_refused ? REFUSED_MAX_MS : RETRY_MAX_MS;
    kanal_timer_set(&link->retry, &channel->calls,
                    kanal_backoff_ms(channel->host, link->failures++, min_ms, max_ms), connect_now, channel);
}

static void on_close(struct kanal_channel *channel, kanal_op stream, kanal_status status, kanal_str reason)
{
    struct sms_link *link = &channel->link;
    if (stream != link->stream)
        return;
    link->stream = 0;
    link->state = SMS_LINK_DOWN;
    link->session++; /* what is still to be answered, nobody hears */
    link->owed = 0;
    link->is_enquiring = 0;
    kanal_buffer_clear(&link->in);
    sms_link_lose(channel);
    sms_outgoing_give_back(channel, "the connection to the SMS centre ended");
    tell_end(channel, status, reason);
    try_later(channel);
    sms_settle(channel);
    kanal_calls_let_go(&channel->calls);
}

static void on_end(struct kanal_channel *channel, kanal_op stream)
{
    if (stream == channel->link.stream)
        sms_link_close(channel, KANAL_E_NETWORK, "the SMS centre ended the connection");
}

/* ---- Bind ---- */

static void on_bound(void *user, kanal_status status, const struct sms_header *header, kanal_str body)
{
    struct kanal_channel *channel = user;
    struct sms_link *link = &channel->link;
    char words[sizeof link->words], code[SMS_CODE_BYTES];
    if (status == KANAL_OK && header->status == SMS_OK &&
        header->command == (SMS_BIND_TRANSCEIVER | SMS_RESPONSE)) {
        link->state = SMS_LINK_BOUND;
        link->bound_ms = channel->host->now_ms(channel->host);
        kanal_log(channel->host, 0, KANAL_LOG_INFO, "bound", sms_response_text(body, 16));
        kanal_health_set(&channel->health, SMS_ILL_BIND | SMS_ILL_LINK, KANAL_OK, kanal_str_of(NULL, 0));
    } else if (status == KANAL_OK) {
        sms_status_code(code, header->status);
        snprintf(words, sizeof words, "the SMS centre refuses the bind: %s (%s)",
                 sms_status_words(header->status), code);
        link->is_refused = header->status == SMS_BIND_FAILED || header->status == SMS_INVALID_PASSWORD ||
                           header->status == SMS_INVALID_SYSTEM_ID;
        sms_link_close(channel, KANAL_E_REJECTED, words);
    } else if (status == KANAL_E_TIMEOUT) {
        sms_link_close(channel, KANAL_E_TIMEOUT, "the SMS centre does not answer the bind");
    } else if (status != KANAL_E_MAYBE && status != KANAL_E_NETWORK) {
        link->is_refused = 1;
        sms_link_close(
            channel, KANAL_E_DENIED,
            "the secret `password` is missing, too long, or not granted: the channel's `egress` has "
            "to name host and port");
    }
}

static void tick(void *channel);

static void on_open(struct kanal_channel *channel, kanal_op stream)
{
    struct sms_link *link = &channel->link;
    const struct sms_settings *settings = &channel->settings;
    struct kanal_buffer pdu = { 0 };
    kanal_stream_secret password = { .max_bytes = PASSWORD_BYTES_MAX,
                                     .length_bytes = 4,
                                     .secret = KANAL_LIT("password") };
    const struct sms_bind bind = { .system_id = kanal_str_c(settings->system_id),
                                   .system_type = kanal_str_c(settings->system_type),
                                   .address_range = kanal_str_c(settings->address_range) };
    if (stream != link->stream || link->state != SMS_LINK_CONNECTING)
        return;
    uint32_t sequence = sms_link_sequence(channel);
    link->state = SMS_LINK_BINDING;
    link->heard_ms = channel->host->now_ms(channel->host);
    sms_bind_write(&pdu, sequence, &bind, &password.position);
    if (sms_link_ask(channel, kanal_buffer_view(&pdu), sequence, settings->response_ms, &password, on_bound,
                     channel) != KANAL_OK)
        sms_link_close(channel, KANAL_E_INTERNAL, "out of memory");
    kanal_buffer_release(&pdu);
    kanal_timer_set(&link->tick, &channel->calls, TICK_MS, tick, channel);
}

static void connect_now(void *user)
{
    struct kanal_channel *channel = user;
    struct sms_link *link = &channel->link;
    const kanal_stream_target target = { .port = channel->settings.port,
                                         .flags = channel->settings.use_tls ? KANAL_STREAM_TLS : 0,
                                         .connect_timeout_ms = CONNECT_TIMEOUT_MS,
                                         .credit = CREDIT_BYTES,
                                         .host = kanal_str_c(channel->settings.host) };
    if (channel->calls.stopping != 0 || link->stream != 0 || !is_ours(channel))
        return;
    link->closed = KANAL_OK;
    link->words[0] = 0;
    link->bound_ms = 0;
    link->is_refused = 0;
    link->unanswered = 0;
    link->stream = link->streams->connect(channel->host, &target);
    if (link->stream == 0) {
        try_later(channel);
        return;
    }
    link->state = SMS_LINK_CONNECTING;
    kanal_calls_hold(&channel->calls); /* until on_close() */
}

/* ---- Each second ---- */

static void on_enquired(void *user, kanal_status status, const struct sms_header *header, kanal_str body)
{
    struct kanal_channel *channel = user;
    (void)header, (void)body;
    channel->link.is_enquiring = 0;
    if (status == KANAL_E_TIMEOUT)
        sms_link_close(channel, KANAL_E_TIMEOUT, "the SMS centre does not answer enquire_link");
}

static void enquire(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    uint32_t enquire_ms = channel->settings.enquire_ms;
    int64_t quiet_ms = channel->host->now_ms(channel->host) - link->heard_ms;
    if (enquire_ms == 0 || quiet_ms < enquire_ms || link->is_enquiring)
        return;
    link->is_enquiring = ask_plain(channel, SMS_ENQUIRE_LINK, on_enquired) == KANAL_OK;
}

static void tick(void *user)
{
    struct kanal_channel *channel = user;
    struct sms_link *link = &channel->link;
    if (link->stream == 0)
        return;
    sms_link_expire(channel);
    if (link->state == SMS_LINK_BOUND)
        enquire(channel);
    if (link->state == SMS_LINK_CLOSING &&
        channel->host->now_ms(channel->host) - link->heard_ms > UNBIND_TIMEOUT_MS)
        sms_link_close(channel, KANAL_E_NETWORK, "the SMS centre has unbound");
    sms_outgoing_expire(channel);
    sms_outgoing_pump(channel);
    kanal_timer_set(&link->tick, &channel->calls, TICK_MS, tick, channel);
}

/* ---- What comes ---- */

static void on_unbind(struct kanal_channel *channel, const struct sms_header *header)
{
    struct sms_link *link = &channel->link;
    say(channel, SMS_UNBIND | SMS_RESPONSE, SMS_OK, header->sequence);
    link->streams->shutdown(channel->host, link->stream); /* close() would drop the answer */
    if (link->state != SMS_LINK_UNBINDING)
        kanal_log(channel->host, 0, KANAL_LOG_INFO, "the SMS centre unbinds", kanal_str_of(NULL, 0));
    link->state = SMS_LINK_CLOSING;
    sms_outgoing_give_back(channel, "the SMS centre has unbound");
}

static void take(struct kanal_channel *channel, const struct sms_header *header, kanal_str body)
{
    struct sms_link *link = &channel->link;
    if (header->command & SMS_RESPONSE) {
        sms_link_answered(channel, header, body);
        return;
    }
    switch (header->command) {
    case SMS_DELIVER_SM:
    case SMS_DATA_SM:
        if (link->state == SMS_LINK_BOUND)
            sms_incoming_take(channel, header, body);
        else
            say(channel, header->command | SMS_RESPONSE, SMS_TEMPORARY, header->sequence);
        break;
    case SMS_ENQUIRE_LINK:
        say(channel, SMS_ENQUIRE_LINK | SMS_RESPONSE, SMS_OK, header->sequence);
        break;
    case SMS_UNBIND:
        on_unbind(channel, header);
        break;
    case SMS_OUTBIND: /* neither has an answer */
    case SMS_ALERT_NOTIFICATION:
        kanal_count(channel->host, "commands_ignored");
        break;
    default:
        kanal_count(channel->host, "commands_unknown");
        say(channel, SMS_GENERIC_NACK | SMS_RESPONSE, SMS_INVALID_COMMAND, header->sequence);
    }
}

/* The whole PDUs of what has come; what is left is the beginning of the next one. */
static void read_on(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    kanal_op stream = link->stream;
    struct sms_header header;
    size_t at = 0;
    int found = 0;
    link->is_reading = 1;
    while (link->stream == stream && link->state != SMS_LINK_CLOSING &&
           channel->incoming.under_way < UNDER_WAY_MAX) {
        kanal_str rest = kanal_str_from(kanal_buffer_view(&link->in), at);
        found = sms_header_read(&header, rest);
        if (found != 1)
            break;
        take(channel, &header,
             kanal_str_of(rest.ptr + SMS_PDU_HEADER_BYTES, header.length - SMS_PDU_HEADER_BYTES));
        at += header.length;
    }
    link->is_reading = 0;
    if (found < 0) {
        kanal_count(channel->host, "streams_garbled");
        sms_link_close(channel, KANAL_E_REJECTED, "the SMS centre sent a length that cannot be");
    }
    if (at > 0 && at <= link->in.len) {
        memmove(link->in.data, link->in.data + at, link->in.len - at);
        link->in.len -= at;
    }
}

static void on_data(struct kanal_channel *channel, kanal_op stream, kanal_str bytes)
{
    struct sms_link *link = &channel->link;
    if (stream != link->stream || link->state == SMS_LINK_CLOSING)
        return;
    link->heard_ms = channel->host->now_ms(channel->host);
    kanal_buffer_str(&link->in, bytes);
    if (link->in.failed) {
        sms_link_close(channel, KANAL_E_INTERNAL, "out of memory");
        return;
    }
    link->owed += (uint32_t)bytes.len;
    sms_link_resume(channel);
}

/* Called again by what it reads; then the loop that reads goes on by itself. */
void sms_link_resume(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    if (link->stream == 0 || link->owed == 0 || link->is_reading)
        return;
    read_on(channel);
    if (link->stream == 0 || channel->incoming.under_way >= UNDER_WAY_MAX)
        return;
    link->streams->credit(channel->host, link->stream, link->owed);
    link->owed = 0;
}

const kanal_stream_plugin sms_streams = { .struct_size = sizeof sms_streams,
                                          .on_open = on_open,
                                          .on_data = on_data,
                                          .on_end = on_end,
                                          .on_close = on_close };

/* ---- The lease ---- */

static void on_held(struct kanal_channel *channel, kanal_op lease)
{
    if (lease == channel->link.lease)
        connect_now(channel);
}

static void on_lost(struct kanal_channel *channel, kanal_op lease)
{
    if (lease != channel->link.lease)
        return;
    kanal_log(channel->host, 0, KANAL_LOG_INFO,
              "the lease is lost: this replica does not bind until it is back", kanal_str_of(NULL, 0));
    kanal_health_set(&channel->health, SMS_ILL_BIND | SMS_ILL_LINK, KANAL_OK, kanal_str_of(NULL, 0));
    sms_link_close(channel, KANAL_E_CANCELLED, "another replica holds the lease");
}

const kanal_lease_plugin sms_leases = { .struct_size = sizeof sms_leases,
                                        .on_held = on_held,
                                        .on_lost = on_lost };

/* ---- Life ---- */

void sms_link_start(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    link->session = 1;
    if (channel->settings.single_bind) {
        link->leases = channel->host->extension(channel->host, KANAL_EXT_LEASE);
        if (link->leases)
            link->lease = link->leases->acquire(channel->host, KANAL_LIT("bind"), 0);
        if (link->lease != 0)
            return; /* on_held() follows */
        kanal_log(channel->host, 0, KANAL_LOG_WARN, "no leases here: each replica binds",
                  kanal_str_of(NULL, 0));
    }
    connect_now(channel);
}

void sms_link_stop(struct kanal_channel *channel)
{
    kanal_timer_cancel(&channel->link.retry);
    kanal_timer_cancel(&channel->link.tick);
}

static void on_unbound(void *user, kanal_status status, const struct sms_header *header, kanal_str body)
{
    (void)status, (void)header, (void)body;
    sms_link_close(user, KANAL_E_CANCELLED, "unbound");
}

void sms_link_unbind(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    if (link->stream == 0 || link->state == SMS_LINK_UNBINDING || link->state == SMS_LINK_CLOSING)
        return;
    int was_bound = link->state == SMS_LINK_BOUND;
    link->state = SMS_LINK_UNBINDING;
    if (!was_bound || ask_plain(channel, SMS_UNBIND, on_unbound) != KANAL_OK)
        sms_link_close(channel, KANAL_E_CANCELLED, "the channel is being stopped");
}

void sms_link_release(struct kanal_channel *channel)
{
    sms_link_forget(channel);
    kanal_buffer_release(&channel->link.in);
}
