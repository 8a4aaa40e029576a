/* inbound/internal.h - what the files of inbound/ share. [loop] */
#ifndef KANAL_INBOUND_INTERNAL_H
#define KANAL_INBOUND_INTERNAL_H
#include "inbound/front.h"
#include "inbound/overdue.h"

/* Whose request the user of an exchange is. */
enum inbound_kind { INBOUND_CHANNEL, INBOUND_MEDIA };

struct inbound;

struct front {
    struct host *host;
    struct inbound *inbounds; /* from their headers to their answer */
    struct inbound *answered; /* the plugin may still read them; freed with the next request */
    struct http_server *server;
    struct overdue *overdue; /* who waits for a plugin's answer */
    uint32_t body_bytes;
    struct metric_family *requests;
};

/* Answers with {"error":{"code","message"}}, and counts it. channel: NULL if there is none. */
void front_refuse(struct front *, struct http_exchange *, const struct channel *, int code, const char *error,
                  const char *message, const kanal_field *header);
void front_count(struct front *, const struct channel *, int code);

/* keep.c: stores the request as it came; the op waits for it. */
void keep_request(struct op *, const kanal_http_request *);

/* media.c: GET /m/<channel-id>/<token>. path: what follows "/m/". */
void media_run(struct front *, struct http_exchange *, kanal_str path);
/* The client of a media request left before the answer began. user: http_exchange_user(). */
void media_gone(void *user);
/* The front ends while media() is being asked. */
void media_drop(struct op *);

#endif
