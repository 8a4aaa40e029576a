/* kanal/plugin.h - the channel-plugin ABI, major 1.
 *
 * A channel plugin is a shared object that exports one function, kanal_plugin_v1(). This header is all that it needs
 * to know of Kanal; ext/NAME.h adds optional extensions, sdk/ holds optional static helpers that are not part of the ABI.
 *
 * Lane       Each channel has one lane. Everything marked [lane] happens there one at a time, in order, though not
 *            always on the same OS thread. Callbacks are short: one that outlives its deadline (1 s unless the operator
 *            says otherwise) is blamed on its channel. What is marked [any thread] may be called from a thread of the
 *            plugin's own, where its isolation permits threads.
 * Async      A host call that returns a kanal_op never blocks and never fails at once: its callback runs exactly once,
 *            later, in the lane, never inside the call itself; also for bad arguments and after cancel(). A call into
 *            the plugin that carries an op is answered exactly once, at any later time, by the slot named beside it.
 *            After finish() of stop() every slot that returns an op returns 0 and owes nothing.
 * Ownership  Arguments are borrowed until the call (or the callback) returns: copy what you keep. Neither side ever
 *            frees the other's memory. A kanal_str needs no NUL and may hold any byte; {NULL, 0} is "absent".
 * Growth     Within a major, members are only appended, in multiples of 8 bytes and without tail padding. The caller
 *            sets struct_size; test KANAL_HAS() before touching a member newer than minor 0. Arrays hold frozen types,
 *            or pointers to growing ones. Constants are never renumbered.
 * Types      No enum, bool, long, time_t, fd, FILE *, varargs or allocator crosses the boundary. Text is UTF-8; times are
 *            milliseconds since the Unix epoch; durations are in milliseconds, sizes in bytes.
 * Minor log  0: first release. */
#ifndef KANAL_PLUGIN_H
#define KANAL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_ABI_MAJOR 1u
#define KANAL_ABI_MINOR 0u

#define KANAL_EXPORT __attribute__((visibility("default")))

/* True if *s, as large as its struct_size says, holds the member. */
#define KANAL_HAS(s, member)                                                                                 \
    ((size_t)((const char *)(&(s)->member + 1) - (const char *)(s)) <= (s)->struct_size)

typedef struct kanal_host kanal_host;       /* the host's services: one table per channel */
typedef struct kanal_channel kanal_channel; /* the plugin's instance; the plugin defines the struct */
typedef uint64_t kanal_op; /* one pending operation of a channel; never 0, never used twice */

typedef struct kanal_str { /* frozen */
    const char *ptr;
    size_t len;
} kanal_str;

typedef struct kanal_field { /* frozen; HTTP header names are in lower case */
    kanal_str name, value;
} kanal_field;

/* ---- Status ---------------------------------------------------------------------------------------------------- */

typedef int32_t kanal_status;
enum {
    KANAL_OK = 0,
    KANAL_E_INVALID = -1,   /* malformed argument: a defect of the caller */
    KANAL_E_DENIED = -2,    /* not granted in the operator's configuration */
    KANAL_E_NOT_FOUND = -3, /* no such key, secret, setting, connection */
    KANAL_E_BUSY = -4,      /* over a quota: back off */
    KANAL_E_TIMEOUT = -5,   /* no answer in time; nothing left this machine */
    KANAL_E_NETWORK = -6,   /* could not connect; nothing left this machine */
    KANAL_E_CANCELLED = -7, /* by cancel() or stop() */
    KANAL_E_REJECTED = -8,  /* refused for good: wrong signature, wrong revision, provider's "no" */
    KANAL_E_INTERNAL = -9,  /* the other side's defect; logged there */
    KANAL_E_MAYBE = -10,    /* it may have reached the provider: sent, but no usable answer came back */
    KANAL_E_TOO_LARGE = -11 /* over a size limit; nothing was kept */
};

/* Log levels. */
#define KANAL_LOG_DEBUG 0
#define KANAL_LOG_INFO 1
#define KANAL_LOG_WARN 2
#define KANAL_LOG_ERROR 3

/* ---- What a channel can show ----------------------------------------------------------------------------------- */

