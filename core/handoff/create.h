/* handoff/create.h - makes hand-off links: the command link.create, which kanal.api.link-create answers. [loop]
 *
 * A link is a record in the bucket <prefix>_handoffs, under its id (token.h); it lies there for retention.handoffs after its last change. The id
 * follows from the command's, so that the same command again is the same link, on every replica, and a command that nobody was answered can be
 * asked about. arrive.h takes it. */
#ifndef KANAL_HANDOFF_CREATE_H
#define KANAL_HANDOFF_CREATE_H
#include "host/host.h"

#define HANDOFF_CONTEXT_MAX (16u * 1024)
#define HANDOFF_EXPIRES_MS (7 * 24 * INT64_C(3600000)) /* unless the command says */

struct handoff;

struct handoff_options {
    struct host *host;
    const char *prefix;
    int64_t kept_ms; /* retention.handoffs: no link works for longer; 0: for ever */
};

int handoff_new(struct handoff **ret_handoff, const struct handoff_options *);
/* What is under way is not answered any more. NULL is fine. */
void handoff_free(struct handoff *);

/* What a command came to. Borrowed until the callback returns. */
struct handoff_answer {
    int status;       /* like HTTP's: 200, 400, 404, 409, 503 */
    const char *code; /* unless 200: the contract's error code */
    kanal_str detail; /* unless 200, for a person */
    kanal_str body;   /* of 200: the contract's api.link-create.result */
};
typedef void handoff_answer_fn(void *user, const struct handoff_answer *);
/* command: valid by the contract's command.link.create; borrowed for the call. Exactly one answer, perhaps inside the call. */
void handoff_create(struct handoff *, yyjson_val *command, handoff_answer_fn *, void *user);

#endif
