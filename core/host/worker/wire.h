/* host/worker/wire.h - the frames between the core and a worker: one encoder and one decoder for both sides, driven by tables.
 *
 * A frame is a header of 12 bytes (u32 bytes that follow the header, u16 type, u16 zero, u32 channel) and the members of the
 * type's struct in the order of its table (wire_frames.c), little-endian, unpadded. A text is u32 length and bytes; a list u32
 * count and items; a struct of the ABI begins with its struct_size. channel: the number that the core gave the channel in this
 * worker; WIRE_NOBODY where there is none.
 *
 * A frame that holds a large text may stand aside: its type has WIRE_ASIDE set, its body is u32 where and u32 how many bytes, and the
 * members stand there, in memory that both sides share (area.h). Who reads it looks it up, and gives the place back by TAKEN.
 *
 * What a plugin passes wrongly ({NULL, 5}, too small a struct_size, too many items) travels as a mark, and is as wrong after
 * decoding, so that the core judges it as it judges a plugin in its own process. Everything else that is not right (type, length,
 * bytes that are left over) is a broken frame, and the connection is given up.
 *
 * Limits stand in the tables: a frame's length is checked by its type before anything is allocated. Nothing here blocks, logs or
 * allocates but from the buffer and the scratch that are passed. [any thread] */
#ifndef KANAL_HOST_WORKER_WIRE_H
#define KANAL_HOST_WORKER_WIRE_H
#include "host/worker/area.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/stream.h"
#include "kanal/ext/transfer.h"
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

#define WIRE_VERSION 2u
#define WIRE_MAGIC 0x4c4e414bu /* "KANL" */
#define WIRE_HEADER_BYTES 12u
#define WIRE_ASIDE 0x10000u      /* in the upper half of the type */
#define WIRE_ASIDE_BYTES 8u      /* the body of such a frame */
#define WIRE_LARGE (128u * 1024) /* bytes of a text; shorter ones are as fast through the socket */
#define WIRE_NOBODY UINT32_MAX
#define WIRE_CHANNELS_MAX 1000000u

enum wire_type { /* never renumbered: both sides come from one build, but an old worker must be told by its hello */
                 WIRE_HELLO = 1,
                 WIRE_TAKEN, /* the piece of the area that begins there is read */
                 /* core → worker */
                 WIRE_CREATE = 16,
                 WIRE_START,
                 WIRE_PROVISION,
                 WIRE_HTTP,
                 WIRE_DELIVER,
                 WIRE_MEDIA,
                 WIRE_STOP,
                 WIRE_DESTROY,
                 WIRE_DONE,
                 WIRE_VALUE,
                 WIRE_RESPONSE,
                 WIRE_SOCKET_OPENED,
                 WIRE_SOCKET_MESSAGE,
                 WIRE_SOCKET_CLOSED,
                 WIRE_SOCKET_SENT, /* so many bytes of the connection were taken */
                 WIRE_SOCKET_GONE, /* no such connection: nothing that is sent will arrive */
                 WIRE_STREAM_OPENED,
                 WIRE_STREAM_DATA,
                 WIRE_STREAM_ENDED,
                 WIRE_STREAM_CLOSED, /* its number is used up */
                 WIRE_MAILED,
                 WIRE_LEASE_HELD,
                 WIRE_LEASE_RENEWED, /* of one that is held: until when, now */
                 WIRE_LEASE_LOST,
                 WIRE_BLOB_GONE, /* its number is used up */
                 WIRE_AREA,      /* the worker may write so much beside the socket */
                 /* worker → core */
                 WIRE_DESCRIBED = 64,
                 WIRE_REFUSED,
                 WIRE_CREATED,
                 WIRE_DESTROYED,
                 WIRE_RAN, /* so many frames of the channel were worked off */
                 WIRE_LOG,
                 WIRE_METRIC,
                 WIRE_HEALTH,
                 WIRE_CANCEL,
                 WIRE_TIMER,
                 WIRE_VERIFY,
                 WIRE_SIGN,
                 WIRE_STATE_GET,
                 WIRE_STATE_PUT,
                 WIRE_HTTP_SEND,
                 WIRE_PUBLISH,
                 WIRE_FINISH,
                 WIRE_DELIVERED,
                 WIRE_RESPOND,
                 WIRE_LOCATE,
                 WIRE_SOCKET_ACCEPT,
                 WIRE_SOCKET_SEND,
                 WIRE_SOCKET_CLOSE,
                 WIRE_BLOB_PUT,
                 WIRE_BLOB_URL,
                 WIRE_STREAM_CONNECT,
                 WIRE_STREAM_LOGIN,
                 WIRE_STREAM_TLS,
                 WIRE_STREAM_WRITE,
                 WIRE_STREAM_CREDIT,
                 WIRE_STREAM_SHUTDOWN,
                 WIRE_STREAM_CLOSE,
                 WIRE_MAIL,
                 WIRE_LEASE_ACQUIRE,
                 WIRE_LEASE_RELEASE,
                 WIRE_BLOB_OPEN,
                 WIRE_BLOB_APPEND,
                 WIRE_BLOB_COMMIT,
                 WIRE_BLOB_DISCARD,
                 WIRE_LINK_OFFER,
                 WIRE_WAKE, /* never sent: on_wake() on the page */
                 WIRE_TYPES_END
};