/* One bit a content part, a property of parts or a verb (names: proto/). The core adapts what is not set. */
typedef uint64_t kanal_caps;
#define KANAL_CAP_TEXT (UINT64_C(1) << 0)
#define KANAL_CAP_IMAGE (UINT64_C(1) << 1)
#define KANAL_CAP_VIDEO (UINT64_C(1) << 2)
#define KANAL_CAP_AUDIO (UINT64_C(1) << 3)
#define KANAL_CAP_VOICE (UINT64_C(1) << 4)
#define KANAL_CAP_FILE (UINT64_C(1) << 5)
#define KANAL_CAP_STICKER (UINT64_C(1) << 6)
#define KANAL_CAP_LOCATION (UINT64_C(1) << 7)
#define KANAL_CAP_CONTACT (UINT64_C(1) << 8)
#define KANAL_CAP_BUTTONS (UINT64_C(1) << 9)        /* choice, style buttons */
#define KANAL_CAP_QUICK_REPLIES (UINT64_C(1) << 10) /* choice, style quick_replies */
#define KANAL_CAP_LIST (UINT64_C(1) << 11)          /* choice, style list */
#define KANAL_CAP_CARD (UINT64_C(1) << 12)
#define KANAL_CAP_CAROUSEL (UINT64_C(1) << 13)
#define KANAL_CAP_TEMPLATE (UINT64_C(1) << 14)
#define KANAL_CAP_CAPTION (UINT64_C(1) << 15)         /* media with a caption in one message */
#define KANAL_CAP_MARKUP_HTML (UINT64_C(1) << 16)     /* text with markup html */
#define KANAL_CAP_MARKUP_MARKDOWN (UINT64_C(1) << 17) /* text with markup markdown */
#define KANAL_CAP_CHOICE_ON_MEDIA (UINT64_C(1) << 18) /* a choice in the same message as media */
#define KANAL_CAP_MIXED (UINT64_C(1) << 19)           /* all of a command's content in one message */
#define KANAL_CAP_EDIT (UINT64_C(1) << 32)            /* message.edit */
#define KANAL_CAP_DELETE (UINT64_C(1) << 33)          /* message.delete */
#define KANAL_CAP_REACT (UINT64_C(1) << 34)           /* message.react */
#define KANAL_CAP_REPLY (UINT64_C(1) << 35)           /* reply_to */
#define KANAL_CAP_TYPING (UINT64_C(1) << 36)          /* typing.start */
#define KANAL_CAP_READ (UINT64_C(1) << 37)      /* message.read: tells the customer that theirs was read */
#define KANAL_CAP_CALL (UINT64_C(1) << 38)      /* call.start: calls the customer, says the texts */
#define KANAL_CAP_TO_TEL (UINT64_C(1) << 39)    /* writes to any telephone number (tel:), first, too */
#define KANAL_CAP_TO_MAILTO (UINT64_C(1) << 40) /* the same for mail addresses (mailto:) */
#define KANAL_CAP_DELIVERED_RECEIPT (UINT64_C(1) << 48) /* the channel reports message.delivered */
#define KANAL_CAP_READ_RECEIPT (UINT64_C(1) << 49)      /* the channel reports message.read */
#define KANAL_CAP_IDEMPOTENT                                                                                 \
    (UINT64_C(1) << 50) /* the provider drops a repeated idempotency_key: unknown may be resent */
#define KANAL_CAP_OPT_OUT                                                                                    \
    (UINT64_C(1) << 51) /* it tells itself which words of a customer are consent.withdrawn and .given */

typedef struct kanal_limits { /* 0: none known */
    uint32_t struct_size;
    uint32_t text_chars;           /* Unicode code points of one text */
    uint32_t text_bytes;           /* UTF-8 bytes of one text */
    uint32_t caption_chars;        /* of a media caption */
    uint32_t options;              /* of one choice */
    uint32_t option_chars;         /* of one option's text */
    uint32_t payload_bytes;        /* of one option's payload */
    uint32_t media_bytes;          /* of one media part */
    uint32_t per_second;           /* messages of the channel */
    uint32_t per_recipient_minute; /* messages to one recipient */
} kanal_limits;

/* ---- The routes of a channel ----------------------------------------------------------------------------------- */

