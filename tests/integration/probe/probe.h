/* probe.h - a channel that does what a test tells it over HTTP: POST /call {"slot": NAME, …} calls that slot of the host and answers with what
 * came of it. Built with the tests, never installed. [lane] */
#ifndef KANAL_PROBE_H
#define KANAL_PROBE_H
#include <pthread.h>
#include <stdatomic.h>

#include "kanal/ext/blob.h"
#include "kanal/ext/websocket.h"
#include "kanal/sdk/sdk.h"

/* What a callback of the host is waited for with; first in the struct of each. After stop() no callback comes: destroy() frees what is left. */
struct pending {
    struct pending *prev, *next;
    kanal_channel *channel;
};

struct kanal_channel {
    const kanal_host *host;
    struct pending *pendings;
    struct kanal_buffer id, public_url;
    struct kanal_buffer provision_url;
    char start[16], stop[16]; /* what the settings say: "ok", "fail", "never", "twice" */
    char *link;               /* template of hand-off links */
    int64_t fail_starts;
    int instance;
    const kanal_blob_host *blobs;
    const kanal_websocket_host *sockets;
    kanal_op stopping;
    /* wake */
    pthread_t thread;
    int has_thread;
    struct call *woken;
    int wakes;
    int64_t opened, closed; /* connections */
    kanal_op last_socket;
    struct kanal_buffer notes; /* what was seen besides, a line each; read and cleared by the slot "notes" */
};

/* One POST /call that waits for the host. */
struct call {
    struct pending base;
    kanal_op op;      /* the request to be answered */
    kanal_op pending; /* of the host call */
    int inside;       /* the host call has not returned yet */
    int was_inside;   /* a callback ran inside it */
    int callbacks;
    int64_t started_ms;
    int64_t left; /* of many calls: those whose callback is still to come */
    int64_t busy, ok, other;
    int quiet; /* the request was answered already */
};

/* Answers one call() with its arguments. A slot either answers with answer_… or leaves that to its callback. */
typedef void slot_fn(kanal_channel *, kanal_op, yyjson_val *arguments);
struct slot {
    const char *name;
    slot_fn *run;
};
extern const struct slot probe_slots[], probe_hostile_slots[], probe_harm_slots[];

/* harm.c: 1 if the delivery's text asked for harm, and nothing is to be answered. */
int harm_deliver(kanal_channel *, kanal_op, const kanal_delivery *, kanal_str text);

/* Zeroed; never NULL. */
void *pending_new(kanal_channel *, size_t size);
void pending_free(void *);

struct call *call_new(kanal_channel *, kanal_op);
void call_made(struct call *, kanal_op pending); /* the host call returned */
void on_done(void *user, kanal_status);
void on_value(void *user, kanal_status, kanal_str value, uint64_t revision);
void on_response(void *user, kanal_status, const kanal_http_response *);

/* {"status":…} and, where text is not absent, its bytes as "value". */
void answer(kanal_channel *, kanal_op, kanal_status, kanal_str text);
void respond_json(kanal_channel *, kanal_op, int code, kanal_str body);
void note(kanal_channel *, const char *what, int64_t number);

/* "text" or {"hex":…} or {"size":N}: N times 'x'. */
kanal_str bytes_at(yyjson_val *object, const char *key, struct kanal_buffer *scratch);
/* Borrows what it needs from `arguments` and the scratch. */
struct draft {
    kanal_http_request request;
    kanal_field headers[64];
    kanal_secret_use secrets[16];
    kanal_part parts[40];
    struct kanal_buffer scratch[4];
};
void draft_init(struct draft *, yyjson_val *arguments);
void draft_release(struct draft *);

/* socket.c */
extern const kanal_websocket_plugin probe_sockets;
void socket_request(kanal_channel *, kanal_op, const kanal_http_request *);

#endif