/* Who may send a type. */
enum wire_side { WIRE_FROM_CORE = 1, WIRE_FROM_WORKER = 2 };

/* ---- The structs of the types ---- */

struct wire_hello {
    uint32_t magic, version, abi_major, abi_minor;
};
struct wire_create {
    kanal_str channel_id, settings, public_url;
};
struct wire_call { /* START, STOP, CANCEL */
    kanal_op op;
};
struct wire_provision {
    kanal_op op;
    kanal_str public_url;
    int32_t wanted;
};
struct wire_http { /* HTTP; and HTTP_SEND, LOCATE */
    kanal_op op;
    kanal_op cause;
    kanal_status status;
    const kanal_http_request *request;
};
struct wire_deliver {
    kanal_op op;
    const kanal_delivery *delivery;
};
struct wire_text { /* MEDIA, BLOB_URL; LINK_OFFER (op 0) */
    kanal_op op;
    kanal_str text;
};
struct wire_done { /* DONE; FINISH, HEALTH (op 0) with a reason */
    kanal_op op;
    kanal_status status;
    kanal_str reason;
};
struct wire_value {
    kanal_op op;
    kanal_status status;
    kanal_str value;
    uint64_t revision;
};
struct wire_response { /* RESPONSE, RESPOND */
    kanal_op op;
    kanal_status status;
    const kanal_http_response *response;
};
struct
    wire_socket { /* number: a message's type, a close code, the bytes that were taken, or the longest message */
    kanal_op connection;
    uint32_t number;
    kanal_str text;
};
struct wire_count { /* CREATED: 1 or 0; RAN; TAKEN: where; AREA: bytes */
    uint32_t count;
};
struct wire_log {
    kanal_op cause;
    int32_t level;
    uint32_t dropped; /* lines of the channel before this one that the worker did not send */
    kanal_str text;
};
struct wire_metric {
    kanal_str name;
    double by;
    const kanal_field *labels;
    size_t label_count;
};
struct wire_timer {
    kanal_op op;
    uint32_t delay_ms;
};
struct wire_sign { /* VERIFY, SIGN (claimed is absent) */
    kanal_op op;
    kanal_str secret, algorithm, data, claimed;
};
struct wire_state { /* STATE_GET (key alone), STATE_PUT */
    kanal_op op;
    kanal_str key, value;
    uint64_t revision;
};
struct wire_publish {
    kanal_op op, cause;
    const kanal_event *const *events;
    size_t count;
    uint32_t is_quiet; /* nobody is called when it is done: its DONE may wait for another frame */
};
struct wire_delivered {
    kanal_op op;
    const kanal_result *result;
};
struct wire_blob { /* BLOB_PUT, BLOB_OPEN (data is absent) */
    kanal_op op;
    kanal_str content_type, filename, data;
};
/* Streams, leases and blobs stay: each has the number that the worker gave it, on both sides' frames. */
struct wire_on {     /* STREAM_…, BLOB_…: */
    kanal_op op;     /* the call that is answered; 0: none */
    kanal_op on;     /* the stream or blob */
    uint32_t number; /* credit, or the status of CLOSED */
    kanal_str text;  /* bytes; CLOSED: the reason */
};
struct wire_connect {
    kanal_op op; /* the stream's number */
    const kanal_stream_target *target;
};
struct wire_login {
    kanal_op op; /* the stream's number */
    const kanal_login *login;
    uint32_t idle_ms, credit;
};
struct wire_write {
    kanal_op op, stream;
    kanal_str data;
    const kanal_stream_secret *secrets;
    size_t secret_count;
};
struct wire_mail {
    kanal_op op, cause;
    const kanal_mail *mail;
};
struct wire_mailed {
    kanal_op op;
    kanal_status status;
    const kanal_mail_result *result;
};
struct wire_lease {
    kanal_op lease;
    uint64_t until_ms; /* HELD, RENEWED: by CLOCK_BOOTTIME, which is one for all processes of a machine */
    uint32_t ttl_ms;   /* ACQUIRE, as the next */
    kanal_str name;
};