/* Where a secret or a signature stands. */
#define KANAL_IN_HEADER 1u /* name: the header */
#define KANAL_IN_QUERY 2u  /* name: the query parameter */
#define KANAL_IN_FORM 3u   /* name: the field of the urlencoded or multipart body */
#define KANAL_IN_JSON 4u   /* name: the top-level member of the JSON object that is the body */
#define KANAL_IN_PATH 5u   /* a path segment of its own, inserted at byte `position` of the URL */
#define KANAL_IN_BASIC 6u  /* Authorization: Basic base64(name ":" secret) */

/* An HTTP route below /c/<channel-id>, and how the provider proves itself on it. The host answers 404 and 405 for what
 * no route names, and 401 or 403 for what fails the check, before the plugin sees a byte. Frozen.
 *   algorithm  NULL: open. "equal": the value at (where, name) is the secret itself. "hmac-sha256", "hmac-sha1":
 *              the value is `prefix` and then the MAC of the raw body under the secret, written in `encoding`. Other
 *              schemes: an open route and host->verify(). An absent secret refuses every request, at start with a
 *              warning that names it: fail closed. */
typedef struct kanal_route {
    const char *method; /* "POST"; "GET" answers HEAD too */
    const char *path;   /* "/", "/upload"; a trailing slash and star matches the rest: "/files/" + "*" */
    const char *algorithm;
    const char *name;     /* of the header or query parameter, in lower case */
    const char *prefix;   /* "sha256=", or NULL */
    const char *encoding; /* "hex" (any case), "base64"; NULL for "equal" */
    const char *secret;   /* the secret's name */
    uint32_t where;       /* KANAL_IN_HEADER or KANAL_IN_QUERY */
    uint32_t max_body;    /* bytes; 0: 1 MiB. The operator's limit also holds. Larger ones get 413 */
} kanal_route;

/* A secret that the operator configures and the host keeps. Frozen. */
#define KANAL_SECRET_REQUIRED 1u
typedef struct kanal_secret {
    const char *name;        /* "token" */
    const char *description; /* one line: what it is, where the operator finds it */
    uint64_t flags;          /* KANAL_SECRET_… */
} kanal_secret;

/* ---- In: what happened ----------------------------------------------------------------------------------------- */

/* An event. The core stamps id, node, customer and times, checks it and stores it. `data` is the canonical JSON object
 * of the type's own members (proto/kanal.schema.json); the core adds `channel`, `chat`, `customer.id|node|address`
 * and `message.id|external_id`. A media part carries "ref": REFERENCE instead of "url": the core turns it into a signed
 * URL of the gateway and asks media() when somebody fetches it. */
typedef struct kanal_event {
    uint32_t struct_size;
    uint32_t flags;   /* 0 */
    int64_t time_ms;  /* as the provider tells it; 0: it does not */
    kanal_str type;   /* "message.received", "call.missed": a type of proto/ */
    kanal_str dedupe; /* required; unique in the channel over all types: update_id; mid; wamid + status */
    kanal_str external_id; /* the provider's id of the thing itself (the message, the call) */
    kanal_str
        command_id; /* of a status of something sent: the delivery's command_id, when the plugin knows it */
    kanal_str
        address;    /* the customer's URI, percent-encoded: "telegram:3527065"; absent where there is none */
    kanal_str chat; /* the provider's chat or thread; absent: none */
    kanal_str data; /* canonical JSON object */
    kanal_str raw;  /* the provider's payload, kept if the operator says so */
} kanal_event;

/* ---- Out: what is to be done ------------------------------------------------------------------------------------ */

/* One provider message, already adapted to caps and limits. */
typedef struct kanal_delivery {
    uint32_t struct_size;
    uint32_t part, part_count; /* 1 of 1 */
    uint32_t attempt;          /* 1, 2 … */
    int64_t deadline_ms;       /* answer before; later answers are dropped and count as unknown */
    kanal_str type;            /* the verb: "message.send", "message.edit", "typing.start" … */
    kanal_str command_id;      /* the consumer's id */
    kanal_str idempotency_key; /* the same for every attempt at this part; 1 to 36 letters, digits, '-' */
    kanal_str address;         /* the recipient's URI; absent if chat says it all */
    kanal_str chat;            /* the provider's chat; absent: derive it from the address */
    kanal_str
        target_external_id; /* of what is edited, deleted, reacted to, read or replied to; else absent */
    kanal_str data; /* canonical JSON: {"content":[…], "provider":{…}}; of a verb its own members */
} kanal_delivery;

