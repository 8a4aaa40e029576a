/* webhook.h - the channel, and what its files share.
 *
 *   webhook.c     the descriptor, life
 *   receive.c     POST: signature, then the rules, published
 *   send.c        a delivery: body, signature, request, answer
 *   settings.c mapping.c template.c signature.c    no host, only data */
#ifndef WEBHOOK_WEBHOOK_H
#define WEBHOOK_WEBHOOK_H
#include "settings.h"

#define SIGNING_ALGORITHM "hmac-sha256-base64"
/* The secrets' names. */
#define IN_SECRET "secret"
#define IN_PREVIOUS_SECRET "previous_secret"
#define OUT_SECRET "out_secret"
#define OUT_PREVIOUS_SECRET "previous_out_secret"
#define OUT_TOKEN "token"

/* What may be wrong with the channel. */
#define ILL_RECEIVER 1u /* the other system refuses what we send */

struct kanal_channel {
    const kanal_host *host;
    struct settings settings;
    struct kanal_calls calls;   /* requests under way, and requests in that are not answered */
    struct kanal_health health; /* ILL_RECEIVER */
};

/* ---- receive.c ---- */

void receive(kanal_channel *, kanal_op, const kanal_http_request *);

/* ---- send.c ---- */

void deliver(kanal_channel *, kanal_op, const kanal_delivery *);

#endif
