/* Requests of channels with `raw` are kept as they came, before the plugin sees them: one that its plugin gets wrong, or dies of, can then be run
 * again by a better one. Their 2xx waits for it as it waits for their events. */
#include "broker/jetstream.h"
#include "host/host.h"
#include "inbound/internal.h"
#include "inbound/kept.h"

#define KEEP_TIMEOUT_MS 5000u

struct keeping {
    struct channel *channel;
    kanal_op op;
};

static void on_kept(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct keeping *keeping = user;
    struct channel *channel = keeping->channel;
    (void)ack;
    if (status == KANAL_E_TOO_LARGE || status == KANAL_E_REJECTED) {
        log_write(channel->host->log, KANAL_LOG_WARN, "raw", channel->id.ptr, "a request is not kept: %.*s",
                  (int)reason.len, reason.ptr ? reason.ptr : "");
        status = KANAL_OK; /* for as long as it takes nobody would hear of this customer */
    }
    /* The request may have been held for the channel's next instance meanwhile, and be that one's now. */
    struct channel *now =
        op_find(channel->host->ops, channel, keeping->op) ? channel : host_find(channel->host, channel->id);
    if (now)
        channel_cause_stored(now, keeping->op, status);
    free(keeping);
}

static int is_worth_it(const kanal_http_request *request)
{
    return !kanal_str_is(request->method, "OPTIONS") && !kanal_str_is(request->method, "HEAD") &&
           kanal_field_get(request->headers, request->header_count, "upgrade").len == 0;
}

void keep_request(struct op *op, const kanal_http_request *request)
{
    struct channel *channel = op->channel;
    struct kanal_buffer text = { 0 }, cuts = { 0 }, subject = { 0 };
    struct keeping *keeping = is_worth_it(request) ? malloc(sizeof *keeping) : NULL;
    if (!keeping)
        return;
    *keeping = (struct keeping){ channel, op->id };
    kept_write(channel->config, request->path, request, &text, &cuts);
    kanal_buffer_str(&subject, channel->host->envelope.prefix);
    kanal_buffer_text(&subject, ".raw.");
    kanal_buffer_str(&subject, channel->id);
    kanal_field headers[] = { { KANAL_LIT(KEPT_KIND_HEADER), KANAL_LIT("request") },
                              { KANAL_LIT("traceparent"), kanal_str_c(op->trace) },
                              { KANAL_LIT(KEPT_CUTS_HEADER), kanal_buffer_view(&cuts) } };
    struct broker_out out = { .subject = kanal_buffer_view(&subject),
                              .payload = kanal_buffer_view(&text),
                              .headers = headers,
                              .header_count = cuts.len > 0 ? 3 : 2 };
    op->waiting++;
    if (text.failed || cuts.failed || subject.failed)
        on_kept(keeping, KANAL_E_BUSY, NULL, (kanal_str){ 0 });
    else
        js_publish(channel->host->broker, &out, (kanal_str){ 0 }, JS_ANY_SEQUENCE, KEEP_TIMEOUT_MS, on_kept,
                   keeping);
    kanal_buffer_release(&text);
    kanal_buffer_release(&cuts);
    kanal_buffer_release(&subject);
}