#define KANAL_SENT 1    /* the provider took it */
#define KANAL_RETRY 2   /* not taken, may be tried again, after retry_after_ms if that is not 0 */
#define KANAL_FAILED 3  /* refused for good */
#define KANAL_UNKNOWN 4 /* it may or may not have been taken */

#define KANAL_SCOPE_MESSAGE 1   /* the pause or failure holds for this message */
#define KANAL_SCOPE_RECIPIENT 2 /* … for everything to this recipient */
#define KANAL_SCOPE_CHANNEL 3   /* … for the whole channel */

typedef struct kanal_result {
    uint32_t struct_size;
    int32_t outcome;         /* KANAL_SENT … */
    int32_t scope;           /* KANAL_SCOPE_… of retry and failed; 0: message */
    uint32_t retry_after_ms; /* of retry: as the provider says; 0: the core chooses */
    kanal_str external_id;   /* of sent: the provider's id of the message */
    kanal_str code;          /* of retry, failed and unknown: an error code of proto/ */
    kanal_str provider_code; /* the provider's own code … */
    kanal_str reason;        /* … and words */
} kanal_result;

/* ---- HTTP ------------------------------------------------------------------------------------------------------- */

/* The only way a secret enters a request. Several in the path do not move each other: a position is one of the URL as given, before anything
 * is inserted; at equal positions they stand in the order of the array. Frozen. */
typedef struct kanal_secret_use {
    uint32_t where;    /* KANAL_IN_… */
    uint32_t position; /* of KANAL_IN_PATH: byte offset in url where "/" prefix secret is inserted; else 0 */
    kanal_str name;    /* the header, parameter, field, member or user name */
    kanal_str prefix;  /* "Bearer ", "bot"; may be empty */
    kanal_str secret;  /* the secret's name */
} kanal_secret_use;

/* One part of a multipart/form-data body. Frozen. */
typedef struct kanal_part {
    kanal_str name;         /* of the field */
    kanal_str filename;     /* absent: a plain field */
    kanal_str content_type; /* absent: text/plain, or what source_url is served as */
    kanal_str data;         /* the bytes, or … */
    kanal_str source_url;   /* … a URL that the host streams into this part, under `media` limits */
} kanal_part;

typedef struct kanal_http_request {
    uint32_t struct_size;
    uint32_t timeout_ms;   /* going out: of the whole exchange; 0: 30 s. The operator's limit also holds */
    uint32_t max_response; /* going out: bytes of the answer's body; 0: 1 MiB; more gives KANAL_E_TOO_LARGE */
    uint32_t flags;        /* 0 */
    kanal_str method;      /* "GET", "POST" …, upper case */
    kanal_str url;         /* absolute; coming in: the public one */
    kanal_str path;  /* coming in: below /c/<channel-id>, starts with '/', decoded and without dot segments */
    kanal_str query; /* coming in: after the '?', raw */
    kanal_str remote; /* coming in: the client's address, through trusted proxies only */
    kanal_str body;   /* whole */
    const kanal_field *headers;
    size_t header_count;
    const kanal_secret_use *secrets; /* going out */
    size_t secret_count;
    const kanal_part *parts; /* going out: a multipart body, instead of body */
    size_t part_count;
} kanal_http_request;

typedef struct kanal_http_response {
    uint32_t struct_size;
    int32_t code; /* 200 … */
    kanal_str body;
    const kanal_field *headers;
    size_t header_count;
} kanal_http_response;

/* ---- Callbacks of host calls ------------------------------------------------------------------------------------- */

typedef void kanal_done_fn(void *user, kanal_status);
/* value is borrowed; revision: of state_get. */
typedef void kanal_value_fn(void *user, kanal_status, kanal_str value, uint64_t revision);
/* KANAL_OK: the provider answered, with any code. Otherwise response is NULL: KANAL_E_NETWORK and KANAL_E_TIMEOUT say
 * that no byte of the request left, KANAL_E_MAYBE that it may have. */
