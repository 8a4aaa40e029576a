/* api.h - calls to Viber's REST Bot API (https://developers.viber.com/docs/api/rest-bot-api/): POST
 * <api_url>/<method>, JSON.
 *
 * Errors come with HTTP 200 and a `status` that is not 0. The token enters as a header by the host's secret slot and is
 * never seen here. All of it runs in the lane. */
#ifndef VIBER_API_H
#define VIBER_API_H
#include "channel.h"

/* What came back. Views live until the callback returns. */
struct viber_reply {
    kanal_status
        status; /* KANAL_OK: the provider answered (with http_code); else no usable answer, see plugin.h */
    int http_code;
    int is_ok;             /* {"status": 0} with a 2xx code */
    yyjson_val *root;      /* the answer; NULL: it is no object */
    int64_t error_code;    /* Viber's status; 0: there is none */
    kanal_str words;       /* Viber's, or ours if it said nothing */
    int64_t retry_after_s; /* of the header; 0: not said */
};

typedef void viber_reply_fn(void *user, const struct viber_reply *);

/* Starts a call; its callback runs exactly once, later. json: an object. cause: 0 or the op it is done for. 0, or
 * KANAL_E_INTERNAL when out of memory (then the callback never runs). */
kanal_status viber_api_call(struct kanal_channel *, kanal_op cause, const char *method, kanal_str json,
                            uint32_t timeout_ms, viber_reply_fn *, void *user);

/* Reads an answer as it came. The document that the views point into, or NULL; yyjson_doc_free() it. */
yyjson_doc *viber_reply_read(struct viber_reply *, kanal_status, const kanal_http_response *);

#endif
