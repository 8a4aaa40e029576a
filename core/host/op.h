/* host/op.h - pending operations between the host and its plugins, in both directions.
 *
 * A kanal_op is a place in one table of the whole host and the number of its use, so a number is never valid twice, a late
 * or repeated answer finds nothing, and a plugin that makes one up, or names another channel's, finds nothing either.
 *
 *   host → plugin   (start, deliver …)  answered by the plugin once; the caller's `answered` runs then, or at its deadline.
 *   plugin → host   (timer, publish …)  answered by a service with op_complete(); the plugin's callback runs in the lane.
 *
 * [loop] */
#ifndef KANAL_HOST_OP_H
#define KANAL_HOST_OP_H
#include "kanal/ext/transfer.h"
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "host/lane.h"

struct channel;
struct exchanges;
struct op;

enum op_kind {
    OP_FREE,
    /* host → plugin */
    OP_FINISH, /* start, provision, stop */
    OP_HTTP,   /* on_http */
    OP_DELIVER,
    OP_MEDIA,
    OP_SOCKET, /* a WebSocket connection: lives as long as it */
    OP_STREAM, /* a byte stream: the same */
    OP_LEASE,  /* until release() */
    OP_BLOB,   /* a blob that is being written */
    /* plugin → host */
    OP_DONE,     /* callback: kanal_done_fn */
    OP_VALUE,    /* kanal_value_fn */
    OP_RESPONSE, /* kanal_response_fn */
    OP_MAIL      /* kanal_mail_fn */
};

struct op {
    struct lane_item item; /* first: a queued completion or call */
    kanal_op id;           /* 0: free */
    struct channel *channel;
    enum op_kind kind;
    int completed; /* the completion is queued: nothing can change it any more */
    /* plugin → host */
    union {
        kanal_done_fn *done;
        kanal_value_fn *value;
        kanal_response_fn *response;
        kanal_mail_fn *mail;
    } callback;
    void *user;
    void (*cancel)(
        struct op *); /* stops the service's work; it must not complete by itself. NULL: nothing to stop */
    void *work;       /* the service's own */
    kanal_status status;
    uint64_t revision;
    struct kanal_buffer value;     /* of OP_VALUE: the value. Others: scratch of their users */
    kanal_http_response *response; /* of OP_RESPONSE: one block, freed with the op */
    kanal_mail_result *mail;       /* of OP_MAIL: the same; NULL: there is none */
    /* host → plugin */
    void *owner;                 /* who asked: an inbound request, a delivery … */
    const void *argument;        /* what the plugin is called with; the owner's */
    kanal_op cause;              /* of OP_RESPONSE and OP_MAIL: what the plugin made it for */
    struct exchanges *exchanges; /* of OP_DELIVER: what the provider was asked (exchange.h), or NULL */
    const char *trace;           /* traceparent of what is published because of it; the owner's, or NULL */
    uint32_t waiting;            /* of OP_HTTP: publishes that name it as their cause */
    int is_held;                 /* of OP_HTTP: the channel's next instance gets it */
    int responded;               /* of OP_HTTP: response holds the answer that waits for them */
    kanal_status failed;         /* of OP_HTTP: what became of them */
    uint32_t sent;               /* of OP_DELIVER in a worker: requests made for it that may have left … */
    uint64_t loose_before; /* … and those for nothing in particular that the channel had made before it */
    void (*answered)(struct op *,
                     const void *answer); /* the plugin's answer (kanal_result …), or NULL: none will come */
};

struct op_table;

int op_table_new(struct op_table **ret_table);
void op_table_free(struct op_table *);
/* NULL: the table is full (a million) or memory is out. */
struct op *op_new(struct op_table *, struct channel *, enum op_kind);
/* Also frees what the op holds; NULL is fine. */
void op_free(struct op_table *, struct op *);
/* NULL: not pending, or of another channel. */
struct op *op_find(struct op_table *, const struct channel *, kanal_op id);
/* What a request under way in another module holds instead of the op, which may be cancelled or stopped before the answer comes.
 * take() frees the link and brings the op, or NULL if nobody waits for it any more. */
struct op_link;
struct op_link *op_link_new(struct op_table *, const struct op *);
struct op *op_link_take(struct op_link *);
/* Calls each op of the channel (of all channels: NULL). fn may free the op. */
void op_each(struct op_table *, const struct channel *, void (*fn)(void *user, struct op *), void *user);

#endif
