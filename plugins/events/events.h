/* events.h - the channel, and what its files share.
 *
 *   events.c      the descriptor, life, routes, preflight, the settings that analytics.js asks for
 *   intake.c      POST: whose key, then the calls of the body, published; each step a host call
 *   settings.c calls.c people.c context.c properties.c    no host, only data */
#ifndef EVENTS_EVENTS_H
#define EVENTS_EVENTS_H
#include "settings.h"

#define PAGE_KEY "write_key" /* the secrets' names */
#define SERVER_KEY "server_key"

struct kanal_channel {
    const kanal_host *host;
    struct settings settings;
    struct kanal_rate rate;
    char *public_url;         /* owned; NULL: none is configured */
    struct kanal_calls calls; /* requests whose answer waits for the host */
};

/* Counts an outcome: accepted, refused, limited, unavailable. */
void count_outcome(kanal_channel *, const char *outcome);
/* 503: the host could not do its part. */
void answer_unavailable(kanal_channel *, const struct kanal_reply *);

/* ---- intake.c ---- */

/* kind: of the path, "track". */
void take(kanal_channel *, const struct kanal_reply *, const kanal_http_request *, kanal_str kind);

#endif
