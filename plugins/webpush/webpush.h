/* webpush.h - the channel, and what its files share.
 *
 *   webpush.c        the descriptor, life, routes
 *   subscribe.c      a page's subscription: whose, told as consent, kept in the channel's state
 *   send.c           a delivery: subscription, payload, encryption, request, answer
 *   vapid.c          tokens for push services (RFC 8292), one an hour and service
 *   subscription.c payload.c encrypt.c settings.c    no host, only data */
#ifndef WEBPUSH_WEBPUSH_H
#define WEBPUSH_WEBPUSH_H
#include "settings.h"
#include "subscription.h"

#define VAPID_SECRET "vapid"
#define AUDIENCES_MAX 8u
#define AUDIENCE_BYTES 288u /* scheme, host of 253, port */

struct vapid_token {
    char audience[AUDIENCE_BYTES]; /* empty: free */
    char *header;                  /* owned: "vapid t=…, k=…" */
    int64_t until_ms;              /* used no longer */
};

struct kanal_channel {
    const kanal_host *host;
    char *id; /* owned: the channel's */
    struct settings settings;
    struct kanal_rate rate;
    struct kanal_calls calls;
    struct vapid_token tokens[AUDIENCES_MAX];
    size_t next_token; /* which gives way */
};

/* A line of the log, in pieces: text, then detail (may be absent). */
void say(kanal_channel *, kanal_op cause, int32_t level, const char *text, kanal_str detail);

/* ---- subscribe.c ---- */

/* POST /subscription, POST /unsubscribe. */
void subscribe(kanal_channel *, const struct kanal_reply *, const kanal_http_request *);
void unsubscribe(kanal_channel *, const struct kanal_reply *, const kanal_http_request *);
/* Tells that a visitor is reached no more, for `reason` of the contract, and then forgets the subscription. revision: of the state that had it.
 * done may be NULL. The op, or 0. */
kanal_op publish_consent(kanal_channel *, kanal_op cause, const char *visitor, int given, const char *reason,
                         const struct subscription *, uint64_t revision, kanal_done_fn *, void *user);

/* ---- vapid.c ---- */

/* header: of the request; borrowed until the callback returns. NULL: it could not be signed. */
typedef void vapid_fn(void *user, kanal_status, const char *header);
/* The Authorization header for a push service. The callback may run at once. */
void vapid_header(kanal_channel *, kanal_str endpoint, vapid_fn *, void *user);
/* Finishes start() when the secret and the setting public_key belong together. */
void vapid_check(kanal_channel *, kanal_op start);
void vapid_release(kanal_channel *);

/* ---- send.c ---- */

void deliver(kanal_channel *, kanal_op, const kanal_delivery *);

#endif
