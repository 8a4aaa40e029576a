/* net/stream.h - one open connection in the event loop: bytes out in order, bytes in as there is room for them. [loop]
 *
 * A stream does not know what carries its bytes: a transport reads and writes them without blocking (net/tls.h: a socket, plain or
 * TLS; mail/session.h: a connection of libcurl). The stream owns the transport, queues what is to be written, tells when it
 * was, and stops reading while its owner has no room. No callback runs inside of a call of this header, except the
 * written() of what was queued inside net_stream_free(). */
#ifndef KANAL_NET_STREAM_H
#define KANAL_NET_STREAM_H
#include <sys/types.h>
#include <uv.h>
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

#define NET_REASON_MAX 256
#define NET_CHUNK 65536u /* the largest piece that data() is given */

/* What a transport answers instead of a number of bytes. */
enum { NET_WAIT_READ = -1, NET_WAIT_WRITE = -2, NET_BROKEN = -3, NET_REFUSED = -4 /* the certificate */ };

/* impl: the transport's own. reason (NET_REASON_MAX bytes) is filled in with NET_BROKEN and NET_REFUSED. */
struct net_transport {
    /* Bytes; 0: the peer ended properly; or NET_…. */
    ssize_t (*receive)(void *impl, void *buffer, size_t len, char *reason);
    ssize_t (*send)(void *impl, const void *bytes, size_t len, char *reason);
    /* 0: TLS stands; or NET_…. NULL: none can be begun. */
    int (*handshake)(void *impl, char *reason);
    /* Tells the peer that no more comes: 0, or NET_…. NULL: cannot. */
    int (*finish)(void *impl, char *reason);
    /* 1: bytes may lie inside that the descriptor does not tell of. */
    int (*pending)(void *impl);
    /* Closes the descriptor, too. */
    void (*release)(void *impl);
    /* 1: a send() that waits may have sent something. */
    int (*opaque)(void *impl);
};

struct net_stream;

struct net_stream_events {
    size_t (*room)(void *user); /* how many bytes data() may be given now */
    void (*data)(void *user, kanal_str bytes);
    void (*end)(void *user); /* the peer sends no more */
    /* The last one, unless net_stream_free() came first; the owner still has to free. KANAL_OK: both sides ended. */
    void (*close)(void *user, kanal_status, const char *reason);
};

struct net_stream_options {
    uv_loop_t *loop;
    int fd; /* the transport's, non-blocking */
    const struct net_transport *transport;
    void *impl;
    uint32_t idle_ms; /* nothing came for so long, although there was room: KANAL_E_TIMEOUT; 0: never */
    const struct net_stream_events *events;
    void *user;
};

/* 0, or KANAL_E_INTERNAL: then the transport is still the caller's. */
int net_stream_new(struct net_stream **ret_stream, const struct net_stream_options *);
/* Nothing of the owner runs any more, except written() of what is queued, now. The loop must run once more. NULL is fine. */
void net_stream_free(struct net_stream *);

/* KANAL_OK: the system took it. KANAL_E_NETWORK: the stream ended, and nothing of it left; KANAL_E_MAYBE: something may have. */
typedef void net_written_fn(void *user, kanal_status);
/* Takes the buffer's bytes over, also when it fails; they are wiped when they are gone. 0; KANAL_E_BUSY: over max_queued bytes or
 * 256 writes wait; KANAL_E_NOT_FOUND: ended, or being ended. */
int net_stream_write(struct net_stream *, struct kanal_buffer *, size_t max_queued, net_written_fn *,
                     void *user);
/* There is room again. */
void net_stream_resume(struct net_stream *);
/* The peer sees the end after what is queued. */
void net_stream_shutdown(struct net_stream *);

/* TLS from here on; done() once: KANAL_OK, or what close() is told instead of being called. Meanwhile nothing is read or written.
 * 0; KANAL_E_INVALID: not with this transport, under way, or something is queued. */
typedef void net_secured_fn(void *user, kanal_status, const char *reason);
int net_stream_secure(struct net_stream *, uint32_t timeout_ms, net_secured_fn *, void *user);

#endif
