/* api.h - calls to VK's API (https://dev.vk.com/ru/api/api-requests): POST <api_url>/method/<name>, a form.
 *
 * Errors come with HTTP 200. The token enters as the field access_token by the host's secret slot and is never
 * seen here. All of it runs in the lane. */
#ifndef VK_API_H
#define VK_API_H
#include "channel.h"

#define VK_API_VERSION "5.199"

/* What came back. Views live until the callback returns. */
struct vk_reply {
    kanal_status
        status; /* KANAL_OK: the provider answered (with http_code); else no usable answer, see plugin.h */
    int http_code;
    int is_ok;             /* there is a response, and no error in it */
    yyjson_val *response;  /* of ok; else NULL */
    int64_t error_code;    /* VK's, else 0 */
    kanal_str words;       /* VK's, or ours if it said nothing */
    int64_t retry_after_s; /* of the header; 0: not said */
};

typedef void vk_reply_fn(void *user, const struct vk_reply *);

struct vk_request {
    const char *method;
    kanal_str form;      /* urlencoded; absent: no parameters */
    uint32_t timeout_ms; /* 0: the host's 30 s */
};

/* Starts a call; its callback runs exactly once, later. cause: 0 or the op it is done for. 0, or
 * KANAL_E_INTERNAL when out of memory (then the callback never runs). */
kanal_status vk_api_call(struct kanal_channel *, kanal_op cause, const struct vk_request *, vk_reply_fn *,
                         void *user);
/* The second step of an upload: the file of source_url as the field of a form, to an upload server. The reply's
 * response is the whole object, for ok when it has the member `wanted`. */
struct vk_upload_request {
    kanal_str url;
    const char *field;  /* of the form */
    const char *wanted; /* member of the answer */
    kanal_str source_url, filename, mime;
    uint32_t timeout_ms;
};
kanal_status vk_api_upload(struct kanal_channel *, kanal_op cause, const struct vk_upload_request *,
                           vk_reply_fn *, void *user);

/* Reads an answer as it came; wanted: NULL of a method. The document that the views point into, or NULL;
 * yyjson_doc_free() it. */
yyjson_doc *vk_reply_read(struct vk_reply *, kanal_status, const kanal_http_response *, const char *wanted);

#endif
