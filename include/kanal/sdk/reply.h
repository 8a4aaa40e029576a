/* kanal/sdk/reply.h - answers that the script of a page may read: JSON, errors and preflights with the headers of the Fetch standard
 * ("CORS protocol"). Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_REPLY_H
#define KANAL_SDK_REPLY_H
#include "json.h"
#include "origin.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Where an answer goes. Plain data: copy it to answer later. */
struct kanal_reply {
    const kanal_host *host;
    kanal_op op;
    char origin[KANAL_ORIGIN_BYTES_MAX + 1]; /* of a page that is allowed to read it; empty: none */
};

/* Of a request that on_http() was given. 1; or 0 if it comes from a page whose origin the patterns do not allow: then it may be answered,
 * but that page cannot read it. A request without an origin comes from a server or is a browser's own navigation: 1. */
int kanal_reply_init(struct kanal_reply *, const kanal_host *, kanal_op, const kanal_http_request *,
                     yyjson_val *patterns);
/* retry_after_s: 0: without the header. */
void kanal_reply_json(const struct kanal_reply *, int32_t code, kanal_str body, uint32_t retry_after_s);
/* {"error": {"code", "message"}} */
void kanal_reply_error(const struct kanal_reply *, int32_t code, const char *name, const char *message,
                       uint32_t retry_after_s);
/* The answer to OPTIONS: "GET, POST" and "content-type". */
void kanal_reply_preflight(const struct kanal_reply *, const char *methods, const char *headers);
/* 303 */
void kanal_reply_redirect(const struct kanal_reply *, kanal_str url);

#ifdef __cplusplus
}
#endif
#endif
