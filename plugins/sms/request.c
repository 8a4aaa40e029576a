/* What this side asks of the SMS centre, until it is answered: the window of link.h. */
#include "channel.h"

struct sms_request {
    struct sms_request *next;
    struct kanal_channel *channel;
    uint32_t sequence, command;
    int64_t due_ms;
    int is_written; /* write() has told what became of it */
    int is_over;    /* answered, or its stream has ended */
    int is_told;    /* fn has run */
    sms_answer_fn *fn;
    void *user;
};

static int in_window(const struct sms_request *request)
{
    return request->command == SMS_SUBMIT_SM;
}

uint32_t sms_link_sequence(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    link->sequence = link->sequence < 0x7fffffff ? link->sequence + 1 : 1;
    return link->sequence;
}

uint32_t sms_link_room(const struct kanal_channel *channel)
{
    uint32_t window = channel->settings.window, used = channel->link.in_window;
    return sms_link_is_bound(channel) && used < window ? window - used : 0;
}

static void tell(struct sms_request *request, kanal_status status, const struct sms_header *header,
                 kanal_str body)
{
    if (request->is_told)
        return;
    request->is_told = 1;
    request->fn(request->user, status, header, body);
}

static void end(struct sms_request *request)
{
    struct sms_link *link = &request->channel->link;
    if (request->is_over)
        return;
    request->is_over = 1;
    if (!in_window(request))
        return;
    link->in_window--;
    if (request->is_told)
        link->unanswered--;
}

/* Frees those that owe nothing any more. */
static void collect(struct sms_link *link)
{
    struct sms_request **at = &link->requests;
    while (*at) {
        struct sms_request *request = *at;
        if (request->is_over && request->is_written && request->is_told) {
            *at = request->next;
            free(request);
        } else {
            at = &request->next;
        }
    }
}

static void on_written(void *user, kanal_status status)
{
    struct sms_request *request = user;
    struct kanal_channel *channel = request->channel;
    const kanal_str none = { NULL, 0 };
    int was_over = request->is_over;
    request->is_written = 1;
    if (status != KANAL_OK) {
        end(request);
        tell(request, status == KANAL_E_CANCELLED ? KANAL_E_MAYBE : status, NULL, none);
    } else if (was_over) {
        tell(request, KANAL_E_MAYBE, NULL, none); /* it left, and the stream ended */
    }
    collect(&channel->link);
    kanal_calls_let_go(&channel->calls);
}

kanal_status sms_link_ask(struct kanal_channel *channel, kanal_str pdu, uint32_t sequence,
                          uint32_t timeout_ms, const kanal_stream_secret *secret, sms_answer_fn *fn,
                          void *user)
{
    struct sms_link *link = &channel->link;
    struct sms_header header;
    struct sms_request *request = pdu.len > 0 ? calloc(1, sizeof *request) : NULL;
    if (!request || sms_header_read(&header, pdu) != 1) {
        free(request);
        return KANAL_E_INTERNAL;
    }
    *request = (struct sms_request){ .next = link->requests,
                                     .channel = channel,
                                     .sequence = sequence,
                                     .command = header.command,
                                     .due_ms = channel->host->now_ms(channel->host) + timeout_ms,
                                     .fn = fn,
                                     .user = user };
    link->requests = request;
    link->in_window += (uint32_t)in_window(request);
    if (link->streams->write(channel->host, link->stream, pdu, secret, secret ? 1 : 0, on_written, request) ==
        0) {
        end(request);
        request->is_written = request->is_told = 1;
        collect(link);
        return KANAL_E_INTERNAL;
    }
    kanal_calls_hold(&channel->calls);
    return KANAL_OK;
}

/* ---- Answers ---- */

void sms_link_answered(struct kanal_channel *channel, const struct sms_header *header, kanal_str body)
{
    uint32_t command = header->command & ~SMS_RESPONSE;
    for (struct sms_request *request = channel->link.requests; request; request = request->next) {
        if (request->is_over || request->sequence != header->sequence ||
            (command != SMS_GENERIC_NACK && command != request->command))
            continue;
        int is_late = request->is_told;
        end(request);
        if (is_late)
            kanal_log(channel->host, 0, KANAL_LOG_WARN,
                      "an answer came after its time: what it is about was told as unknown",
                      sms_response_text(body, SMS_ID_BYTES_MAX));
        tell(request, KANAL_OK, header, body);
        collect(&channel->link);
        if (is_late)
            sms_outgoing_pump(channel);
        return;
    }
    kanal_count(channel->host, "answers_unexpected");
}

void sms_link_lose(struct kanal_channel *channel)
{
    struct sms_request *next;
    for (struct sms_request *request = channel->link.requests; request; request = next) {
        next = request->next;
        end(request);
        if (request->is_written) /* else the write will say whether it left */
            tell(request, KANAL_E_MAYBE, NULL, kanal_str_of(NULL, 0));
    }
    collect(&channel->link);
}

void sms_link_forget(struct kanal_channel *channel)
{
    for (struct sms_request *request = channel->link.requests; request; request = channel->link.requests) {
        channel->link.requests = request->next;
        free(request);
    }
}

void sms_link_expire(struct kanal_channel *channel)
{
    struct sms_link *link = &channel->link;
    int64_t now = channel->host->now_ms(channel->host);
    for (struct sms_request *request = link->requests; request; request = request->next) {
        if (request->is_told || request->is_over || request->due_ms > now)
            continue;
        link->unanswered += (uint32_t)in_window(request);
        tell(request, KANAL_E_TIMEOUT, NULL, kanal_str_of(NULL, 0));
    }
    if (link->unanswered >= channel->settings.window)
        sms_link_close(channel, KANAL_E_TIMEOUT, "the SMS centre leaves a whole window unanswered");
}
