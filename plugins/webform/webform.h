/* webform.h - the channel, and what its files share.
 *
 *   webform.c     the descriptor, life, routes, preflight, limits of rate
 *   submit.c      POST: read, check, then token -> session -> publish, each step a host call
 *   settings.c submission.c fields.c event.c token.c spent.c    no host, only data */
#ifndef WEBFORM_WEBFORM_H
#define WEBFORM_WEBFORM_H
#include "settings.h"
#include "spent.h"

struct kanal_channel {
    const kanal_host *host;
    struct settings settings;
    struct kanal_rate rate;
    struct spent spent;
    struct kanal_calls calls; /* requests whose answer waits for the host */
};

/* The host could not do its part: 503, come again. */
void answer_unavailable(kanal_channel *, const struct kanal_reply *);
/* Counts an outcome: accepted, duplicate, spam, refused, limited, unavailable. */
void count_outcome(kanal_channel *, const char *outcome);

/* ---- submit.c ---- */

void submit(kanal_channel *, const struct kanal_reply *, const kanal_http_request *);
void give_token(kanal_channel *, const struct kanal_reply *, const kanal_http_request *);

#endif
