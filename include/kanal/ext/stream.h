/* kanal/ext/stream.h - extension "kanal.stream/1": byte streams (TCP, with or without TLS) to granted places.
 *
 * For protocols that the host does not speak and that keep a connection (SMPP 3.4, MQTT …); an IMAP session that login() of
 * transfer.h opened is such a stream too. The host resolves, connects, checks the address, and does TLS: at least 1.2, the chain and
 * the host's name are verified, and nothing turns that off; it never falls back to plain text. Connecting again is the plugin's.
 *
 * Grant      The channel's `egress` has to name the host with its port ("smsc.example.com:2775"): a grant without a port is
 *            for HTTP and grants no stream.
 * Credit     on_data() brings at most as many bytes as the plugin has given credit for: at first those of connect(), then more
 *            by credit(). Without credit the host stops reading, and so the peer stops sending.
 * Secrets    A protocol whose log-in carries the password as it is (SMPP's bind) names it in write(): the host inserts it on
 *            the way out and corrects the length fields around it, so that the plugin never holds it and need not know its length. That
 *            is for such protocols only: it needs the operator's own `egress` list, not the plugin's default one. */
#ifndef KANAL_EXT_STREAM_H
#define KANAL_EXT_STREAM_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_EXT_STREAM "kanal.stream/1"

#define KANAL_STREAM_TLS 1u /* TLS from the first byte */

/* Where to. Frozen. */
typedef struct kanal_stream_target {
    uint32_t port;
    uint32_t flags;              /* KANAL_STREAM_… */
    uint32_t connect_timeout_ms; /* resolving, connecting and TLS together; 0: 15 s; at most 60 s */
    uint32_t idle_timeout_ms;    /* nothing came for so long: closed with KANAL_E_TIMEOUT; 0: never */
    uint32_t credit;             /* bytes; 0: 64 KiB; at most 1 MiB stand open at a time */
    uint32_t reserved;           /* 0 */
    kanal_str host;              /* a name, or an address without brackets */
} kanal_stream_target;

/* A secret that is inserted into what is written. Frozen. */
typedef struct kanal_stream_secret {
    uint32_t position;  /* byte offset in data before which it is inserted; ascending in an array */
    uint32_t max_bytes; /* a longer one: KANAL_E_TOO_LARGE; 0: 255 */
    uint32_t
        length_position; /* of a big-endian number in data that counts the inserted bytes too: they are added to it … */
    uint32_t length_bytes; /* … its width: 1, 2 or 4; 0: there is none */
    kanal_str
        secret; /* the secret's name. A secret with a byte below 0x20 is refused: it would end a field early */
} kanal_stream_secret;

/* The host's table: kanal_host.extension(). Frozen. */
typedef struct kanal_stream_host {
    uint64_t struct_size;
    /* [lane] The stream's number. on_open() follows, or on_close() alone: KANAL_E_INVALID, KANAL_E_DENIED (not granted, or the
     * name leads to a private address), KANAL_E_BUSY (over 64 streams), KANAL_E_NETWORK, KANAL_E_TIMEOUT, KANAL_E_REJECTED
     * (the peer's certificate). 0, and nothing follows: the plugin has no table,
     * or after finish() of stop(). */
    kanal_op (*connect)(const kanal_host *, const kanal_stream_target *);
    /* [lane] TLS over a stream that began without it, after the peer agreed to it (STARTTLS). KANAL_OK: what is written from
     * now on is encrypted. Anything else closes the stream. What came unencrypted and was not yet handed over makes it
     * KANAL_E_REJECTED: somebody on the way may have put it there. Nothing may be written meanwhile. */
    kanal_op (*start_tls)(const kanal_host *, kanal_op stream, kanal_done_fn *, void *user);
    /* [lane] Queues data, in the order of the calls. KANAL_OK: the system took it all (not: the peer has it). KANAL_E_NOT_FOUND: no
     * open stream, or no such secret. KANAL_E_BUSY: over 1 MiB or 256 writes would wait; KANAL_E_DENIED, KANAL_E_INVALID,
     * KANAL_E_TOO_LARGE, KANAL_E_REJECTED (the secret, see there): none of it was or will be sent. KANAL_E_NETWORK: the stream
     * ended before a byte of it left; KANAL_E_MAYBE: it ended, and some or all of it had left. cancel()
     * ends the waiting, not the writing. */
    kanal_op (*write)(const kanal_host *, kanal_op stream, kanal_str data, const kanal_stream_secret *secrets,
                      size_t secret_count, kanal_done_fn *, void *user);
    /* [lane] So many bytes more may be handed over. */
    void (*credit)(const kanal_host *, kanal_op stream, uint32_t bytes);
    /* [lane] No more is written: the peer sees the end after what is queued. Reading goes on. */
    void (*shutdown)(const kanal_host *, kanal_op stream);
    /* [lane] Closes now; what is queued is dropped. on_close() with KANAL_E_CANCELLED follows. */
    void (*close)(const kanal_host *, kanal_op stream);
} kanal_stream_host;

/* The plugin's table: kanal_plugin.extension(). Frozen. */
typedef struct kanal_stream_plugin {
    uint64_t struct_size;
    /* [lane] All in order. Streams stay open through stop() (the peer may want a farewell); what is open when it is finished ends
     * without on_close(). */
    void (*on_open)(kanal_channel *, kanal_op stream);
    void (*on_data)(kanal_channel *, kanal_op stream, kanal_str bytes); /* 1 byte to 64 KiB */
    /* The peer sends no more, properly: of TLS, only after its farewell. Writing may go on. */
    void (*on_end)(kanal_channel *, kanal_op stream);
    /* Exactly once for each connect(), also after on_end(). KANAL_OK: both sides had ended. KANAL_E_CANCELLED: close().
     * KANAL_E_NETWORK, KANAL_E_TIMEOUT, KANAL_E_REJECTED (certificate, log-in) …; reason: words for a log. */
    void (*on_close)(kanal_channel *, kanal_op stream, kanal_status, kanal_str reason);
} kanal_stream_plugin;

#ifdef __cplusplus
}
#endif
#endif
