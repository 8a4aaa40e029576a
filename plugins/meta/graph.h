/* graph.h - calls to the Graph API (https://developers.facebook.com/docs/graph-api): <api_url>/<version>/<path>.
 *
 * The access token enters as a Bearer by the host's secret slot and is never seen here. All of it runs in the lane. */
#ifndef META_GRAPH_H
#define META_GRAPH_H
#include "channel.h"

/* The access token in a request. */
#define META_BEARER                                                                                          \
    {                                                                                                        \
        .where = KANAL_IN_HEADER, .name = KANAL_LIT("authorization"), .prefix = KANAL_LIT("Bearer "),        \
        .secret = KANAL_LIT("token")                                                                         \
    }

/* What came back. Views live until the callback returns. */
struct meta_reply {
    kanal_status status; /* KANAL_OK: Meta answered (with http_code); else no usable answer, see plugin.h */
    int http_code;
    int is_ok;         /* a 2xx code and a JSON object without "error" */
    yyjson_val *root;  /* of ok; else NULL */
    int64_t code;      /* error.code; 0: none */
    int64_t subcode;   /* error.error_subcode; 0: none */
    kanal_str message; /* Meta's words, or ours if it said nothing */
    uint32_t retry_ms; /* Retry-After, or the time that the usage header tells; 0: not said */
};

typedef void meta_reply_fn(void *user, const struct meta_reply *);

struct meta_request {
    const char *method;
    kanal_str path;          /* below the version, with its query */
    kanal_str json;          /* the body; absent: none */
    const kanal_part *parts; /* multipart form instead of json */
    size_t part_count;
    uint32_t timeout_ms;            /* 0: the host's 30 s */
    const kanal_secret_use *secret; /* one more, beside the token; or NULL */
};

/* Sends a request; its callback runs exactly once, later, in the lane. cause: 0 or the op it is done for. KANAL_OK, or
 * KANAL_E_INTERNAL: out of memory, the callback never runs. */
kanal_status meta_graph_call(struct meta_channel *, kanal_op cause, const struct meta_request *,
                             meta_reply_fn *, void *user);
/* Appends <api_url>/<version>/<path>. */
void meta_graph_url(struct kanal_buffer *out, const struct meta_channel *, kanal_str path);

/* Reads an answer as it came. The document that the views point into, or NULL; yyjson_doc_free() it. */
yyjson_doc *meta_reply_read(struct meta_reply *, kanal_status, const kanal_http_response *, int64_t now_ms);

#endif
