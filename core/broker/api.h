/* broker/api.h - requests to JetStream's JSON API ("$JS.API.…") and what its answers have in common.
 * Private to core/broker. [loop] */
#ifndef KANAL_BROKER_API_H
#define KANAL_BROKER_API_H
#include "jetstream.h"
#include "kanal/sdk/json.h"
#include "private.h"

/* Error codes of the server ("err_code"). */
#define JS_ERR_CONSUMER_NOT_FOUND 10014
#define JS_ERR_STREAM_NOT_FOUND 10059
#define JS_ERR_STREAM_NAME_IN_USE 10058
#define JS_ERR_NO_MESSAGE_FOUND 10037
#define JS_ERR_SEQUENCE_NOT_FOUND 10043
#define JS_ERR_DELETE_FAILED 10057

struct js_answer {
    kanal_status status; /* KANAL_OK; why there is none; _REJECTED or _BUSY: root holds an error */
    yyjson_val *root;    /* the answer, borrowed; NULL without one */
    int64_t err_code;    /* the server's, or 0 */
    kanal_str reason;    /* the server's words, or ours */
};
typedef void js_api_fn(void *user, const struct js_answer *);

/* subject: below "$JS.API.". Exactly one answer, never inside the call. */
void js_api(struct broker *, const char *subject, kanal_str body, js_api_fn *, void *user);
/* The same; timeout_ms 0: that of every request. */
void js_api_within(struct broker *, uint32_t timeout_ms, const char *subject, kanal_str body, js_api_fn *,
                   void *user);

/* What an answer's bytes say; the document (NULL: not JSON) must outlive what *ret_answer refers to. */
yyjson_doc *js_answer_parse(kanal_str payload, struct js_answer *ret_answer);

/* Our words for a status without an answer. */
kanal_str js_status_reason(kanal_status);
/* A name of a stream, bucket or consumer: one plain subject token. */
int js_name_valid(kanal_str name);

/* Appends what differs between a configuration and what was expected, member by member: "max_age is 7d,
 * expected 400d; …". Members that are absent in `actual` count as 0, false or "". Returns how many differ. */
int js_config_differences(yyjson_val *actual, yyjson_val *expected, struct kanal_buffer *out);

#endif
