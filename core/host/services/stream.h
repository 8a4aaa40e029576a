/* host/services/stream.h - the streams of a channel, for the services that open them (stream.c, transfer.c). [lane] */
#ifndef KANAL_HOST_SERVICES_STREAM_H
#define KANAL_HOST_SERVICES_STREAM_H
#include "host/channel.h"
#include "kanal/sdk/buffer.h"
#include "net/stream.h"

struct connection; /* a stream, from connect() to on_close() */

/* A new one, whose number is *ret_id; it is ended (stream_end()) or made ready, soon and not inside this call. idle_ms, credit: as in
 * kanal_stream_target. NULL: no memory, or the channel has stopped. */
struct connection *stream_begin(struct channel *, uint32_t idle_ms, uint32_t credit, kanal_op *ret_id);
/* What makes the connection; abort() stops it when the stream ends before it is ready. Cleared by stream_ready(). */
void stream_made_by(struct connection *, void *maker, void (*abort)(void *maker));
/* Takes the transport over. handshake_ms: TLS first, within so long; 0: none. */
void stream_ready(struct connection *, int fd, const struct net_transport *, void *impl,
                  uint32_t handshake_ms);
/* on_close() follows, once. */
void stream_end(struct connection *, kanal_status, const char *reason);
/* Of a logged-in session: no secrets, no TLS of its own, no half-close. */
void stream_restrict(struct connection *);
/* stream_end() was called. */
int stream_is_over(const struct connection *);

/* stream_secret.c: data with its secrets in place, into out; the caller wipes it. The statuses are those of write(). */
kanal_status stream_compose(const struct channel *, kanal_str data, const kanal_stream_secret *secrets,
                            size_t count, struct kanal_buffer *out);
/* The gate (egress.h) of a host and port that the operator's or the plugin's list names; NULL: reason says what is missing. */
void *place_gate(struct channel *, const char *host, uint32_t port, char reason[NET_REASON_MAX]);

#endif
