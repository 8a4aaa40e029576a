/* host/worker/receive.h - what the files share that turn a worker's frames into calls: receive.c, and receive_extensions.c for streams, mail,
 * leases and blobs in pieces. [loop] */
#ifndef KANAL_HOST_WORKER_RECEIVE_H
#define KANAL_HOST_WORKER_RECEIVE_H
#include "host/worker/worker.h"

union asked {
    struct wire_call call;
    struct wire_http http;
    struct wire_text text;
    struct wire_done done;
    struct wire_response response;
    struct wire_socket socket;
    struct wire_count count;
    struct wire_log log;
    struct wire_metric metric;
    struct wire_timer timer;
    struct wire_sign sign;
    struct wire_state state;
    struct wire_publish publish;
    struct wire_delivered delivered;
    struct wire_blob blob;
    struct wire_on on;
    struct wire_connect connect;
    struct wire_login login;
    struct wire_write write;
    struct wire_mail mail;
    struct wire_lease lease;
};

/* ---- receive.c ---- */

/* Completions of what was asked with a ticket. */
void receive_on_done(void *ticket, kanal_status);
void receive_on_value(void *ticket, kanal_status, kanal_str value, uint64_t revision);
/* The service gave its number; 0: the channel has stopped, and nothing is owed. */
void receive_made(struct ticket *, kanal_op);
/* Something is sent for the delivery `cause`, or for any. */
void receive_note_request(struct ticket *, kanal_op cause);
/* 1: what ended so has not left this machine. */
int receive_has_stayed(kanal_status);

/* ---- receive_extensions.c ---- */

/* A call, with its ticket. 0 or KANAL_E_INVALID: the worker is broken. */
int receive_extension(struct ticket *, enum wire_type, const union asked *);
/* What is answered with nothing. */
void receive_notice(struct kanal_channel *, enum wire_type, const union asked *);

#endif
