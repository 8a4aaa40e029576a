/* calls.h - the calls of a request (identify, track, page, screen, group, alias) become events. No host, only data.
 *
 * Source: Segment's public specification (segment.com/docs/connections/spec, …/sources/catalog/libraries/server/http-api), and what
 * @segment/analytics-node 3.1.0 and @segment/analytics-next 1.84.3 send. */
#ifndef EVENTS_CALLS_H
#define EVENTS_CALLS_H
#include "settings.h"

#define CALL_BYTES_MAX (32u * 1024)
#define BATCH_BYTES_MAX (500u * 1024)
#define REJECTED_TOLD_MAX 32u

/* How a request is to be understood. Borrowed while it is read. */
struct intake {
    const struct settings *settings;
    int is_trusted; /* it came with the server's key */
    int64_t now_ms;
    size_t body_bytes;        /* of the whole request */
    kanal_str user_agent, ip; /* of the request; absent: not told */
};

/* One event. Address and data are pieces of calls.text, which moves while it grows. */
struct call_event {
    const char *type;
    kanal_str dedupe; /* a view into the document; absent: the sender gave none */
    size_t address_at, address_len, data_at, data_len;
    int64_t time_ms;
};

struct calls {
    struct kanal_buffer text,
        rejected; /* rejected: a JSON array of {"index", "reason"}; at most 32 are told */
    struct kanal_json rejected_list;
    struct call_event *events;
    size_t count, capacity, rejected_count;
    int has_failed; /* out of memory */
};

/* kind: "track" …, or "batch". NULL: read, perhaps with some calls rejected. Otherwise what is wrong with all of it (static). The
 * events borrow the document. Release it in either case. */
const char *calls_read(struct calls *, const struct intake *, kanal_str kind, yyjson_val *root);
void calls_release(struct calls *);
static inline kanal_str calls_piece(const struct calls *calls, size_t at, size_t len)
{
    return kanal_str_of(calls->text.data + at, len);
}

/* One call, while it is written. */
struct call {
    const struct intake *intake;
    yyjson_val *body, *context;
    const char *kind;
    char user_scratch[24], anonymous_scratch[24], previous_scratch[24]; /* of ids that are numbers */
    kanal_str user_id, anonymous_id, previous_id;                       /* absent: not told */
    kanal_str message_id, name;                                         /* name: of track */
};

/* ---- people.c ---- */

/* Appends the customer's address; NULL, or what is wrong (static). */
const char *people_address(struct kanal_buffer *out, const struct call *);
/* The member "customer", if there are identifiers. */
void people_write_customer(struct kanal_json *, const struct call *);
/* The member "profile". */
void people_write_profile(struct kanal_json *, yyjson_val *traits);

/* ---- context.c ---- */

/* The members page, attribution, client. */
void context_write(struct kanal_json *, const struct call *);
/* The member "consent" of an activity. */
void context_write_consent(struct kanal_json *, const struct call *);
/* The member "provider": what has no canonical place. original_name: of an activity that was renamed; else absent. */
void context_write_provider(struct kanal_json *, const struct call *, kanal_str original_name);

/* ---- properties.c ---- */

/* Segment's own spelling of an e-commerce event's name, or the name as it is. */
kanal_str properties_name(kanal_str name);
/* An object, money in it as decimal strings. {} if it is none. page_name: added as "name" if there is none; absent: not. */
void properties_write(struct kanal_json *, yyjson_val *properties, kanal_str page_name);

#endif