typedef void kanal_response_fn(void *user, kanal_status, const kanal_http_response *response);

/* ---- The host ---------------------------------------------------------------------------------------------------- */

struct kanal_host {
    uint32_t struct_size;
    uint32_t abi_minor;
    void *impl; /* the host's own */

    /* [any thread] A line of the channel's log; at most 1 KiB is kept, rates are limited. cause: 0, or the op that it
     * belongs to. Secrets that the host knows are masked. */
    void (*log)(const kanal_host *, kanal_op cause, int32_t level, kanal_str text);
    /* [any thread] One on_wake() soon; wakes coalesce. */
    void (*wake)(const kanal_host *);

    /* [lane] Answered at once. */
    int64_t (*now_ms)(const kanal_host *);                     /* wall clock; virtual under test */
    void (*random)(const kanal_host *, void *out, size_t len); /* cryptographic; deterministic under test */
    /* Adds to the counter kanal_plugin_total{channel,name,labels}, where labels is "kind=a,code=b"; at most 64 series a channel, more are
     * dropped and counted. */
    void (*metric_add)(const kanal_host *, kanal_str name, double by, const kanal_field *labels,
                       size_t count);
    /* The channel's own view of whether it works, shown in /channels and metrics and published as channel.up or channel.down when
     * it changes: KANAL_OK, or a status and the reason in words ("the provider refuses the token"). After start() it is OK. */
    void (*health)(const kanal_host *, kanal_status, kanal_str reason);
    /* Its callback still runs, soon, with KANAL_E_CANCELLED, unless its answer was already on the way. */
    void (*cancel)(const kanal_host *, kanal_op);

    /* [lane] Requests. At most 1,024 of a channel are pending; more end in KANAL_E_BUSY. */
    kanal_op (*timer)(const kanal_host *, uint32_t delay_ms, kanal_done_fn *, void *user);
    /* Compares `claimed` (raw bytes) with the MAC of data in constant time: KANAL_OK or KANAL_E_REJECTED.
     * algorithm: "equal", "hmac-sha1", "hmac-sha256", "hmac-sha256-base64" (the secret is base64 of the key, with or without
     * "whsec_" before it: Standard Webhooks); of "equal" data is ignored. */
    kanal_op (*verify)(const kanal_host *, kanal_str secret, kanal_str algorithm, kanal_str data,
                       kanal_str claimed, kanal_done_fn *, void *user);
    /* The signature, raw bytes. algorithm: "hmac-sha1", "hmac-sha256", "hmac-sha256-base64", "rs256", "es256" (JOSE form; the
     * secret is a PEM private key). */
    kanal_op (*sign)(const kanal_host *, kanal_str secret, kanal_str algorithm, kanal_str data,
                     kanal_value_fn *, void *user);
    /* The channel's own keys in durable storage, shared by all replicas. key: 1 to 128 of [A-Za-z0-9_=-] and '.', '/'
     * between them. value: 1 byte to 256 KiB. get: KANAL_E_NOT_FOUND if absent or deleted. */
    kanal_op (*state_get)(const kanal_host *, kanal_str key, kanal_value_fn *, void *user);
    /* if_revision: what state_get told, else KANAL_E_REJECTED; 0: there must be none; UINT64_MAX: whatever stands there.
     * An empty value deletes. The value callback brings the new revision. */
    kanal_op (*state_put)(const kanal_host *, kanal_str key, kanal_str value, uint64_t if_revision,
                          kanal_value_fn *, void *user);
    /* An HTTP request to a granted host; redirects are not followed. cause: 0, or the op it is done for. */
    kanal_op (*http_send)(const kanal_host *, kanal_op cause, const kanal_http_request *, kanal_response_fn *,
                          void *user);
    /* Stores events, all or none of them acknowledged: KANAL_OK when each is stored or was already. With cause, an
     * on_http() op that is not yet answered or not yet let go, the host holds back its 2xx until these are stored, and
     * answers 503 if that fails: the plugin may respond at once. cause 0: nothing waits but the callback, which may
     * be NULL. */
    kanal_op (*publish)(const kanal_host *, kanal_op cause, const kanal_event *const *events, size_t count,
                        kanal_done_fn *, void *user);

