/* cli/grant.h - what the reader of one durable may do at the broker, as nats-server's configuration and as JSON. Pure functions.
 *
 * publish: $JS.API.CONSUMER.MSG.NEXT.<stream>.<durable> (ask for messages), $JS.API.CONSUMER.INFO.<stream>.<durable> (look at it),
 * $JS.ACK.<stream>.<durable>.> (acknowledge); subscribe: an inbox prefix of its own, _INBOX_<name>.>, because with the common _INBOX.> one
 * reader could listen to another's answers. Nothing else: no CREATE, no STREAM.MSG.GET, no DIRECT.GET.
 *
 * Permissions alone do not hold a hostile reader: whoever may send a request names the subject that the answer goes to, no permission
 * is asked for that, and an answer that goes to $JS.API.STREAM.DELETE.KANAL_EVENTS deletes it (shown on nats-server 2.9.10 and 2.10.27).
 * So the reader gets an account of its own, which imports these three services and has nothing else that could be harmed. It calls
 * them below $JS.<gateway's account>.API, a JetStream domain for its client: under $JS.API. the server itself would answer, that this
 * account has no JetStream. The form for a shared account is there for readers that are trusted as the gateway is. */
#ifndef KANAL_CLI_GRANT_H
#define KANAL_CLI_GRANT_H
#include "kanal/sdk/buffer.h"

struct grant {
    const char *name, *stream, *account; /* account: the gateway's; NULL: the reader shares it */
    const char *const *filters;
    size_t filter_count;
    char password[48];
};

/* From random bytes, at most 22 of them. */
void grant_set_password(struct grant *, const unsigned char *random, size_t len);
void grant_write_text(const struct grant *, struct kanal_buffer *out);
void grant_write_json(const struct grant *, struct kanal_buffer *out);

#endif
