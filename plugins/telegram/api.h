/* api.h - calls to the Bot API (https://core.telegram.org/bots/api#making-requests): POST
 * <api_url>/bot<token>/<method>.
 *
 * The token enters as a path segment by the host's secret slot and is never seen here. All of it runs in the
 * lane. */
#ifndef TELEGRAM_API_H
#define TELEGRAM_API_H
#include "channel.h"

/* What came back. Views live until the callback returns. */
struct tg_reply {
    kanal_status
        status; /* KANAL_OK: the provider answered (with http_code); else no usable answer, see plugin.h */
    int http_code;
    int is_ok;             /* {"ok": true} with a 2xx code */
    yyjson_val *result;    /* of ok; else NULL */
    int64_t error_code;    /* Telegram's, else the HTTP code; 0 of no answer */
    kanal_str description; /* Telegram's words, or ours if it said nothing */
    int64_t retry_after_s; /* 0: not said */
    int64_t migrate_to;    /* the supergroup that a group became; 0: it did not */
};

typedef void tg_reply_fn(void *user, const struct tg_reply *);

struct tg_request {
    const char *method;
    kanal_str json;          /* an object; absent: no parameters */
    const kanal_part *parts; /* multipart form instead of json */
    size_t part_count;
    uint32_t timeout_ms;     /* 0: the host's 30 s */
    int with_webhook_secret; /* 1: adds the member "secret_token" */
};

/* Starts a call; its callback runs exactly once, later, in the lane; while stop() is under way the channel
 * settles after it. cause: 0 or the op it is done for. Returns the call, or NULL when out of memory (then the
 * callback never runs). */
struct kanal_call *tg_api_call(struct kanal_channel *, kanal_op cause, const struct tg_request *,
                               tg_reply_fn *, void *user);

/* Reads an answer as it came. The document that the views point into, or NULL; yyjson_doc_free() it. */
yyjson_doc *tg_reply_read(struct tg_reply *, kanal_status, const kanal_http_response *);

#endif