#define WIRE_SLOT_PROVISION 1u
#define WIRE_SLOT_ON_HTTP 2u
#define WIRE_SLOT_DELIVER 4u
#define WIRE_SLOT_MEDIA 8u
#define WIRE_SLOT_ON_WAKE 16u
struct wire_described {
    uint64_t slots;             /* which of the optional ones there are */
    const kanal_plugin *plugin; /* without its slots */
};

/* ---- Encoding ---- */

/* Appends one frame. 0; KANAL_E_TOO_LARGE: over the type's limit, nothing was appended; KANAL_E_INTERNAL: out of memory. value: the
 * type's struct, or NULL for a type without members. A frame with a large text stands aside if the area (NULL: none) has room for it. */
int wire_put_large(struct kanal_buffer *out, struct area *, enum wire_type, uint32_t channel,
                   const void *value);
/* The same, never aside. */
static inline int wire_put(struct kanal_buffer *out, enum wire_type type, uint32_t channel, const void *value)
{
    return wire_put_large(out, NULL, type, channel, value);
}

/* ---- Decoding ---- */

struct wire_frame {
    enum wire_type type;
    uint32_t channel;
    kanal_str body; /* of one that stands aside: {NULL, bytes}, until it is looked up */
    int is_aside;
    uint32_t at; /* if it is */
};

/* The next frame of the bytes. 1: there is one, of *ret_bytes with its header; 0: it is not whole yet, *ret_bytes are needed in all;
 * KANAL_E_INVALID: no frame of this side, or longer than its type may be. */
int wire_next(kanal_str bytes, enum wire_side from, struct wire_frame *ret_frame, size_t *ret_bytes);

/* Memory for what a frame's lists become. A zeroed struct is empty; _clear keeps the first block. */
struct wire_scratch {
    struct wire_block *first, *last;
};
void wire_scratch_clear(struct wire_scratch *);
void wire_scratch_release(struct wire_scratch *);

/* Fills the type's struct; its texts point into the frame, its lists into the scratch. KANAL_E_INVALID: broken; KANAL_E_INTERNAL: out of
 * memory. */
int wire_get(const struct wire_frame *, struct wire_scratch *, void *ret_value);

/* "publish"; "?" */
const char *wire_name(enum wire_type);

#endif
