/* cli/grant.h - what the reader of one durable may do at the broker, as nats-server's configuration and as JSON. Pure functions.
 *
 * publish: $JS.API.CONSUMER.MSG.NEXT.<stream>.<durable> (ask for messages), $JS.API.CONSUMER.INFO.<stream>.<durable> (look at it),
 * $JS.ACK.<stream>.<durable>.> (acknowledge); subscribe: an inbox prefix of its own, _INBOX_<name>.>, because with the common _INBOX.> one
 * reader could listen to another's answers. Nothing else: no CREATE, no STREAM.MSG.GET, no DIRECT.GET. */
#ifndef KANAL_CLI_GRANT_H
#define KANAL_CLI_GRANT_H
#include "kanal/sdk/buffer.h"

struct grant {
    const char *name, *stream;
    const char *const *filters;
    size_t filter_count;
    char password[48];
};

/* From random bytes, at most 22 of them. */
void grant_set_password(struct grant *, const unsigned char *random, size_t len);
void grant_write_text(const struct grant *, struct kanal_buffer *out);
void grant_write_json(const struct grant *, struct kanal_buffer *out);

#endif
