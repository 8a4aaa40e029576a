/* host/services/services.h - the slots of the host table, by the file that holds them; table.c puts them together.
 *
 * Each checks its arguments as if they were hostile, makes an op, starts the work, and completes the op later. [lane] */
#ifndef KANAL_HOST_SERVICES_H
#define KANAL_HOST_SERVICES_H
#include "host/channel.h"

struct channel_finish {
    kanal_status status;
    kanal_str reason;
};

/* A plugin's text: {NULL, 5} is none. */
static inline int text_valid(kanal_str text)
{
    return text.ptr || text.len == 0;
}
/* 1: as many fields as that are there, and each is text. */
int fields_valid(const kanal_field *, size_t count, size_t most);

/* calls.c: the plugin's answers */
void table_finish(const kanal_host *, kanal_op, kanal_status, kanal_str reason);
void table_delivered(const kanal_host *, kanal_op, const kanal_result *);
void table_respond(const kanal_host *, kanal_op, const kanal_http_response *);
void table_locate(const kanal_host *, kanal_op, kanal_status, const kanal_http_request *);

/* local.c: what is answered at once */
void service_log(const kanal_host *, kanal_op cause, int32_t level, kanal_str text);
void service_wake(const kanal_host *);
int64_t service_now_ms(const kanal_host *);
void service_random(const kanal_host *, void *out, size_t len);
void service_metric_add(const kanal_host *, kanal_str name, double by, const kanal_field *labels,
                        size_t count);
void service_health(const kanal_host *, kanal_status, kanal_str reason);
void service_cancel(const kanal_host *, kanal_op);

/* timer.c */
kanal_op service_timer(const kanal_host *, uint32_t delay_ms, kanal_done_fn *, void *user);

/* crypto.c; check_signature() is also how declared authenticity is checked: 0 or KANAL_E_REJECTED, _NOT_FOUND, _INVALID */
kanal_op service_verify(const kanal_host *, kanal_str secret, kanal_str algorithm, kanal_str data,
                        kanal_str claimed, kanal_done_fn *, void *user);
kanal_op service_sign(const kanal_host *, kanal_str secret, kanal_str algorithm, kanal_str data,
                      kanal_value_fn *, void *user);
int check_signature(const struct channel *, kanal_str secret, kanal_str algorithm, kanal_str data,
                    kanal_str claimed);

/* state.c */
kanal_op service_state_get(const kanal_host *, kanal_str key, kanal_value_fn *, void *user);
kanal_op service_state_put(const kanal_host *, kanal_str key, kanal_str value, uint64_t if_revision,
                           kanal_value_fn *, void *user);

/* publish.c */
kanal_op service_publish(const kanal_host *, kanal_op cause, const kanal_event *const *events, size_t count,
                         kanal_done_fn *, void *user);

/* http.c; outgoing_init() is also for a media recipe. Borrows the request's strings. KANAL_E_DENIED, _INVALID, _NOT_FOUND (a secret). */
struct http_out;
struct outgoing { /* a granted request, its secrets filled in; release wipes it */
    struct http_out *out;
};
kanal_op service_http_send(const kanal_host *, kanal_op cause, const kanal_http_request *,
                           kanal_response_fn *, void *user);
int outgoing_init(struct outgoing *, struct channel *, kanal_op cause, const kanal_http_request *,
                  char reason[256]);
void outgoing_release(struct outgoing *);
/* The gate of a URL that is streamed into something that this channel sends: of a granted host, the gateway's own /m/, or a URL in the
 * delivery that is the cause. NULL: it is none of these. */
void *source_gate(struct channel *, kanal_op cause, kanal_str url);

/* blob.c, blob_write.c, lease.c, link.c, stream.c, transfer.c, websocket.c: extensions */
const void *extension_blob(void);
const void *extension_blob2(void);
/* Until when the channel's lease is certainly held (host/lease.h); 0: it is not. */
uint64_t lease_until(struct channel *, kanal_op lease);
const void *extension_stream(void);
const void *extension_transfer(void);
const void *extension_lease(void);
const void *extension_link(void);
kanal_op blob_put(const kanal_host *, kanal_str content_type, kanal_str filename, kanal_str data,
                  kanal_value_fn *, void *user);
kanal_op blob_url(const kanal_host *, kanal_str reference, kanal_value_fn *, void *user);
/* 1: both may become headers of an answer. */
int blob_info_valid(kanal_str content_type, kanal_str filename);
const void *extension_websocket(void);
/* Closes every connection; the plugin hears of each before stop(). */
void websocket_close_all(struct channel *);
/* The plugin's instance is gone: closes every connection (1012), and nobody hears of them any more. */
void websocket_lose_all(struct channel *);
/* Frees what waits in the lane, which is never run again. */
void websocket_drop_queued(struct channel *);
void stream_drop_queued(struct channel *);

#endif