    /* [lane] Answers: exactly one per op received; a second one, or one after the deadline, is dropped and counted. */
    void (*finish)(const kanal_host *, kanal_op, kanal_status, kanal_str reason); /* start, stop, provision */
    void (*delivered)(const kanal_host *, kanal_op, const kanal_result *);        /* deliver */
    void (*respond)(const kanal_host *, kanal_op, const kanal_http_response *);   /* on_http */
    void (*locate)(const kanal_host *, kanal_op, kanal_status, const kanal_http_request *); /* media */

    /* [lane] The host's table of an extension, "kanal.NAME/REVISION" of ext/NAME.h, valid until destroy() returns;
     * NULL: not here, or not granted. */
    const void *(*extension)(const kanal_host *, const char *id);
};

/* ---- The plugin -------------------------------------------------------------------------------------------------- */

/* What create() is told. Borrowed until create() returns. */
typedef struct kanal_config {
    uint32_t struct_size;
    uint32_t flags; /* 0 */
    kanal_str channel_id;
    kanal_str settings; /* JSON object, valid by settings_schema, its defaults filled in */
    kanal_str
        public_url; /* of the channel: "https://hub.example.com/c/shop-telegram"; absent: none is configured */
} kanal_config;

typedef struct kanal_plugin {
    uint32_t struct_size;
    uint32_t abi_minor;  /* KANAL_ABI_MINOR that it was built with */
    const char *id;      /* "telegram", "vendor-erp": [a-z][a-z0-9-]{0,31} */
    const char *name;    /* "Telegram" */
    const char *version; /* "1.4.0", semantic versioning */
    kanal_caps caps;
    const kanal_limits *limits; /* or NULL */
    const char *const
        *egress; /* NULL-ended: hosts it asks to reach, "${setting:NAME}" for that of a URL setting; the
                                     * operator's `egress` replaces the list. NULL: none */
    const kanal_route *routes;
    size_t route_count;
    const kanal_secret *secrets;
    size_t secret_count;
    const char *settings_schema; /* JSON Schema of an object; the host validates before create() */

    /* [lane] Life: create -> start -> { provision, on_http, deliver, media, on_wake } -> stop -> destroy. A slot that the
     * plugin does not need may be NULL, except create, start, stop and destroy. */

    /* May only log and ask for extensions. NULL: failed (log why). */
    kanal_channel *(*create)(const kanal_host *, const kanal_config *);
    /* finish(): ready. on_http() may run as soon as start() was called: registering at a provider may call back. Anything but
     * KANAL_OK: stop() and destroy() follow, and a new instance is tried later. */
    void (*start)(kanal_channel *, kanal_op);
    /* Registers (wanted 1) or unregisters (0) the webhook at the provider: by one replica, once a configuration.
     * finish(). KANAL_E_NETWORK, _TIMEOUT, _BUSY, _MAYBE: tried again later; others: reported, the channel is unhealthy. */
    void (*provision)(kanal_channel *, kanal_op, kanal_str public_url, int32_t wanted);
    /* A request on one of the routes, authentic where declared. respond(); 30 s, then the client gets 504. */
    void (*on_http)(kanal_channel *, kanal_op, const kanal_http_request *);
    /* delivered(); until the delivery's deadline. */
    void (*deliver)(kanal_channel *, kanal_op, const kanal_delivery *);
    /* Somebody fetches media that an event referred to: locate() tells the request that fetches it, which the host sends
     * and streams; 30 s, then the client gets 504. A client's Range is added to a GET that has none of its own. */
    void (*media)(kanal_channel *, kanal_op, kanal_str reference);
    void (*on_wake)(kanal_channel *);
    /* finish() when nothing is open any more; 10 s, then it is destroyed as it is. */
    void (*stop)(kanal_channel *, kanal_op);
    void (*destroy)(kanal_channel *);
    /* The plugin's table of an extension, or NULL. */
    const void *(*extension)(kanal_channel *, const char *id);
} kanal_plugin;

/* The only exported symbol. The descriptor is static. Major 2 would be kanal_plugin_v2(), and may stand beside it. */
KANAL_EXPORT const kanal_plugin *kanal_plugin_v1(void);

#ifdef __cplusplus
}
#endif
#endif
