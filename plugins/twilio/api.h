/* api.h - calls to Twilio's REST API, 2010-04-01 (https://www.twilio.com/docs/usage/api): POST
 * <api_url>/2010-04-01/Accounts/<account>/<path>, an urlencoded form; the answer is JSON.
 *
 * The credentials enter by the host's secret slot (Basic) and are never seen here. All of it runs in the lane. */
#ifndef TWILIO_API_H
#define TWILIO_API_H
#include "channel.h"

/* What came back. Views live until the callback returns. */
struct tw_reply {
    kanal_status
        status; /* KANAL_OK: the provider answered (with http_code); else no usable answer, see plugin.h */
    int http_code;
    int is_ok;               /* a 2xx code and an object with a sid, and no error */
    yyjson_val *root;        /* the answer; NULL: it is no object */
    int64_t error_code;      /* Twilio's; 0: there is none */
    kanal_str words;         /* Twilio's, or ours if it said nothing */
    uint32_t retry_after_ms; /* of the header; 0: not said */
};

typedef void tw_reply_fn(void *user, const struct tw_reply *);

/* The URL of a path below the account. */
void tw_api_url(struct kanal_buffer *out, const struct tw_settings *, kanal_str path);
/* The account's credentials, or the API key's; borrows the settings. */
kanal_secret_use tw_api_secret(const struct tw_settings *);
/* Starts a call; its callback runs exactly once, later. cause: 0 or the op it is done for. 0, or KANAL_E_INTERNAL when out of
 * memory (then the callback never runs). */
kanal_status tw_api_call(struct kanal_channel *, kanal_op cause, kanal_str path, kanal_str form,
                         uint32_t timeout_ms, tw_reply_fn *, void *user);
/* Reads an answer as it came. The document that the views point into, or NULL; yyjson_doc_free() it. */
yyjson_doc *tw_reply_read(struct tw_reply *, kanal_status, const kanal_http_response *, int64_t now_ms);

#endif
