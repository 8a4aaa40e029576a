/* outbound/messages.h - messages as the API sees them: stored and answered, looked at, called back. [loop]
 *
 * Every gateway answers for every message: what is known of one stands in the ledger (where it goes) and in the stream of events (what became of it,
 * under the exact subjects of its recipient). */
#ifndef KANAL_OUTBOUND_MESSAGES_H
#define KANAL_OUTBOUND_MESSAGES_H
#include "kanal/sdk/buffer.h"
#include "outbound/outbound.h"

#include <yyjson.h>

/* What a request came to. Borrowed until the callback returns. */
struct message_answer {
    int status;       /* like HTTP's: 200, 400, 404, 409, 503 */
    const char *code; /* unless 200: the contract's error code */
    kanal_str detail; /* unless 200, for a person */
    kanal_str body;   /* of 200: the result, a JSON object */
};
typedef void message_answer_fn(void *user, const struct message_answer *);

/* Checks a command message.send as intake would, and stores it. Each ends with exactly one answer, unless outbound_free() comes first. */
void messages_send(struct outbound *, kanal_str command, message_answer_fn *, void *user);
void messages_get(struct outbound *, kanal_str id, message_answer_fn *, void *user);
/* Waits until it is known whether the call came in time. */
void messages_cancel(struct outbound *, kanal_str id, message_answer_fn *, void *user);

/* resolve.c. A part whose fate is unknown, under on_unknown: ask. Borrowed until the callback returns. */
struct message_waiting {
    int is_waiting;
    uint32_t part, parts; /* 0: it has none */
    kanal_str state;      /* of the whole message */
};
/* KANAL_E_NOT_FOUND: no message of that id was accepted. */
typedef void message_waiting_fn(void *user, kanal_status, const struct message_waiting *);
void messages_waiting(struct outbound *, kanal_str id, message_waiting_fn *, void *user);

/* What a person, or a program, knows of it. letter: the dead letter that it is; both values stay until done(). */
struct message_decision {
    const char *decision; /* "retry", "sent", "failed" */
    uint32_t part, parts;
    yyjson_val *letter, *agent;
};
/* Notes it, once for all gateways, then says it: message.sent or message.failed; of a retry its attempts speak. Safe to repeat. KANAL_E_REJECTED: it
 * was decided otherwise. */
void messages_decide(struct outbound *, const struct message_decision *, published_fn *done, void *user);

#endif
