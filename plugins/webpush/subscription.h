/* subscription.h - a browser's push subscription (W3C Push API), as a page sends it and as it is kept. No host, only data. */
#ifndef WEBPUSH_SUBSCRIPTION_H
#define WEBPUSH_SUBSCRIPTION_H
#include "settings.h"

#define ENDPOINT_BYTES_MAX 2048u
#define STATE_KEY_BYTES 48u
/* What is kept of one that has ended. Not nothing: the revision has to go on, because it tells the same endpoint's second subscription from its
 * first in the events' dedupe keys. */
#define SUBSCRIPTION_ENDED "{}"

struct subscription {
    char endpoint[ENDPOINT_BYTES_MAX + 1]; /* NUL-ended */
    char public_key[PUBLIC_KEY_BYTES], auth[AUTH_BYTES];
};

/* Reads {"endpoint", "keys": {"p256dh", "auth"}}. NULL, or what is wrong with it (static). */
const char *subscription_read(struct subscription *, const struct settings *, yyjson_val *object);
/* As it is kept: the same form. */
void subscription_write(struct kanal_buffer *out, const struct subscription *);
int subscription_equal(const struct subscription *, const struct subscription *);
/* "visitor/ID" */
void subscription_key(char out[STATE_KEY_BYTES], const char *visitor);
/* Of an endpoint, for a dedupe key: 16 hexadecimal digits. */
void subscription_hash(char out[17], const struct subscription *);

#endif
