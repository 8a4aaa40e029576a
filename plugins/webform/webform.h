/* webform.h - the channel, and what its files share.
 *
 *   webform.c     the descriptor, life, routes, preflight, limits of rate
 *   submit.c      POST: read, check, then token -> session -> publish, each step a host call
 *   answer.c      what goes back, with the headers that browsers want
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
    size_t open_jobs; /* requests whose answer waits for the host */
    kanal_op stop_op; /* 0: runs */
};

/* ---- answer.c ---- */

/* Where an answer goes. */
struct reply {
    kanal_op op;
    char origin[256]; /* of a page that is allowed to read it; empty: none */
};

void answer_json(kanal_channel *, const struct reply *, int32_t code, kanal_str body, uint32_t retry_after_s);
/* {"error": {"code", "message"}} */
void answer_error(kanal_channel *, const struct reply *, int32_t code, const char *name, const char *message,
                  uint32_t retry_after_s);
/* The host could not do its part: 503, come again. */
void answer_unavailable(kanal_channel *, const struct reply *);
void answer_preflight(kanal_channel *, const struct reply *);
void answer_redirect(kanal_channel *, const struct reply *, kanal_str url);
/* Counts an outcome: accepted, duplicate, spam, refused, limited, unavailable. */
void count_outcome(kanal_channel *, const char *outcome);

/* ---- submit.c ---- */

void submit(kanal_channel *, const struct reply *, const kanal_http_request *);
void give_token(kanal_channel *, const struct reply *, const kanal_http_request *);

#endif
